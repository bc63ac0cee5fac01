-- Log phase of requests to apps: every request comes by here exactly once, also one that its visitor broke off.
local app = require("repldock.app")
local hosts = require("repldock.hosts")
local limits = require("repldock.limits")
local routes = require("repldock.routes")
local visits = require("repldock.visits")

local module = {}

function module.run()
	app.leave()
	limits.release()
	local project_id = ngx.var.visited_project
	if not project_id or project_id == "" then
		-- Answered before the access phase: too large, or one of our own pages.
		local slug = hosts.parse(ngx.var.host)
		local route = slug and routes.find(slug)
		project_id = route and not route.is_elsewhere and route.projectId
	end
	if project_id then
		visits.record(project_id)
	end
end

return module
