-- Log phase of requests to apps: every request comes by here exactly once, also one that its visitor broke off.
local activity = require("repldock.activity")
local hosts = require("repldock.hosts")
local limits = require("repldock.limits")
local request = require("repldock.request")
local routes = require("repldock.routes")
local visits = require("repldock.visits")
local wake = require("repldock.wake")

local module = {}

local nothing = {}

function module.run()
	local record = request.forget() or nothing
	if record.is_visit then
		activity.finish(record.project_id)
	end
	wake.release(record)
	limits.release(record)
	local project_id = record.project_id
	if not project_id then
		-- Answered before the access phase: too large, or one of our own pages.
		local slug = hosts.parse(ngx.var.host)
		local route = slug and routes.find(slug)
		project_id = route and not route.is_elsewhere and route.projectId
	end
	if project_id then
		visits.record(project_id, record)
	end
end

return module
