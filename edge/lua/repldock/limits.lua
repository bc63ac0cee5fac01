-- What one project's visitors may ask at once and a second, and what one visitor may take of that. 0: no limit.
local options = require("repldock.options").values

-- Projects apart from visitors: there may be any number of addresses, and they must not push out a project's count.
local projects = ngx.shared.edge_project_limits
local visitors = ngx.shared.edge_visitor_limits
local state = ngx.shared.edge_state

local module = {}

-- Whether there is any limit that the edge looks after.
module.are_set = options.appVisitorRequestsPerSecond > 0
	or options.appRequestsPerSecond > 0
	or options.appVisitorConnections > 0
	or options.appConnections > 0

local burst_seconds = 2
local visitor_seconds = 120

-- An IPv6 visitor has a whole /64 to call from.
local function visitor()
	-- Behind another node's edge all of its visitors would be one.
	local hop_address = ngx.var.hop_address
	if hop_address ~= "" then
		return hop_address
	end
	local address = ngx.var.binary_remote_addr
	return #address == 16 and address:sub(1, 8) or address
end

-- A token bucket in one number: the moment at which the bucket would be full again. Each request moves it on by its
-- share of a second, in one step that no other worker can come between.
local function takes_token(dictionary, key, per_second, lifetime)
	local now, share = ngx.now(), 1 / per_second
	local full_at = dictionary:incr(key, share, now, lifetime)
	if not full_at then
		return true
	end
	if full_at < now then
		dictionary:set(key, now + share, lifetime or 0)
		return true
	end
	if full_at - now <= burst_seconds then
		return true
	end
	-- Refused requests do not count, or a visitor that never lets up would never be let in again.
	dictionary:incr(key, -share)
	return false
end

-- One more at the same time, unless there are `most` already. Without memory nobody is kept out.
local function enter(dictionary, key, most)
	local present = dictionary:incr(key, 1, 0)
	if present and present > most then
		dictionary:incr(key, -1)
		return false
	end
	return true
end

local function leave(dictionary, key)
	local present = dictionary:incr(key, -1)
	-- Below nothing after a worker died and all began anew, see `begin_worker`.
	if present and present < 0 then
		dictionary:incr(key, -present)
	end
	return present
end

-- The page for a visitor who asks too often, or nil. Asked before the agent or the container hears of the request.
function module.visitor_page(project_id)
	local per_second = options.appVisitorRequestsPerSecond
	if per_second > 0 and not takes_token(visitors, "r" .. project_id .. visitor(), per_second, visitor_seconds) then
		return "visitor_too_fast"
	end
	return nil
end

-- Counts the request among those of the project until `release`; the page for it when it is one too many, or nil.
-- `record` is the request's.
function module.hold(record, project_id)
	local per_second = options.appRequestsPerSecond
	if per_second > 0 and not takes_token(projects, "r" .. project_id, per_second) then
		return "too_fast"
	end
	local of_visitor, of_project = options.appVisitorConnections, options.appConnections
	local visitor_key = of_visitor > 0 and "c" .. project_id .. visitor()
	if visitor_key and not enter(visitors, visitor_key, of_visitor) then
		return "visitor_too_many"
	end
	if of_project > 0 and not enter(projects, "c" .. project_id, of_project) then
		if visitor_key then
			leave(visitors, visitor_key)
		end
		return "too_many"
	end
	record.held_visitor = visitor_key or nil
	record.held_project = of_project > 0 and "c" .. project_id or nil
	return nil
end

-- Log handler: the request is over, whoever ended it.
function module.release(record)
	if record.held_project then
		leave(projects, record.held_project)
	end
	local key = record.held_visitor
	if key and leave(visitors, key) == 0 then
		visitors:delete(key)
	end
end

-- A worker that died let nothing go. Counts begin anew when another takes its place: for a while too many may come,
-- which is better than nobody.
function module.begin_worker()
	if ngx.worker.id() and state:incr("workers_begun", 1, 0) > ngx.worker.count() then
		projects:flush_all()
		visitors:flush_all()
	end
end

return module
