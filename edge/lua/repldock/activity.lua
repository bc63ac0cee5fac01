-- Who visits which project: counted so that the agent lets nothing sleep that is in use. A request is counted before its
-- route is read and until it is logged, which also happens when the client goes away.
local cjson = require("cjson.safe")
local crawlers = require("repldock.crawlers")

local visits = ngx.shared.edge_activity

local module = {}

-- Counters are each worker's own, so that one that is killed leaves none behind: its successor begins at zero.
local counter_prefix
local function counter(project_id)
	counter_prefix = counter_prefix or ("active:" .. ngx.worker.id() .. ":")
	return counter_prefix .. project_id
end

-- When this worker last wrote down the end of a visit, in seconds: once a second is enough.
local noted, noted_count, noted_most = {}, 0, 4096

local function note_end(project_id)
	local now = ngx.time()
	local before = noted[project_id]
	-- Asked last, since it costs most: those who may not wake a project do not keep it awake either.
	if before == now or crawlers.is_one(ngx.var.http_user_agent) then
		return
	end
	if not before then
		if noted_count >= noted_most then
			noted, noted_count = {}, 0
		end
		noted_count = noted_count + 1
	end
	noted[project_id] = now
	visits:set("last:" .. project_id, ngx.now())
end

-- Takes away what a worker of the same number left that did not end in order. For `init_worker_by_lua`.
function module.start_worker()
	local prefix = counter("")
	for _, key in ipairs(visits:get_keys(0)) do
		if key:sub(1, #prefix) == prefix then
			visits:delete(key)
		end
	end
end

-- The request is a visit of this project from now on.
function module.begin(project_id)
	visits:incr(counter(project_id), 1, 0)
	ngx.var.active_project = project_id
end

-- The request is over.
function module.finish()
	local project_id = ngx.var.active_project
	if not project_id or project_id == "" then
		return
	end
	visits:incr(counter(project_id), -1)
	note_end(project_id)
end

local function idle_ms(project_id)
	local ended = visits:get("last:" .. project_id)
	return ended and math.max(0, math.floor((ngx.now() - ended) * 1000)) or cjson.null
end

local function active(project_id)
	local sum = 0
	for worker = 0, ngx.worker.count() - 1 do
		sum = sum + math.max(0, visits:get("active:" .. worker .. ":" .. project_id) or 0)
	end
	return sum
end

local function visited_projects()
	local ids = {}
	for _, key in ipairs(visits:get_keys(0)) do
		ids[key:match("([^:]+)$")] = true
	end
	return ids
end

-- Activity (packages/protocol/src/edge.ts) of one project, or of all that were visited when `project_id` is nil.
function module.report(project_id)
	ngx.update_time()
	local projects = {}
	for id in pairs(project_id and { [project_id] = true } or visited_projects()) do
		projects[id] = { active = active(id), idleMs = idle_ms(id) }
	end
	return { projects = projects }
end

return module
