-- A slug that the table does not have: the agent is asked before a visitor is told that there is no such project, since
-- a project may be younger than the table, and an agent that has just started may know less than it will.
local agent = require("repldock.agent")
local routes = require("repldock.routes")

local answers = ngx.shared.edge_unknown

local module = {}

-- How long an answer holds. A project that is made meanwhile has a route, which is looked at first.
local unknown_seconds = 2
-- Visitors can invent names faster than the agent can look them up; above this it is not asked.
local most_questions_per_second = 200

local function may_ask()
	local count = answers:incr("asked " .. ngx.time(), 1, 0, 2)
	return not count or count <= most_questions_per_second
end

-- "known" (its route is in the table by now), "unknown", or "unsure" when the agent cannot say.
local function ask(slug)
	local status = agent.get("/edge/route", { "X-Repldock-Slug: " .. slug })
	if status == 204 then
		return "known"
	end
	return status == 404 and "unknown" or "unsure"
end

-- The route of a slug that was not found a moment ago; nil and the page to show when there is none.
function module.find(slug)
	if not routes.is_slug(slug) or answers:get(slug) then
		return nil, "unknown"
	end
	if not may_ask() then
		return nil, "not_ready"
	end
	local answer = ask(slug)
	if answer == "unknown" then
		answers:set(slug, true, unknown_seconds)
		return nil, "unknown"
	end
	local route = answer == "known" and routes.find(slug)
	if route then
		return route
	end
	return nil, "not_ready"
end

return module
