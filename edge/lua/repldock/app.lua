-- Requests for `<slug>.<apps domain>` and `<port>--<slug>.<apps domain>`.
local access = require("repldock.access")
local bearer = require("repldock.bearer")
local headers = require("repldock.headers")
local hop = require("repldock.hop")
local options = require("repldock.options").values
local pages = require("repldock.pages")
local routes = require("repldock.routes")
local visitors = require("repldock.visitors")

local module = {}

local suffix = "." .. options.appsDomain

-- Slug and port (nil for the main one) that a host name means; nil when it cannot be an app's.
local function parse_host(host)
	local label = host:sub(1, -#suffix - 1)
	-- Asked first because, unlike a pattern, it is compiled: most visits name no port.
	if not label:find("--", 1, true) then
		return label
	end
	local port, slug = label:match("^([1-9]%d?%d?%d?%d?)%-%-(.+)$")
	if port then
		return slug, tonumber(port)
	end
	return label
end

-- The route for this request, the port asked for (nil for the main one), and the page to show when there is no route.
function module.find()
	if not routes.revision() then
		return nil, nil, "not_ready"
	end
	local slug, port = parse_host(ngx.var.host)
	local route = routes.find(slug)
	if not route then
		return nil, nil, "unknown"
	end
	return route, port
end

-- Chooses the container's address and port; returns the page to show when there is none.
local function choose(route, port)
	if route.state ~= "running" then
		return route.state
	end
	if not route.address then
		return "stopped"
	end
	if not port then
		port = route.mainPort
		if not port then
			return "nothing_listens"
		end
	elseif not route.is_open[port] then
		return "port_closed"
	end
	ngx.ctx.address = route.address
	ngx.ctx.port = port
	return nil
end

-- Lets nobody into a private project who may not see it, and tells the app who visits. Returns the page to show
-- instead, `sign_in` for a browser that the site shall ask.
local function admit_visitor(route, tokens, personal_token)
	if route.visibility ~= "private" then
		if #tokens > 0 then
			local _, visitor = access.check(route.projectId, tokens)
			visitors.introduce(visitor)
		end
		return nil
	end
	local verdict, visitor = access.admit(route.projectId, tokens, personal_token)
	if verdict == "allowed" then
		visitors.introduce(visitor)
		return nil
	end
	if verdict == "limited" then
		return "too_many_tokens"
	end
	if verdict ~= "refused" then
		return "node_unavailable"
	end
	if visitors.is_navigation() and not personal_token then
		return "sign_in"
	end
	return (personal_token or #tokens > 0) and "private" or "sign_in_required"
end

-- The page that says why another node's project cannot be asked for there, nil once the request is on its way. What the
-- visitor shows (cookies, tokens) goes along: the node that has the project decides on it.
function module.pass_on(route)
	return hop.forward(route)
end

-- Reads who is asked for, and removes what only edges may say. Once for each request.
function module.begin()
	ngx.ctx.hop = hop.receive()
	headers.clean_request()
end

local function decide()
	module.begin()
	local elsewhere = module.find()
	if elsewhere and elsewhere.is_elsewhere then
		return module.pass_on(elsewhere), elsewhere
	end
	local tokens = access.take_tokens()
	local personal_token = bearer.take()
	local route, port, page = module.find()
	if not route then
		return page
	end
	page = admit_visitor(route, tokens, personal_token)
	if page then
		return page, route, port
	end
	return choose(route, port), route, port
end

-- Access handler: lets the request through to the balancer, or answers it with a page.
function module.admit()
	local done, page, route, port = pcall(decide)
	if not done then
		ngx.log(ngx.CRIT, "a request could not be routed: ", page)
		return ngx.exit(ngx.HTTP_INTERNAL_SERVER_ERROR)
	end
	if page == "sign_in" then
		return visitors.redirect_to_site(ngx.var.request_uri)
	end
	if page then
		return pages.send(page, route, port)
	end
end

-- Access handler of our own addresses on the host of another node's project.
function module.admit_elsewhere()
	local route = module.find()
	local page = not route and "unknown" or module.pass_on(route)
	if page then
		return pages.send(page, route)
	end
end

-- Content handler after the container did not answer. The visitor was already let in.
function module.explain_failure()
	local route, port = module.find()
	if route and route.is_elsewhere then
		return pages.send("peer_down", route)
	end
	-- The connection was made, so something listens; what it said was no HTTP, or nothing.
	-- Each attempt has its own time in the list, "-" when it could not connect.
	local connected = (ngx.var.upstream_connect_time or ""):find("%d") ~= nil
	return pages.send(connected and "bad_answer" or "refused", route, port)
end

return module
