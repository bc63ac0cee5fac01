-- Requests for `<slug>.<apps domain>` and `<port>--<slug>.<apps domain>`.
local access = require("repldock.access")
local headers = require("repldock.headers")
local limits = require("repldock.limits")
local options = require("repldock.options").values
local pages = require("repldock.pages")
local routes = require("repldock.routes")

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

local function decide()
	headers.clean_request()
	local tokens = access.take_tokens()
	local route, port, page = module.find()
	if not route then
		return page
	end
	ngx.var.visited_project = route.projectId
	page = limits.visitor_page(route.projectId)
	if page then
		return page
	end
	if route.visibility == "private" then
		local verdict = access.check(route.projectId, tokens)
		if verdict ~= "allowed" then
			return verdict == "refused" and "private" or "node_unavailable"
		end
	end
	return limits.hold(route.projectId) or choose(route, port), route, port
end

-- Access handler: lets the request through to the balancer, or answers it with a page.
function module.admit()
	local done, page, route, port = pcall(decide)
	if not done then
		ngx.log(ngx.CRIT, "a request could not be routed: ", page)
		return ngx.exit(ngx.HTTP_INTERNAL_SERVER_ERROR)
	end
	if page then
		return pages.send(page, route, port)
	end
end

-- Content handler after the container did not answer. The visitor was already let in.
function module.explain_failure()
	local route, port = module.find()
	-- The connection was made, so something listens; what it said was no HTTP, or nothing.
	-- Each attempt has its own time in the list, "-" when it could not connect.
	-- An app that spoke before it was asked anything has bytes, and no time.
	local connected = (ngx.var.upstream_connect_time or ""):find("%d") ~= nil
		or (ngx.var.upstream_bytes_received or ""):find("[1-9]") ~= nil
	return pages.send(connected and "bad_answer" or "refused", route, port)
end

return module
