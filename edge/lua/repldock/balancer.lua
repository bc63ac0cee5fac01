-- Sends the request to the container that `app.admit` chose.
local balancer = require("ngx.balancer")
local request = require("repldock.request")

local module = {}

local days_seconds = 7 * 24 * 3600

-- Sockets and event streams may be silent for as long as they like; other answers have the time that nginx.conf says.
local function is_stream()
	local variables = ngx.var
	if variables.forwarded_upgrade ~= "" then
		return true
	end
	local accept = variables.http_accept
	return accept ~= nil and accept:find("text/event-stream", 1, true) ~= nil
end

function module.choose()
	local record = request.current()
	if not record.is_plain and is_stream() then
		balancer.set_timeouts(nil, nil, days_seconds)
	end
	local chosen, problem = balancer.set_current_peer(record.address, record.port)
	if not chosen then
		ngx.log(ngx.CRIT, "the container's address was refused: ", problem)
		return ngx.exit(ngx.ERROR)
	end
end

return module
