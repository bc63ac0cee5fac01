-- Our addresses on an app's host that let a browser in and out:
--   GET /_repldock/enter?token=…&to=/path    trades the IDE's access token for this host's cookie and goes on to `to`
--   GET /_repldock/enter?ticket=…&to=/path   the same for a ticket with which the site sent the visitor back
--   GET /_repldock/sign-in?to=/path          goes to the site, which asks who visits, and comes back
--   GET /_repldock/sign-out?to=/path         forgets who visits
local access = require("repldock.access")
local app = require("repldock.app")
local limits = require("repldock.limits")
local pages = require("repldock.pages")
local visitors = require("repldock.visitors")

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

-- The IDE shows the app in a frame of another site: without `SameSite=None` browsers would not send it back.
local wide_attributes = "; Path=/; HttpOnly; SameSite=None; Secure; Partitioned"
local lax_attributes = "; Path=/; HttpOnly; SameSite=Lax"

local function set_cookies(token)
	local secure = ngx.var.visitor_scheme == "https" and "; Secure" or ""
	ngx.header["Set-Cookie"] = {
		access.cookie .. "=" .. token .. wide_attributes,
		access.lax_cookie .. "=" .. token .. lax_attributes .. secure,
	}
end

local function go_to(to)
	ngx.header["Cache-Control"] = "no-store"
	ngx.header["Referrer-Policy"] = "no-referrer"
	return ngx.redirect(safe_target(to), ngx.HTTP_MOVED_TEMPORARILY)
end

-- The route of the host for a GET; nil when the request was answered or went to another node.
local function route_for_get()
	app.begin()
	local present = app.find()
	if present and present.is_elsewhere then
		ngx.exec("@elsewhere")
		return nil
	end
	if ngx.req.get_method() ~= "GET" then
		ngx.header["Allow"] = "GET"
		pages.send("reserved")
		return nil
	end
	local route, _, page = app.find()
	if not route then
		pages.send(page)
		return nil
	end
	return route
end

local refusals = { refused = "bad_link", limited = "too_many_tokens", unavailable = "node_unavailable" }

-- Content handler of `enter`. The agent may answer with a token of its own in X-Repldock-Access, which the cookie then
-- carries.
function module.run()
	local route = route_for_get()
	if not route then
		return
	end
	local too_fast = limits.visitor_page(route.projectId)
	if too_fast then
		return pages.send(too_fast)
	end
	local arguments = ngx.req.get_uri_args(10)
	local question, token, state = "enter", arguments.token, nil
	if arguments.ticket then
		question, token, state = "visit", arguments.ticket, visitors.states_text()
		if state == "" then
			return pages.send("cookies_blocked", route)
		end
	end
	if not access.is_token(token) then
		return pages.send("bad_link", route)
	end
	local verdict, _, own_token = access.ask(question, route.projectId, token, state)
	if verdict ~= "allowed" then
		return pages.send(refusals[verdict], route)
	end
	token = own_token or token
	if not access.is_token(token) then
		ngx.log(ngx.CRIT, "the agent's token cannot be a cookie")
		return pages.send("node_unavailable", route)
	end
	set_cookies(token)
	return go_to(arguments.to)
end

-- Content handler of `sign-in`.
function module.sign_in()
	if route_for_get() then
		return visitors.redirect_to_site(safe_target(ngx.req.get_uri_args(10).to))
	end
end

-- Content handler of `sign-out`. A private app would only send the visitor to sign in again.
function module.sign_out()
	local route = route_for_get()
	if not route then
		return
	end
	ngx.header["Set-Cookie"] = {
		access.cookie .. "=" .. wide_attributes .. "; Max-Age=0",
		access.lax_cookie .. "=" .. lax_attributes .. "; Max-Age=0",
		visitors.forgotten_state(),
	}
	if route.visibility == "private" then
		return pages.send("signed_out", route)
	end
	return go_to(ngx.req.get_uri_args(10).to)
end

return module
