-- Requests for `<slug>.<apps domain>` and `<port>--<slug>.<apps domain>`.
local access = require("repldock.access")
local headers = require("repldock.headers")
local hosts = require("repldock.hosts")
local pages = require("repldock.pages")
local ports = require("repldock.ports")
local routes = require("repldock.routes")
local unknown = require("repldock.unknown")

local module = {}

-- The route for this request, the port asked for (nil for the main one), and the page to show when there is no route.
function module.find()
	if not routes.revision() then
		return nil, nil, "not_ready"
	end
	local slug, port = hosts.parse(ngx.var.host)
	local route = routes.find(slug)
	if not route then
		local page
		route, page = unknown.find(slug)
		if not route then
			return nil, nil, page
		end
	end
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
	ngx.ctx.address = route.address
	ngx.ctx.port = chosen
	return nil
end

local function decide()
	headers.clean_request()
	local tokens = access.take_tokens()
	local route, port, page = module.find()
	if not route then
		return page
	end
	if route.visibility == "private" then
		local verdict = access.check(route.projectId, tokens)
		if verdict ~= "allowed" then
			return verdict == "refused" and "private" or "node_unavailable"
		end
	end
	return choose(route, port), route, port
end

-- Each attempt has its own status and time in the lists; the time is "-" when it could not connect.
local function failure()
	if not (ngx.var.upstream_connect_time or ""):find("%d") then
		return "refused"
	end
	-- The connection was made, so something listens; what it said was no HTTP, or nothing.
	return (ngx.var.upstream_status or ""):find("504", 1, true) and "no_answer" or "bad_answer"
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
	return pages.send(failure(), route, port)
end

return module
