-- Questions to the agent over its unix socket. A subrequest would do, but Lua has none for visitors by HTTP/2.
local options = require("repldock.options").values

local module = {}

local connect_ms, answer_ms = 5000, 10000
-- The agent's answers are a status and a few headers.
local most_headers = 64
local most_body_bytes = 65536

local function read_answer(socket)
	local line, problem = socket:receive("*l")
	local status = line and tonumber(line:match("^HTTP/1%.[01] (%d%d%d)"))
	if not status then
		return nil, problem or "no HTTP"
	end
	local headers = {}
	for _ = 1, most_headers do
		line, problem = socket:receive("*l")
		if not line then
			return nil, problem
		end
		if line == "" then
			return status, headers
		end
		local name, value = line:match("^([^:]+):%s*(.-)%s*$")
		if name then
			headers[name:lower()] = value
		end
	end
	return nil, "too many headers"
end

-- Up to the end of the connection, which is where an answer by HTTP/1.0 ends.
local function read_body(socket)
	local body, _, part = socket:receive(most_body_bytes)
	return body or part or ""
end

-- GET of one path with these headers, as lines that hold no line break; the answer may take `wait_ms` (10 s by default).
-- Returns the answer's status, its headers by their names in small letters, and its body; or nil and a problem.
function module.get(path, headers, wait_ms)
	local socket = ngx.socket.tcp()
	socket:settimeouts(connect_ms, answer_ms, wait_ms or answer_ms)
	local connected, problem = socket:connect("unix:" .. options.run .. "/agent.sock")
	if not connected then
		return nil, problem
	end
	-- HTTP/1.0: one request a connection.
	local sent
	sent, problem = socket:send(
		"GET " .. path .. " HTTP/1.0\r\nHost: agent\r\n" .. table.concat(headers, "\r\n") .. "\r\n\r\n"
	)
	if not sent then
		socket:close()
		return nil, problem
	end
	local status, answered = read_answer(socket)
	local body = status and read_body(socket)
	socket:close()
	return status, answered, body
end

return module
