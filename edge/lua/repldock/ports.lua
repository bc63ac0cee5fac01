-- Which port of a container a visitor means: the one before the slug, else the one that the connection came to when the
-- apps have an address of their own, else the main one.
local options = require("repldock.options").values

local module = {}

-- SSH is nobody's to visit.
local never = 22

-- Whether a port in an address is the app's. The edge's own ports and those of the schemes mean the main one.
function module.is_real(port)
	return options.realPorts and port > 2000 and port ~= options.httpPort and port ~= options.httpsPort
end

-- The port that this connection came to, if it is the app's to answer for; nil when it means the main port.
function module.visited()
	if not options.realPorts then
		return nil
	end
	local port = tonumber(ngx.var.visitor_port)
	return module.is_real(port) and port or nil
end

-- The container's port for the visitor's (nil: the main one); nil when nothing is to be visited there.
function module.choose(route, port)
	if not port then
		return route.mainPort
	end
	if port == never then
		return nil
	end
	local chosen = route.local_ports[port]
	if not chosen and (port == 80 or port == 443) then
		return route.mainPort
	end
	return chosen
end

-- The page for a port that could not be chosen.
function module.page(port)
	if not port or port == 80 or port == 443 then
		return "nothing_listens"
	end
	return port == never and "port_forbidden" or "port_closed"
end

-- The address of a project's port, as a link on this page may name it.
function module.address(route, port)
	local host = route.slug .. "." .. options.appsDomain
	-- Real ports speak plain HTTP, so a page that came by TLS leads to the name.
	if module.is_real(port) and ngx.var.scheme == "http" then
		return ("//%s:%d/"):format(host, port)
	end
	return ("//%d--%s%s/"):format(port, host, module.own_port())
end

-- `:8080` as the visitor wrote it, nothing when the port is the scheme's own; the edge's when he came to an app's port.
function module.own_port()
	if module.visited() then
		return options.httpPort == 80 and "" or ":" .. options.httpPort
	end
	return (ngx.var.http_host or ""):match(":%d+$") or ""
end

return module
