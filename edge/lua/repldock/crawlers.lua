-- Programs that look at every app without anybody wanting to see it: health checkers, search engines.
local options = require("repldock.options").values

local parts = {}
for index, part in ipairs(options.noWakeAgents) do
	parts[index] = part:lower()
end

local module = {}

-- Whether a client with this User-Agent (may be nil) is one of them.
function module.is_one(user_agent)
	if not user_agent then
		return false
	end
	local text = user_agent:lower()
	for _, part in ipairs(parts) do
		if text:find(part, 1, true) then
			return true
		end
	end
	return false
end

return module
