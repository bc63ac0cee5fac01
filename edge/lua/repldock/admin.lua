-- The agent's side of the routing table: PUT, PATCH and GET /routes.
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

local function report()
	return answer(200, { revision = routes.revision() or cjson.null, count = routes.count() })
end

local function put(table)
	local done, problem = with_lock(function()
		if type(table.hopSecret) == "string" then
			state:set("hop_secret", table.hopSecret)
		end
		return routes.replace(table.revision, table.routes)
	end)
	if not done then
		return refuse(400, "invalid_input", problem)
	end
	return report()
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
	return report()
end

-- Content handler of /routes.
function module.routes()
	local method = ngx.req.get_method()
	if method == "GET" then
		return report()
	end
	if method ~= "PUT" and method ~= "PATCH" then
		ngx.header["Allow"] = "GET, PUT, PATCH"
		return refuse(405, "invalid_input", "Use GET, PUT or PATCH.")
	end
	local body = cjson.decode(read_body() or "")
	if type(body) ~= "table" or not is_revision(body.revision) then
		return refuse(400, "invalid_input", "The body is not JSON with a revision.")
	end
	if method == "PUT" then
		return put(body)
	end
	return patch(body)
end

return module
