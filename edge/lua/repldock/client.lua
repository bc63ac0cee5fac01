-- Whether the other end of a request's connection is still there. NGINX tells Lua of a client that goes away while its
-- request is handled, but not of one that sent its request and hung up before that was read: the news of both came as one.
local base = require("resty.core.base")
local ffi = require("ffi")

local C, cast, get_request = ffi.C, ffi.cast, base.get_request

local module = {}

-- How NGINX's structures of a request and of a connection begin, as of Debian's 1.22; the signature below is checked first.
ffi.cdef([[
typedef struct { void *data; void *read; void *write; int fd; } repldock_connection_t;
typedef struct { uint32_t signature; repldock_connection_t *connection; } repldock_request_t;
ssize_t recv(int fd, void *buffer, size_t length, int flags);
]])

-- "HTTP", as a request begins.
local signature = 0x50545448
local peek_without_waiting = 0x2 + 0x40
local buffer = ffi.new("char[1]")

-- True once the client has closed its end and nothing of what it sent is unread.
function module.is_gone()
	local current = cast("repldock_request_t *", get_request())
	if current.signature ~= signature then
		return false
	end
	return C.recv(current.connection.fd, buffer, 1, peek_without_waiting) == 0
end

return module
