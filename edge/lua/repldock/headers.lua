-- Headers that must not cross the edge as they came.
local request = require("repldock.request")
local visits = require("repldock.visits")

local clear_header = ngx.req.clear_header
local find = ngx.re.find

local module = {}

-- Names that only the edge may vouch for. `X-Forwarded-For` and its like are replaced by nginx.conf anyway; the
-- pattern also catches the members of the family that it does not set.
local claims = [[^(?:x-forwarded-|x-repldock-|x-replit-user-)]]
local claims_in_raw_header = [[(?:^|\n)(?:x-forwarded-|x-repldock-|x-replit-user-)]]

local usual_connections = { ["close"] = true, ["keep-alive"] = true, ["upgrade"] = true, ["keep-alive, upgrade"] = true }
-- Headers that say where a message goes or ends, which a client cannot have removed by naming them in `Connection`.
local lasting = {
	["close"] = true,
	["content-length"] = true,
	["host"] = true,
	["keep-alive"] = true,
	["transfer-encoding"] = true,
	["upgrade"] = true,
}

local function remove_hop_by_hop(connection)
	for name in connection:lower():gmatch("[^%s,]+") do
		if not lasting[name] then
			clear_header(name)
		end
	end
end

local function remove_claims()
	-- 0: all of them. The default would stop at 100 and let the 101st pass.
	for name in pairs(ngx.req.get_headers(0)) do
		if find(name, claims, "ijo") then
			clear_header(name)
		end
	end
end

-- Removes what a client claims in the edge's name, and the headers it marks as meant for the edge only.
function module.clean_request()
	-- HTTP/2 has no raw header to look into.
	if ngx.req.http_version() >= 2 or find(ngx.req.raw_header(true), claims_in_raw_header, "ijo") then
		remove_claims()
	end
	local connection = ngx.var.http_connection
	if connection and not usual_connections[connection:lower()] then
		remove_hop_by_hop(connection)
	end
end

local function without_domain(cookie)
	return (ngx.re.gsub(cookie, [[;\s*domain\s*(?:=[^;]*)?(?=;|$)]], "", "ijo"))
end

-- An informational answer goes before another one; this NGINX takes it for the only one, and would leave it to the app
-- where the answer ends. Behind a proxy that shares connections, the rest would be taken for another visitor's answer.
local function is_informational(status)
	return status < 200 and not (status == 101 and ngx.var.forwarded_upgrade == "websocket")
end

-- An app sets cookies for its own host alone: `Domain` would plant them on other people's apps.
function module.clean_response()
	-- What does not begin as HTTP does, NGINX takes for HTTP/0.9 and would pass on bare, as if it were the edge's words.
	if ngx.req.http_version() == 0.9 then
		return ngx.exit(ngx.ERROR)
	end
	if is_informational(ngx.status) then
		ngx.status = ngx.HTTP_BAD_GATEWAY
	end
	if ngx.status == 101 then
		visits.opened(request.current())
	end
	local cookies = ngx.header["Set-Cookie"]
	if not cookies then
		return
	end
	if type(cookies) == "string" then
		cookies = { cookies }
	end
	local cleaned = {}
	for index, cookie in ipairs(cookies) do
		cleaned[index] = without_domain(cookie)
	end
	ngx.header["Set-Cookie"] = cleaned
end

return module
