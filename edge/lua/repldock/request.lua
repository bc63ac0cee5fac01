-- What the edge knows of a request while it lasts. Kept by worker and not in `ngx.ctx`, which ends where NGINX turns to an
-- error page; variables of NGINX would do, but each look at one costs as much as all of this.
local base = require("resty.core.base")
local ffi = require("ffi")

local get_request, cast, tonumber = base.get_request, ffi.cast, tonumber

local module = {}

local present = {}

-- NGINX's own address of the request: no other one has it until this one was logged.
local function identity()
	return tonumber(cast("uintptr_t", get_request()))
end

-- The request's table, an empty one at first. `forget` takes it away.
function module.current()
	local id = identity()
	local record = present[id]
	if not record then
		record = {}
		present[id] = record
	end
	return record
end

-- Begins the request with what is known already.
function module.begin(record)
	present[identity()] = record
end

-- Log handler: the request is over. Returns its table, nil when there is none.
function module.forget()
	local id = identity()
	local record = present[id]
	present[id] = nil
	return record
end

return module
