-- Host names of apps: `<slug>.<apps domain>`, `<port>--<slug>.<apps domain>` and custom domains.
local options = require("repldock.options").values
local routes = require("repldock.routes")

local module = {}

local suffix = "." .. options.appsDomain

-- Slug and port (nil for the main one) that a name means; nil for a domain that is nobody's. What cannot be a slug is
-- returned as it is: no project has it.
function module.parse(host)
	if host:sub(-#suffix) ~= suffix then
		return routes.slug_of_domain(host)
	end
	local label = host:sub(1, -#suffix - 1)
	-- Asked first because, unlike a pattern, it is compiled: most visits name no port.
	if not label:find("--", 1, true) then
		return label
	end
	local digits, slug = label:match("^([1-9]%d?%d?%d?%d?)%-%-(.+)$")
	local port = tonumber(digits)
	if port and port <= 65535 then
		return slug, port
	end
	return label
end

return module
