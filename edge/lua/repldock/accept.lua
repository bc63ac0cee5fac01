-- Content negotiation between our two forms of an error.
local module = {}

-- Highest quality that an Accept header gives to one of the media types, 0 when it names none of them.
local function quality(header, names)
	local best = 0
	for part in header:lower():gmatch("[^,]+") do
		local name = part:match("^%s*([^;%s]+)")
		if names[name] then
			best = math.max(best, tonumber(part:match(";%s*q=([%d.]+)")) or 1)
		end
	end
	return best
end

local json = { ["application/json"] = true, ["application/problem+json"] = true }
local html = { ["text/html"] = true, ["application/xhtml+xml"] = true }

-- Whether a client with this Accept header (may be nil) wants JSON rather than a page.
function module.prefers_json(header)
	if not header then
		return false
	end
	return quality(header, json) > quality(header, html)
end

-- Whether the client names HTML among what it takes, as browsers do and programs seldom.
function module.names_html(header)
	return header ~= nil and quality(header, html) > 0
end

return module
