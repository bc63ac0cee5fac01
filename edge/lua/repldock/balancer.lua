-- Sends the request to the container that `app.admit` chose.
local balancer = require("ngx.balancer")

local module = {}

function module.choose()
	local context = ngx.ctx
	local chosen, problem = balancer.set_current_peer(context.address, context.port)
	if not chosen then
		ngx.log(ngx.CRIT, "the container's address was refused: ", problem)
		return ngx.exit(ngx.ERROR)
	end
end

return module
