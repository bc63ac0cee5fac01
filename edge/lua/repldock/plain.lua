-- The plain visit: of a public app that runs, by somebody who shows nothing of ours and wants nothing but an answer.
-- Nearly all requests are like this, and all that must be known of them is at hand, so they are let in without the
-- coroutine that a request needs which may have to wait. Whatever is not plain goes the long way (`app.admit`), which
-- decides everything anew: here a request may only be let in that is let in there too.
local activity = require("repldock.activity")
local base = require("resty.core.base")
local ffi = require("ffi")
local hosts = require("repldock.hosts")
local limits = require("repldock.limits")
local options = require("repldock.options").values
local ports = require("repldock.ports")
local request = require("repldock.request")
local routes = require("repldock.routes")
require("resty.core.request")

local C, text_of = ffi.C, ffi.string
local get_request = base.get_request

local module = {}

-- One look at all headers where NGINX keeps them; to ask for one by its name is as dear as to see them all.
local headers_most = 64
local headers = ffi.new("ngx_http_lua_ffi_table_elt_t[?]", headers_most)
local is_cut = ffi.new("int[1]")

-- Values of `Connection` that name no header.
local usual_connections = { ["keep-alive"] = true, ["Keep-Alive"] = true, ["close"] = true }

-- What makes a request another one than plain, by the header's first letter; names come in small letters. Each takes
-- name and value as text.
local others = {
	[("x"):byte()] = function(name)
		return name:sub(1, 12) == "x-forwarded-" or name:sub(1, 11) == "x-repldock-" or name:sub(1, 14) == "x-replit-user-"
	end,
	[("c"):byte()] = function(name, value)
		if name == "cookie" then
			return value:find("repldock_", 1, true)
		elseif name == "connection" then
			return not usual_connections[value]
		end
		return name == "content-type" and value:find("application/grpc", 1, true)
	end,
	[("a"):byte()] = function(name, value)
		return name == "authorization" or (name == "accept" and value:find("text/event-stream", 1, true))
	end,
	[("u"):byte()] = function(name)
		return name == "upgrade"
	end,
}

-- The Host header of a request that no header makes another one than plain, else nil.
local function plain_host()
	local current = get_request()
	local count = C.ngx_http_lua_ffi_req_get_headers_count(current, headers_most, is_cut)
	if count <= 0 or is_cut[0] ~= 0 then
		return nil
	end
	C.ngx_http_lua_ffi_req_get_headers(current, headers, count, 0)
	local host
	for index = 0, count - 1 do
		local key, value = headers[index].key, headers[index].value
		local first = key.len > 0 and key.data[0] or 0
		-- h
		if first == 104 and key.len == 4 and text_of(key.data, 4) == "host" then
			if host then
				return nil
			end
			host = text_of(value.data, value.len)
		else
			local is_other = others[first]
			if is_other and is_other(text_of(key.data, key.len), text_of(value.data, value.len)) then
				return nil
			end
		end
	end
	return host
end

-- Plain http where the edge also speaks https may be an ACME challenge, or have to go to https.
local function is_of_this_scheme()
	return not options.httpsPort or ngx.var.https == "on"
end

-- What is kept of a plain visit. It is the same for all of them, so they share it.
local function record_of(route, port)
	local records = route.plain_records
	if not records then
		records = {}
		route.plain_records = records
	end
	local record = records[port]
	if not record then
		record = { project_id = route.projectId, address = route.address, port = port, is_visit = true, is_plain = true }
		records[port] = record
	end
	return record
end

-- Begins the visit of a project that is counted as in use; returns whether it may go on.
local function begin(host, remembered)
	-- Read now that the visit is counted, as in `app.admit`.
	local route = routes.find(host.slug)
	if route ~= remembered or route.state ~= "running" or route.wakes or not route.address then
		return false
	end
	local port = ports.choose(route, host.port or ports.visited())
	if not port then
		return false
	end
	local record = record_of(route, port)
	if limits.are_set then
		record = setmetatable({}, { __index = record })
		if limits.visitor_page(route.projectId) or limits.hold(record, route.projectId) then
			return false
		end
	end
	request.begin(record)
	return true
end

local function let_in()
	local written = plain_host()
	local host = written and hosts.remembered(written)
	local remembered = host and routes.remembered(host.slug)
	if not remembered or remembered.visibility ~= "public" or remembered.is_elsewhere or not is_of_this_scheme() then
		return false
	end
	if not activity.join(remembered.projectId) then
		return false
	end
	if begin(host, remembered) then
		return true
	end
	activity.leave(remembered.projectId)
	return false
end

-- Which way the request goes: "plain", or "long" for any other.
function module.way()
	local done, is_in = pcall(let_in)
	if not done then
		ngx.log(ngx.CRIT, "a plain visit could not be let in: ", is_in)
	end
	return done and is_in and "plain" or "long"
end

return module
