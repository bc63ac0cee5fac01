-- The edge's options, set once by `init_by_lua` before any other module is loaded.
local options = {}

local module = {}

-- Remembers the values: `source` (folder of the edge's files), `run` (that of the sockets), `appsDomain`, `siteHost`,
-- `siteUrl`, `containerSubnets` (CIDR), `httpPort` (the edge's own), `realPorts`
-- (whether a connection's port may be the app's), `httpsPort` (nil without TLS), `httpsRedirect`,
-- `noWakeAgents`, and the limits of apps.
function module.set(values)
	for name, value in pairs(values) do
		options[name] = value
	end
end

module.values = options

return module
