-- Log phase of requests to apps: every request comes by here exactly once, also one that its visitor broke off.
local app = require("repldock.app")
local limits = require("repldock.limits")
local visits = require("repldock.visits")

local module = {}

function module.run()
	app.leave()
	limits.release()
	local project_id = ngx.var.visited_project
	if not project_id or project_id == "" then
		-- Answered before the access phase: too large, or one of our own pages.
		local route = app.find()
		project_id = route and route.projectId
	end
	if project_id then
		visits.record(project_id)
	end
end

return module
