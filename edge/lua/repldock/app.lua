-- Requests for `<slug>.<apps domain>`, `<port>--<slug>.<apps domain>` and custom domains.
local access = require("repldock.access")
local activity = require("repldock.activity")
local bearer = require("repldock.bearer")
local hop = require("repldock.hop")
local hosts = require("repldock.hosts")
local limits = require("repldock.limits")
local pages = require("repldock.pages")
local ports = require("repldock.ports")
local request = require("repldock.request")
local routes = require("repldock.routes")
local unknown = require("repldock.unknown")
local visit = require("repldock.visit")
local visitors = require("repldock.visitors")
local wake = require("repldock.wake")

local module = {}

-- The route for this request, the port asked for (nil for the main one), and the page to show when there is no route.
function module.find()
	local slug, port = hosts.parse(ngx.var.host)
	local route = slug and routes.find(slug)
	if not route then
		if not routes.revision() then
			return nil, nil, "not_ready"
		end
		local page
		route, page = unknown.find(slug)
		if not route then
			return nil, nil, page
		end
	end
	hosts.remember(ngx.var.http_host, slug, port)
	return route, port or ports.visited()
end

-- Chooses the container's address and port; returns the page to show when there is none.
local function choose(route, port)
	if route.state ~= "running" then
		return route.state
	end
	if not route.address then
		return "stopped"
	end
	local chosen = ports.choose(route, port)
	if not chosen then
		return ports.page(port)
	end
	local record = request.current()
	record.address, record.port = route.address, chosen
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
	if ngx.var.is_malformed_host == "1" then
		return ngx.exit(ngx.HTTP_BAD_REQUEST)
	end
	ngx.ctx.hop = hop.receive()
	visit.begin()
end

local function decide()
	local route, port, page = module.find()
	if route and route.is_elsewhere then
		return module.pass_on(route), route
	end
	local tokens = access.take_tokens()
	local personal_token = bearer.take()
	if not route then
		return page
	end
	local record = request.current()
	record.project_id = route.projectId
	page = limits.visitor_page(route.projectId)
		or admit_visitor(route, tokens, personal_token)
		or limits.hold(record, route.projectId)
	if page then
		return page, route, port
	end
	activity.begin(route.projectId)
	record.is_visit = true
	-- Read again now that the visit is counted: an agent that saw none may be about to pause the container.
	route = routes.find(route.slug)
	if route and route.wakes then
		local held_page, extra = wake.hold(route, port, tokens)
		if held_page then
			return held_page, route, port, extra
		end
		route = routes.find(route.slug)
	end
	if not route then
		return "unknown"
	end
	return choose(route, port), route, port
end

-- Each attempt has its own status and time in the lists; the time is "-" when it could not connect. An app that spoke
-- before it was asked anything has bytes, and no time.
local function failure()
	local connected = (ngx.var.upstream_connect_time or ""):find("%d")
		or (ngx.var.upstream_bytes_received or ""):find("[1-9]")
	if not connected then
		return "refused"
	end
	-- The connection was made, so something listens; what it said was no HTTP, or nothing.
	return (ngx.var.upstream_status or ""):find("504", 1, true) and "no_answer" or "bad_answer"
end

-- Access handler: lets the request through to the balancer, or answers it with a page.
function module.admit()
	module.begin()
	local done, page, route, port, extra = pcall(decide)
	if not done then
		ngx.log(ngx.CRIT, "a request could not be routed: ", page)
		return ngx.exit(ngx.HTTP_INTERNAL_SERVER_ERROR)
	end
	if page == "sign_in" then
		return visitors.redirect_to_site(ngx.var.request_uri)
	end
	if page then
		return pages.send(page, route, port, extra)
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
	return pages.send(failure(), route, port)
end

return module
