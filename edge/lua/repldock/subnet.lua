-- IPv4 addresses and subnets.
local bit = require("bit")

local module = {}

-- The address as a number, or nil when the text is not one in canonical dotted form.
local function parse_address(text)
	local a, b, c, d = text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
	if not a then
		return nil
	end
	local number = 0
	for _, part in ipairs({ a, b, c, d }) do
		local value = tonumber(part)
		-- A leading zero means octal to some parsers: two readings of one address are one too many.
		if value > 255 or tostring(value) ~= part then
			return nil
		end
		number = number * 256 + value
	end
	return bit.tobit(number)
end

-- Whether the text is an IPv4 address in canonical form.
function module.is_address(text)
	return parse_address(text) ~= nil
end

-- `10.1.0.0/16` as a test of an address's text. Raises an error when the text is not a subnet.
function module.matcher(text)
	local base, length = text:match("^([%d.]+)/(%d+)$")
	local network = base and parse_address(base)
	length = tonumber(length)
	if not network or not length or length < 1 or length > 32 then
		error("not an IPv4 subnet: " .. text)
	end
	local mask = bit.lshift(-1, 32 - length)
	return function(address_text)
		local address = parse_address(address_text)
		return address ~= nil and bit.band(address, mask) == bit.band(network, mask)
	end
end

return module
