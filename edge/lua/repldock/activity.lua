-- Who visits which project: known so that the agent lets nothing sleep that is in use. A request is counted before its
-- route is read and until it is logged, which also happens when the client goes away.
--
-- Shared memory says of each worker whether it has visits of a project. That is written at once when the first comes,
-- and taken back a moment after the last has gone, so that a busy project costs next to nothing there.
local cjson = require("cjson.safe")
local crawlers = require("repldock.crawlers")
local later = require("repldock.later")

local visits = ngx.shared.edge_activity

local module = {}

-- This worker's projects in use, by id.
local used = {}
-- Those that nobody visits in this moment.
local quiet, quiet_count = {}, 0

-- Marks are each worker's own, so that one that is killed leaves none behind: its successor takes them away.
local mark_prefix
local function mark(project_id)
	mark_prefix = mark_prefix or ("active:" .. ngx.worker.id() .. ":")
	return mark_prefix .. project_id
end

-- Takes away what a worker of the same number left that did not end in order. For `init_worker_by_lua`.
function module.start_worker()
	local prefix = mark("")
	for _, key in ipairs(visits:get_keys(0)) do
		if key:sub(1, #prefix) == prefix then
			visits:delete(key)
		end
	end
end

local function forget(use)
	used[use.project_id] = nil
	if use.ended then
		visits:set("last:" .. use.project_id, use.ended)
	end
	visits:delete(mark(use.project_id))
end

-- Projects whose last visit was over, and to which nobody has come back by now, are in use no longer.
local function settle()
	local looked_at = quiet
	quiet, quiet_count = {}, 0
	for index = 1, #looked_at do
		local use = looked_at[index]
		use.is_quiet = false
		if use.count == 0 then
			forget(use)
		end
	end
end

-- The request is a visit of this project if this worker has told of the project already; returns whether it is.
function module.join(project_id)
	local use = used[project_id]
	if not use then
		return false
	end
	use.count = use.count + 1
	return true
end

-- The request is a visit of this project from now on.
function module.begin(project_id)
	if not module.join(project_id) then
		used[project_id] = { project_id = project_id, count = 1, noted = 0 }
		visits:set(mark(project_id), true)
	end
end

local function come_to_rest(use)
	if use.count > 0 then
		return
	end
	if not use.ended then
		return forget(use)
	end
	if not use.is_quiet then
		use.is_quiet = true
		quiet_count = quiet_count + 1
		quiet[quiet_count] = use
		later.soon(settle)
	end
end

-- The request was no visit after all.
function module.leave(project_id)
	local use = used[project_id]
	use.count = use.count - 1
	come_to_rest(use)
end

-- The request is over.
function module.finish(project_id)
	local use = used[project_id]
	use.count = use.count - 1
	local second = ngx.time()
	-- Asked once a second, since it costs most: those who may not wake a project do not keep it awake either.
	if use.noted ~= second and not crawlers.is_one(ngx.var.http_user_agent) then
		use.noted = second
		use.ended = ngx.now()
	end
	come_to_rest(use)
end

local function idle_ms(project_id)
	local ended = visits:get("last:" .. project_id)
	return ended and math.max(0, math.floor((ngx.now() - ended) * 1000)) or cjson.null
end

local function is_active(project_id)
	for worker = 0, ngx.worker.count() - 1 do
		if visits:get("active:" .. worker .. ":" .. project_id) then
			return true
		end
	end
	return false
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
		projects[id] = { active = is_active(id), idleMs = idle_ms(id) }
	end
	return { projects = projects }
end

return module
