-- GET /_repldock/enter?token=…&to=/path on an app's host: trades a token for this host's cookie and goes on to `to`.
local access = require("repldock.access")
local app = require("repldock.app")
local limits = require("repldock.limits")
local pages = require("repldock.pages")

local module = {}

-- The path to go on to: on this host alone. `//host`, `/\host` and control characters, which browsers skip, lead away.
local function safe_target(to)
	if type(to) ~= "string" or #to > 2048 or not to:find("^/") or to:find("^/[/\\]") or to:find("%c") then
		return "/"
	end
	return (to:gsub("[^%w%-._~:/?#%[%]@!$&'()*+,;=%%]", function(character)
		return ("%%%02X"):format(character:byte())
	end))
end

local function set_cookies(token)
	-- The IDE shows the app in a frame of another site: without `SameSite=None` browsers would not send it back.
	ngx.header["Set-Cookie"] = {
		access.cookie .. "=" .. token .. "; Path=/; HttpOnly; SameSite=None; Secure; Partitioned",
		access.lax_cookie .. "=" .. token .. "; Path=/; HttpOnly; SameSite=Lax",
	}
end

-- Content handler. The agent may answer with a token of its own in X-Repldock-Access, which the cookie then carries.
function module.run()
	if ngx.req.get_method() ~= "GET" then
		ngx.header["Allow"] = "GET"
		return pages.send("reserved")
	end
	local route, _, page = app.find()
	if not route then
		return pages.send(page)
	end
	local too_fast = limits.visitor_page(route.projectId)
	if too_fast then
		return pages.send(too_fast)
	end
	local arguments = ngx.req.get_uri_args(10)
	if not access.is_token(arguments.token) then
		return pages.send("bad_link", route)
	end
	local verdict, own_token = access.ask("enter", route.projectId, arguments.token)
	if verdict ~= "allowed" then
		return pages.send(verdict == "refused" and "bad_link" or "node_unavailable", route)
	end
	local token = own_token or arguments.token
	if not access.is_token(token) then
		ngx.log(ngx.CRIT, "the agent's token cannot be a cookie")
		return pages.send("node_unavailable", route)
	end
	set_cookies(token)
	ngx.header["Cache-Control"] = "no-store"
	ngx.header["Referrer-Policy"] = "no-referrer"
	return ngx.redirect(safe_target(arguments.to), ngx.HTTP_MOVED_TEMPORARILY)
end

return module
