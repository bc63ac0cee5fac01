-- How a visitor becomes known at an app's host: to the site to sign in, and back with a ticket for this host alone.
local options = require("repldock.options").values

local module = {}

-- Remembers at the app's host that this browser set out to sign in. The ticket that it comes back with is bound to it:
-- nobody can be signed in by a link that somebody else was given, and a browser without cookies does not go in circles.
module.state_cookie = "repldock_visit"
local state_seconds = 600
local state_form = "^[%w_-]+$"
local most_states = 4

local function is_state(text)
	return #text >= 16 and #text <= 64 and text:find(state_form) ~= nil
end

-- The states in the request's cookies; more than one when a neighbour under the apps domain planted its own.
local function states()
	if ngx.ctx.visit_states then
		return ngx.ctx.visit_states
	end
	local found = {}
	for name, value in (ngx.var.http_cookie or ""):gmatch("([^;=%s]+)=([^;%s]*)") do
		if name == module.state_cookie and is_state(value) and #found < most_states then
			found[#found + 1] = value
		end
	end
	return found
end

-- Keeps the states for `redirect_to_site`, before their cookies are taken out of the request.
function module.remember_states()
	ngx.ctx.visit_states = states()
end

-- The same as one text, empty for none.
function module.states_text()
	return table.concat(states(), ",")
end

local function random_text()
	local file = assert(io.open("/dev/urandom", "rb"))
	local bytes = file:read(18)
	file:close()
	return (ngx.encode_base64(bytes):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

local function cookie(name, value, seconds)
	local secure = options.siteUrl:find("^https:") and "; Secure" or ""
	return ("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s"):format(name, value, seconds, secure)
end

-- A cookie that ends the state of this browser.
function module.forgotten_state()
	return cookie(module.state_cookie, "", 0)
end

-- Whether the request is a person's browser going to a page, and so can be shown another page: no script, no part of a
-- page, no frame (the IDE shows apps in one and lets its own people in by itself).
function module.is_navigation()
	local method = ngx.req.get_method()
	if method ~= "GET" and method ~= "HEAD" then
		return false
	end
	if not (ngx.var.http_accept or ""):lower():find("text/html", 1, true) or ngx.var.http_upgrade then
		return false
	end
	if (ngx.var.http_x_requested_with or ""):lower() == "xmlhttprequest" then
		return false
	end
	local mode, destination = ngx.var.http_sec_fetch_mode, ngx.var.http_sec_fetch_dest
	return (not mode or mode == "navigate") and (not destination or destination == "document")
end

-- Sends the browser to the site, from where it comes back to the path `to` of this host.
function module.redirect_to_site(to)
	-- One state for all tabs that set out at the same time.
	local state = states()[1] or random_text()
	ngx.header["Set-Cookie"] = cookie(module.state_cookie, state, state_seconds)
	ngx.header["Cache-Control"] = "no-store"
	ngx.header["Referrer-Policy"] = "no-referrer"
	local query = ngx.encode_args({ host = (ngx.var.http_host or ""):lower(), to = to, state = state })
	return ngx.redirect(options.siteUrl .. "/visit?" .. query, ngx.HTTP_MOVED_TEMPORARILY)
end

-- Whether the app was told who visits.
function module.is_known()
	return ngx.ctx.visitor_id ~= nil
end

-- Tells the app who visits. Whatever the visitor sent under these names was removed before.
function module.introduce(visitor)
	if not visitor or not visitor.id then
		return
	end
	ngx.ctx.visitor_id = visitor.id
	ngx.req.set_header("X-Repldock-User-Id", visitor.id)
	ngx.req.set_header("X-Repldock-User-Name", visitor.name or "")
	ngx.req.set_header("X-Replit-User-Id", visitor.id)
	ngx.req.set_header("X-Replit-User-Name", visitor.name or "")
	ngx.req.set_header("X-Replit-User-Roles", visitor.roles or "")
end

return module
