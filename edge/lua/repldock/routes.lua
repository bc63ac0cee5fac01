-- The routing table: one entry a slug in shared memory, so that all workers see a change at once and NGINX is never
-- reloaded for it. Shapes are those of packages/protocol/src/edge.ts.
local cjson = require("cjson.safe")
local options = require("repldock.options").values
local subnet = require("repldock.subnet")

local entries = ngx.shared.edge_routes
-- Custom domain → slug.
local domains = ngx.shared.edge_domains
local state = ngx.shared.edge_state
local null = cjson.null

local module = {}

local subnets = {}
for _, text in ipairs(options.containerSubnets) do
	subnets[#subnets + 1] = subnet.matcher(text)
end

-- Decoded entries by their stored text: a changed entry has another text, so this can never be out of date.
local decoded, decoded_count, decoded_most = {}, 0, 16384
-- The same by slug, as long as the table has this version; to compare two numbers is cheaper than to read an entry.
local found, found_count, found_version = {}, 0, nil
-- Host headers that name a custom domain → a table of the slug, as long as the table has this version.
local found_domains = {}

local function is_port(value)
	return type(value) == "number" and value % 1 == 0 and value >= 1 and value <= 65535
end

-- Whether the value can be a slug at all.
function module.is_slug(value)
	return type(value) == "string"
		and #value <= 48
		and value:find("^[a-z0-9][a-z0-9-]*$") ~= nil
		and value:sub(-1) ~= "-"
		and not value:find("--", 1, true)
end

local function is_container_address(value)
	if type(value) ~= "string" then
		return false
	end
	for _, contains in ipairs(subnets) do
		if contains(value) then
			return true
		end
	end
	return false
end

local function is_domain(value)
	return type(value) == "string"
		and #value <= 253
		and value:find("^[a-z0-9][a-z0-9.-]*%.[a-z0-9-]*[a-z][a-z0-9-]*$") ~= nil
		and not value:find("..", 1, true)
		and ("." .. value):sub(-#options.appsDomain - 1) ~= "." .. options.appsDomain
end

local states = { stopped = true, starting = true, running = true, paused = true, stopping = true, failed = true }

local function ports_problem(ports)
	local seen = {}
	for _, port in ipairs(ports) do
		if type(port) ~= "table" or not is_port(port.external) or not is_port(port["local"]) then
			return "ports holds something that is not a pair of ports"
		end
		if seen[port.external] then
			return "ports names " .. port.external .. " twice"
		end
		seen[port.external] = true
	end
	return nil
end

-- Address and port of another node's edge, nil when the text names none.
local function parse_peer(text)
	local address, port = tostring(text):match("^([%d.]+):([1-9]%d*)$")
	if not address or not subnet.is_address(address) or not is_port(tonumber(port)) then
		return nil
	end
	return address, tonumber(port)
end

-- The sentence that says what is wrong with a route, or nil.
local function route_problem(route)
	if type(route) ~= "table" or not module.is_slug(route.slug) then
		return "a route without a valid slug"
	end
	local function wrong(what)
		return "route " .. route.slug .. ": " .. what
	end
	if type(route.projectId) ~= "string" or not route.projectId:find("^[%w-]+$") or #route.projectId > 64 then
		return wrong("projectId is not an id")
	end
	for _, domain in ipairs(route.domains or {}) do
		if not is_domain(domain) then
			return wrong("domains holds something that cannot be a custom domain")
		end
	end
	if route.peer ~= nil then
		if route.peer ~= null and not parse_peer(route.peer) then
			return wrong("peer is not an IPv4 address and port")
		end
		local port = route.peerTlsPort
		return port ~= nil and port ~= null and not is_port(port) and wrong("peerTlsPort is not a port") or nil
	end
	if route.address ~= null and not is_container_address(route.address) then
		return wrong("address is not an IPv4 address of this node's containers")
	end
	if type(route.ports) ~= "table" then
		return wrong("ports is not a list")
	end
	local problem = ports_problem(route.ports)
	if problem then
		return wrong(problem)
	end
	if route.mainPort ~= null and not is_port(route.mainPort) then
		return wrong("mainPort is not a port")
	end
	if route.visibility ~= "public" and route.visibility ~= "private" then
		return wrong("visibility is neither public nor private")
	end
	if not states[route.state] then
		return wrong("state is unknown")
	end
	if type(route.wakes) ~= "boolean" then
		return wrong("wakes is neither true nor false")
	end
	return nil
end

-- Forgets domains of a slug, but for those in `kept` and those that are another's by now.
local function forget_domains(slug, text, kept)
	for _, domain in ipairs(cjson.decode(text).domains or {}) do
		if not kept[domain] and domains:get(domain) == slug then
			domains:delete(domain)
		end
	end
end

local function remember_domains(route)
	local kept = {}
	for _, domain in ipairs(route.domains or {}) do
		kept[domain] = true
		local stored, problem = domains:safe_set(domain, route.slug)
		if not stored then
			return nil, "the edge's memory for domains is full (" .. problem .. ")"
		end
	end
	return kept
end

-- Counted as they come and go: listing the keys of a large table would hold up the other workers.
local function store(route)
	local before = entries:get(route.slug)
	local stored, problem = entries:safe_set(route.slug, cjson.encode(route))
	if not stored then
		-- `safe_set` never pushes another project's route out of memory to make room.
		return nil, "the edge's memory for routes is full (" .. problem .. ")"
	end
	local kept
	kept, problem = remember_domains(route)
	if not kept then
		return nil, problem
	end
	if before then
		forget_domains(route.slug, before, kept)
	else
		state:incr("count", 1, 0)
	end
	return true
end

local function remove(slug)
	local before = entries:get(slug)
	if before then
		entries:delete(slug)
		forget_domains(slug, before, {})
		state:incr("count", -1, 0)
	end
end

local function validate(list)
	if type(list) ~= "table" then
		return "the list of routes is missing"
	end
	for _, route in ipairs(list) do
		local problem = route_problem(route)
		if problem then
			return problem
		end
	end
	return nil
end

-- Written after the entries: who sees the new version finds the new entries. It rises by itself, since an agent that
-- starts anew may count its revisions anew.
local function changed(revision)
	state:set("revision", revision)
	state:incr("version", 1, 0)
end

-- Stores the routes of `set`, and removes those slugs of `candidates()`, asked once they are stored, that are not among
-- them. Returns true, or nil and a sentence; on "memory is full" some may be stored already.
local function apply(revision, set, candidates)
	local problem = validate(set)
	if problem then
		return nil, problem
	end
	local kept = {}
	for _, route in ipairs(set) do
		local stored, failure = store(route)
		if not stored then
			return nil, failure
		end
		kept[route.slug] = true
	end
	for _, slug in ipairs(candidates()) do
		if not kept[slug] then
			remove(slug)
		end
	end
	changed(revision)
	return true
end

-- Replaces the whole table, whatever its revision was: an agent that starts anew may count anew.
function module.replace(revision, list)
	return apply(revision, list, function()
		return entries:get_keys(0)
	end)
end

-- Changes some routes. A slug that is both removed and set is set: two projects may have changed names.
function module.change(revision, set, removed)
	return apply(revision, set, function()
		return removed
	end)
end

-- Revision of the table; nil until the agent has sent one.
function module.revision()
	return state:get("revision")
end

function module.count()
	return state:get("count") or 0
end

-- The slug whose project a custom domain (in small letters, without a last dot) shows; nil when it is nobody's.
function module.slug_of_domain(domain)
	return domains:get(domain)
end

local function decode(text)
	local route = cjson.decode(text)
	if route.peer ~= nil then
		route.is_elsewhere = true
		if route.peer == null then
			route.peer = nil
		else
			route.peer_address, route.peer_port = parse_peer(route.peer)
			route.peer_tls_port = route.peerTlsPort ~= null and route.peerTlsPort or nil
		end
		route.ports = {}
	end
	if route.address == null then
		route.address = nil
	end
	if route.mainPort == null then
		route.mainPort = nil
	end
	route.local_ports = {}
	for _, port in ipairs(route.ports) do
		route.local_ports[port.external] = port["local"]
	end
	if decoded_count >= decoded_most then
		decoded, decoded_count = {}, 0
	end
	decoded[text] = route
	decoded_count = decoded_count + 1
	return route
end

-- Whether the table is still as it was when this worker last looked into it.
local function is_known()
	local version = state:get("version")
	if version == found_version then
		return true
	end
	found, found_count, found_version = {}, 0, version
	found_domains = {}
	return false
end

-- The route of a slug, with absent values as nil; nil when there is none. Callers must not change it.
function module.find(slug)
	local route = is_known() and found[slug]
	if route then
		return route
	end
	local text = entries:get(slug)
	if not text then
		return nil
	end
	route = decoded[text] or decode(text)
	if found_count >= decoded_most then
		found, found_count, found_domains = {}, 0, {}
	end
	found[slug] = route
	found_count = found_count + 1
	return route
end

-- The route as this worker last read it, which may be out of date; nil when it has not.
function module.remembered(slug)
	return found[slug]
end

-- Remembers which slug a Host header with a custom domain means, until the table changes.
function module.remember_domain(written, slug)
	if not found_domains[written] then
		-- Counted among the routes, so that they cannot grow beyond them.
		found_count = found_count + 1
		found_domains[written] = { slug = slug }
	end
end

function module.remembered_domain(written)
	return found_domains[written]
end

return module
