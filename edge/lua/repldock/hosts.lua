-- Host names of apps: `<slug>.<apps domain>`, `<port>--<slug>.<apps domain>` and custom domains.
local options = require("repldock.options").values
local routes = require("repldock.routes")

local module = {}

local suffix = "." .. options.appsDomain

-- Host headers as they were written → what they mean, for `remembered`.
local known, known_count, known_most = {}, 0, 16384

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

-- Remembers what a Host header meant that `parse` has understood and that has a route.
function module.remember(written, slug, port)
	if ngx.var.host:sub(-#suffix) ~= suffix then
		return routes.remember_domain(written, slug)
	end
	if known[written] then
		return
	end
	if known_count >= known_most then
		known, known_count = {}, 0
	end
	known_count = known_count + 1
	known[written] = { slug = slug, port = port }
end

-- What a Host header means, as a table of `slug` and `port`; nil when this worker has not seen it or has forgotten it.
function module.remembered(written)
	return known[written] or routes.remembered_domain(written)
end

return module
