-- From the edge that a visitor came to, to the edge of the node that has the project: one hop, and no other. The sender
-- says in a signed header for whom it asks; the receiver believes nothing about a visitor that is not so signed.
local hmac = require("repldock.hmac")
local request = require("repldock.request")

local state = ngx.shared.edge_state

local module = {}

-- Clocks of two nodes may differ, and a request may wait, by this much together.
local fresh_seconds = 30
local form = "^v1 (%d+) ([%x.:]+) (https?) (%d+) ([%w_-]+)$"

-- The signed text: all that the receiver takes on trust, and what the message is for.
local function signed_text(time, host, address, scheme, port)
	return table.concat({ "repldock hop v1", time, host, address, scheme, port }, "\n")
end

-- What the sender says of the visitor, once for each request: a table of `address`, `scheme` and `port`. Nil for a
-- request that came straight from a visitor, whatever it claims. That it claimed to have been passed on, rightly or not, is
-- remembered: such a request is never passed on again, which no chain of edges can go around.
function module.receive()
	local header = ngx.var.http_x_repldock_hop
	if not header then
		return nil
	end
	request.current().claims_hop = true
	local secret = state:get("hop_secret")
	local time, address, scheme, port, code = header:match(form)
	if not secret or not time then
		return nil
	end
	local expected = hmac.sign(secret, signed_text(time, ngx.var.http_host or "", address, scheme, port))
	if not hmac.equal(code, expected) or math.abs(ngx.time() - tonumber(time)) > fresh_seconds then
		return nil
	end
	ngx.var.hop_address = address
	ngx.var.hop_scheme = scheme
	ngx.var.hop_port = port
	return { address = address, scheme = scheme, port = tonumber(port) }
end

-- Points the request at the other node's edge. Returns the page to show when it cannot go there.
function module.forward(route)
	local record = request.current()
	if record.claims_hop then
		return "passed_on_twice"
	end
	local secret = state:get("hop_secret")
	-- HTTP/2, which gRPC needs, is spoken by edges only over TLS.
	local peer_port = route.peer_port
	if ngx.var.is_grpc ~= "" then
		peer_port = route.peer_tls_port
	end
	if not peer_port or not secret then
		return "elsewhere"
	end
	local time, port = tostring(ngx.time()), ngx.var.server_port
	local address, scheme = ngx.var.remote_addr, ngx.var.scheme
	local code = hmac.sign(secret, signed_text(time, ngx.var.http_host or "", address, scheme, port))
	ngx.var.hop_header = table.concat({ "v1", time, address, scheme, port, code }, " ")
	record.address, record.port = route.peer_address, peer_port
	return nil
end

return module
