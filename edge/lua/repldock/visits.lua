-- What visitors asked of each project: counters that are exact, and records for the project's owner that may be
-- dropped. Shapes are those of packages/protocol/src/requests.ts.
local cjson = require("cjson.safe")

local counters = ngx.shared.edge_counters
local queue = ngx.shared.edge_visits
local unrecorded = ngx.shared.edge_unrecorded
local state = ngx.shared.edge_state

local module = {}

-- Above this a worker only counts a project's requests: nobody reads faster, and one project's flood must neither
-- cost the others their records nor the edge its speed.
local records_per_second = 50
local records_queued_most = 10000
local batch_most = 1000
local path_most, agent_most, host_most, method_most = 512, 200, 128, 16
-- Numbers of unrecorded requests that no agent asks for are forgotten.
local unrecorded_seconds = 60
local look_seconds, poll_seconds = 0.2, 20
-- Workers count by themselves and put it together this often: shared memory is dear when each request goes there.
local flush_seconds = 0.05

-- Keys of one project's counters, made once a worker: joining texts is dearer than counting.
local keys, keys_count, keys_most = {}, 0, 16384

local function keys_of(project_id)
	local known = keys[project_id]
	if known then
		return known
	end
	if keys_count >= keys_most then
		keys, keys_count = {}, 0
	end
	known = { id = project_id, bytes_in = project_id .. "/in", bytes_out = project_id .. "/out", second = 0, recorded = 0 }
	known.counts, known.received, known.sent, known.missed = { 0, 0, 0, 0, 0 }, 0, 0, 0
	for class = 1, 5 do
		known[class] = project_id .. "/" .. class
	end
	keys[project_id] = known
	keys_count = keys_count + 1
	return known
end

-- Bytes from the visitor. After a switch of protocols NGINX counts them on the way to the app only.
local function bytes_in(status)
	local received = tonumber(ngx.var.request_length) or 0
	if status == 101 then
		return math.max(received, tonumber(ngx.var.upstream_bytes_sent) or 0)
	end
	return received
end

local function cut(text, most)
	if text and #text > most then
		return text:sub(1, most)
	end
	return text
end

-- Whether an address of our own is asked for, whose queries carry tokens. Asked of the path as NGINX understood it: there
-- are many ways to write the same.
local function is_ours()
	return (ngx.var.uri or ""):find("^/_repldock/") ~= nil
end

local function count_unrecorded(project_id)
	unrecorded:incr(project_id, 1, 0, unrecorded_seconds)
end

-- The oldest record gives way.
local function drop_oldest()
	local oldest = queue:rpop("records")
	local project_id = oldest and oldest:match('^{"projectId":"([%w-]+)"')
	if project_id then
		count_unrecorded(project_id)
	end
	return oldest ~= nil
end

local function enqueue(project_id, record)
	-- The id stands in front so that a record that is dropped can be told without decoding it.
	local text = '{"projectId":"' .. project_id .. '",' .. cjson.encode(record):sub(2)
	local length = queue:lpush("records", text)
	-- Memory comes back in pieces of other sizes than the one that is asked for, so more than one may have to go.
	for _ = 1, 8 do
		if length or not drop_oldest() then
			break
		end
		length = queue:lpush("records", text)
	end
	if not length then
		return count_unrecorded(project_id)
	end
	if length > records_queued_most then
		drop_oldest()
	end
end

local function describe(status, received, sent, socket)
	local variables = ngx.var
	return {
		atMs = math.floor(ngx.req.start_time() * 1000),
		host = cut(variables.http_host or variables.host or "", host_most),
		method = cut(variables.request_method or "", method_most),
		-- As the visitor wrote it.
		path = cut(variables.request_uri or "", path_most),
		status = status,
		durationMs = math.floor((tonumber(variables.request_time) or 0) * 1000 + 0.5),
		bytesIn = received,
		bytesOut = sent,
		address = variables.visitor_address,
		protocol = variables.server_protocol or "",
		-- Each attempt has its own time in the list, "-" when no header came.
		answeredBy = (variables.upstream_header_time or ""):find("%d") and "app" or "edge",
		userAgent = cut(variables.http_user_agent, agent_most),
		-- Joins the two records of a WebSocket.
		socket = socket,
	}
end

local changed, is_flush_due = {}, false

local function add(key, count)
	if count > 0 then
		counters:incr(key, count, 0)
	end
end

-- Brings what this worker counted since the last time into shared memory. NGINX also calls it when the worker ends.
local function flush()
	local flushed = changed
	changed, is_flush_due = {}, false
	for _, known in ipairs(flushed) do
		for class = 1, 5 do
			add(known[class], known.counts[class])
			known.counts[class] = 0
		end
		add(known.bytes_in, known.received)
		-- Also when there is nothing to add: the report finds projects by this key.
		counters:incr(known.bytes_out, known.sent, 0)
		if known.missed > 0 then
			unrecorded:incr(known.id, known.missed, 0, unrecorded_seconds)
		end
		known.received, known.sent, known.missed, known.is_changed = 0, 0, 0, false
	end
end

local function flush_soon(known)
	if not known.is_changed then
		known.is_changed = true
		changed[#changed + 1] = known
	end
	if not is_flush_due then
		is_flush_due = true
		if not ngx.timer.at(flush_seconds, flush) then
			flush()
		end
	end
end

local function may_record(known)
	local second = ngx.time()
	if known.second ~= second then
		known.second, known.recorded = second, 0
	end
	known.recorded = known.recorded + 1
	return known.recorded <= records_per_second
end

-- Log handler: counts the request of this project, and records it unless there are too many. `about` is what the edge
-- knows of the request.
function module.record(project_id, about)
	local status = ngx.status
	local received, sent = bytes_in(status), tonumber(ngx.var.bytes_sent) or 0
	local known = keys_of(project_id)
	local class = math.min(5, math.max(1, math.floor(status / 100)))
	known.counts[class] = known.counts[class] + 1
	known.received = known.received + received
	known.sent = known.sent + sent

	local is_recorded = false
	-- Addresses of our own are counted, but are nothing that was asked of the app.
	if about.is_plain or not is_ours() then
		-- The end of what was told to be open is never left out.
		is_recorded = about.socket ~= nil or may_record(known)
		if not is_recorded then
			known.missed = known.missed + 1
		end
	end
	flush_soon(known)
	if is_recorded then
		enqueue(project_id, describe(status, received, sent, about.socket))
	end
end

-- Records a WebSocket that the app has just agreed to; it is counted, and recorded again, when it ends.
-- `about` is what the edge knows of the request; it names no project where the edge only passes the request on.
function module.opened(about)
	local project_id = about.project_id
	if project_id and may_record(keys_of(project_id)) then
		-- Kept, since the variable is another one at each look.
		about.socket = ngx.var.request_id
		local record = describe(101, bytes_in(101), 0, about.socket)
		record.open = true
		enqueue(project_id, record)
	end
end

-- Names this life of the counters: another one begins with each start of NGINX.
function module.begin()
	state:add("epoch", ("%d-%d"):format(ngx.now() * 1000, ngx.worker.pid()))
end

local function has_news()
	if (queue:llen("records") or 0) > 0 then
		return true
	end
	for _, project_id in ipairs(unrecorded:get_keys(100)) do
		if (unrecorded:get(project_id) or 0) > 0 then
			return true
		end
	end
	return false
end

local function take_unrecorded()
	local taken, found = {}, false
	for _, project_id in ipairs(unrecorded:get_keys(0)) do
		local count = unrecorded:get(project_id)
		if count and count > 0 then
			-- Taken off, not deleted: other workers count on meanwhile.
			unrecorded:incr(project_id, -count)
			taken[project_id], found = count, true
		end
	end
	return found and taken or nil
end

local function take_records()
	local taken = {}
	while #taken < batch_most do
		local record = queue:rpop("records")
		if not record then
			break
		end
		taken[#taken + 1] = record
	end
	return taken
end

-- Content handler of GET /visits: waits until there is something to tell, at most `poll_seconds`.
function module.drain()
	-- An agent that went away must take no records with it.
	ngx.on_abort(function()
		ngx.exit(499)
	end)
	local looks = math.floor(poll_seconds / look_seconds)
	for _ = 1, looks do
		if has_news() then
			break
		end
		ngx.sleep(look_seconds)
	end
	local records, more = take_records(), take_unrecorded()
	ngx.header["Content-Type"] = "application/json"
	ngx.print('{"epoch":', cjson.encode(state:get("epoch")), ',"records":[', table.concat(records, ","), '],"unrecorded":', more and cjson.encode(more) or "{}", "}")
end

-- As JSON by hand: cjson writes 14 digits, and bytes are counted to the last one beyond 100 TB too.
local function totals_of(project_id)
	local known = keys_of(project_id)
	local requests = {}
	for class = 1, 5 do
		requests[class] = ('"%dxx":%.0f'):format(class, counters:get(known[class]) or 0)
	end
	return ('%s:{"requests":{%s},"bytesIn":%.0f,"bytesOut":%.0f}'):format(
		cjson.encode(project_id),
		table.concat(requests, ","),
		counters:get(known.bytes_in) or 0,
		counters:get(known.bytes_out) or 0
	)
end

-- Content handler of GET /counters, and GET /counters?project=<id> for one.
function module.report()
	local wanted = ngx.var.arg_project
	local projects = {}
	if wanted then
		projects[1] = totals_of(wanted)
	else
		for _, key in ipairs(counters:get_keys(0)) do
			-- Every request counts these bytes, if only as none.
			local project_id = key:match("^(.+)/out$")
			if project_id then
				projects[#projects + 1] = totals_of(project_id)
			end
		end
	end
	ngx.header["Content-Type"] = "application/json"
	ngx.print('{"epoch":', cjson.encode(state:get("epoch")), ',"projects":{', table.concat(projects, ","), "}}")
end

return module
