-- The agent's side of the tables: PUT, PATCH and GET /routes; PUT and GET /certificates and /challenges; and of the
-- visits: GET /activity.
local activity = require("repldock.activity")
local certificates = require("repldock.certificates")
local challenges = require("repldock.challenges")
local cjson = require("cjson.safe")
local routes = require("repldock.routes")

local state = ngx.shared.edge_state

local module = {}

local function answer(status, body)
	ngx.status = status
	ngx.header["Content-Type"] = status < 400 and "application/json" or "application/problem+json"
	ngx.print(cjson.encode(body))
	return ngx.exit(ngx.HTTP_OK)
end

local function refuse(status, code, detail)
	return answer(status, { code = code, status = status, detail = detail })
end

local function read_body()
	ngx.req.read_body()
	local text = ngx.req.get_body_data()
	local path = not text and ngx.req.get_body_file()
	if path then
		local file = assert(io.open(path, "rb"))
		text = file:read("*a")
		file:close()
	end
	return text
end

-- One writer at a time over all workers; a writer that died gives way after 10 s.
local function with_lock(write)
	while not state:add("writer", true, 10) do
		ngx.sleep(0.002)
	end
	local ok, result, problem = pcall(write)
	state:delete("writer")
	if not ok then
		error(result)
	end
	return result, problem
end

local function is_revision(value)
	return type(value) == "number" and value % 1 == 0
end

local function report(store)
	return answer(200, { revision = store.revision() or cjson.null, count = store.count() })
end

local function put(store, revision, list, hop_secret)
	local done, problem = with_lock(function()
		if type(hop_secret) == "string" then
			state:set("hop_secret", hop_secret)
		end
		return store.replace(revision, list)
	end)
	if not done then
		return refuse(400, "invalid_input", problem)
	end
	return report(store)
end

local function patch(change)
	if type(change.set) ~= "table" or type(change.removed) ~= "table" then
		return refuse(400, "invalid_input", "A change has the lists set and removed.")
	end
	local is_stale = false
	local done, problem = with_lock(function()
		local stored = routes.revision()
		if not stored or change.revision <= stored then
			is_stale = true
			return nil, "The stored revision is " .. (stored or "none") .. "; send the whole table."
		end
		return routes.change(change.revision, change.set, change.removed)
	end)
	if is_stale then
		return refuse(409, "stale_generation", problem)
	end
	if not done then
		return refuse(400, "invalid_input", problem)
	end
	return report(routes)
end

-- `name` is the table's and its list's in the body; `change` answers PATCH where the table takes it.
local function serve(name, store, change)
	local method = ngx.req.get_method()
	if method == "GET" then
		return report(store)
	end
	if method ~= "PUT" and not (change and method == "PATCH") then
		ngx.header["Allow"] = change and "GET, PUT, PATCH" or "GET, PUT"
		return refuse(405, "invalid_input", "This method is not for " .. name .. ".")
	end
	local body = cjson.decode(read_body() or "")
	if type(body) ~= "table" or not is_revision(body.revision) then
		return refuse(400, "invalid_input", "The body is not JSON with a revision.")
	end
	if method == "PUT" then
		return put(store, body.revision, body[name], body.hopSecret)
	end
	return change(body)
end

-- Content handlers of the admin socket's addresses.
function module.routes()
	return serve("routes", routes, patch)
end

function module.certificates()
	return serve("certificates", certificates)
end

function module.challenges()
	return serve("challenges", challenges)
end

-- Content handler of /activity.
function module.activity()
	return answer(200, activity.report(ngx.var.arg_project))
end

return module
