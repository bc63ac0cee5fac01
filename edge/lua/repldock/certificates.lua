-- Certificates by host name, in shared memory like the routes, chosen by the name that a visitor asks for (SNI). Shapes
-- are those of packages/protocol/src/edge.ts. Keys and certificates are never logged or answered.
local cjson = require("cjson.safe")
local lrucache = require("resty.lrucache")
local options = require("repldock.options").values
local ssl = require("ngx.ssl")

local entries = ngx.shared.edge_certificates
local state = ngx.shared.edge_state

local module = {}

-- Parsed certificates of this worker, by id: another certificate has another id, so none is ever out of date.
local parsed = assert(lrucache.new(2048))

-- How long a handshake waits for the agent to send the first table, as after a restart.
local most_wait_seconds, look_seconds = 5, 0.05

local function is_name(value)
	return type(value) == "string" and #value <= 253 and value:find("^%*?[%w.:_-]+$") ~= nil
end

local function parse(entry)
	local chain, problem = ssl.parse_pem_cert(entry.certificate)
	if not chain then
		return nil, problem
	end
	local key
	key, problem = ssl.parse_pem_priv_key(entry.key)
	if not key then
		return nil, problem
	end
	return { chain = chain, key = key }
end

-- The sentence that says what is wrong with an entry, or nil.
local function entry_problem(entry)
	if type(entry) ~= "table" or type(entry.id) ~= "string" or not entry.id:find("^[%w-]+$") or #entry.id > 80 then
		return "a certificate without a valid id"
	end
	if type(entry.names) ~= "table" or type(entry.certificate) ~= "string" or type(entry.key) ~= "string" then
		return "certificate " .. entry.id .. ": names, certificate or key is missing"
	end
	for _, name in ipairs(entry.names) do
		if not is_name(name) then
			return "certificate " .. entry.id .. ": it has something that is not a host name"
		end
	end
	if entries:get("id " .. entry.id) == nil and not parse(entry) then
		return "certificate " .. entry.id .. ": it cannot be read"
	end
	return nil
end

-- Replaces all certificates. Returns true, or nil and a sentence; on "memory is full" the table may be in part the new
-- one.
function module.replace(revision, list)
	if type(list) ~= "table" then
		return nil, "the list of certificates is missing"
	end
	for _, entry in ipairs(list) do
		local problem = entry_problem(entry)
		if problem then
			return nil, problem
		end
	end
	local kept = {}
	local function store(key, value)
		kept[key] = true
		-- `safe_set` never pushes another host's certificate out of memory to make room.
		return entries:safe_set(key, value)
	end
	for _, entry in ipairs(list) do
		local stored, problem =
			store("id " .. entry.id, cjson.encode({ certificate = entry.certificate, key = entry.key }))
		for _, name in ipairs(entry.names) do
			if stored then
				stored, problem = store("name " .. name:lower(), entry.id)
			end
		end
		if not stored then
			return nil, "the edge's memory for certificates is full (" .. problem .. ")"
		end
	end
	for _, key in ipairs(entries:get_keys(0)) do
		if not kept[key] then
			entries:delete(key)
		end
	end
	state:set("certificates_revision", revision)
	state:set("certificates_count", #list)
	return true
end

-- Revision of the table; nil until the agent has sent one.
function module.revision()
	return state:get("certificates_revision")
end

function module.count()
	return state:get("certificates_count") or 0
end

-- Id of the certificate for a host in small letters: the one for exactly this name, else the wildcard's.
function module.find(host)
	local id = entries:get("name " .. host)
	if id then
		return id
	end
	local parent = host:match("^[^.]+(%..+)$")
	return parent and entries:get("name *" .. parent)
end

local function load(id)
	local certificate = parsed:get(id)
	if certificate then
		return certificate
	end
	local text = entries:get("id " .. id)
	certificate = text and parse(cjson.decode(text))
	if certificate then
		parsed:set(id, certificate)
	end
	return certificate
end

local function wait_for_table()
	local waited = 0
	while not module.revision() and waited < most_wait_seconds do
		ngx.sleep(look_seconds)
		waited = waited + look_seconds
	end
end

-- The address that a visitor without SNI connected to, as text; nil for a unix socket.
local function server_address()
	local bytes, kind = ssl.raw_server_addr()
	if kind == "inet" then
		return ("%d.%d.%d.%d"):format(bytes:byte(1, 4))
	end
	return nil
end

local function decide()
	wait_for_table()
	local name = ssl.server_name()
	local id
	if name then
		id = module.find((name:lower():gsub("%.$", "")))
	else
		local address = server_address()
		id = address and module.find(address) or module.find(options.siteHost)
	end
	local certificate = id and load(id)
	if not certificate then
		-- Visitors who name no host meet the certificate of the configuration file.
		return name == nil
	end
	return ssl.clear_certs() and ssl.set_cert(certificate.chain) and ssl.set_priv_key(certificate.key)
end

-- Handler of `ssl_certificate_by_lua`: ends the handshake when no certificate is for the host that was named.
function module.choose()
	local done, chosen = pcall(decide)
	if not done then
		ngx.log(ngx.CRIT, "a certificate could not be chosen: ", chosen)
	end
	if not done or not chosen then
		return ngx.exit(ngx.ERROR)
	end
end

return module
