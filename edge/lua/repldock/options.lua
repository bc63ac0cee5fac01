-- The edge's options, set once by `init_by_lua` before any other module is loaded.
local options = {}

local module = {}

-- Remembers the values: `source` (folder of the edge's files), `appsDomain`, `siteHost`, `siteUrl` (origin), `containerSubnets` (CIDR).
function module.set(values)
	for name, value in pairs(values) do
		options[name] = value
	end
end

module.values = options

return module
