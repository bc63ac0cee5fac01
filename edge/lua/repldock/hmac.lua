-- HMAC-SHA256 by libcrypto, which NGINX is linked with: Debian's Lua libraries have none of their own.
local bit = require("bit")
local ffi = require("ffi")

ffi.cdef([[
const void *EVP_sha256(void);
unsigned char *HMAC(const void *evp_md, const void *key, int key_len, const unsigned char *data, size_t data_len,
	unsigned char *md, unsigned int *md_len);
]])

local module = {}

local digest_bytes = 32
local buffer = ffi.new("unsigned char[?]", digest_bytes)

-- The code of `text` under `key`, in base64url.
function module.sign(key, text)
	assert(ffi.C.HMAC(ffi.C.EVP_sha256(), key, #key, text, #text, buffer, nil) ~= nil, "libcrypto made no HMAC")
	return (ngx.encode_base64(ffi.string(buffer, digest_bytes), true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

-- Whether two texts are equal, in a time that says nothing about where they differ.
function module.equal(one, other)
	if #one ~= #other then
		return false
	end
	local difference = 0
	for index = 1, #one do
		difference = bit.bor(difference, bit.bxor(one:byte(index), other:byte(index)))
	end
	return difference == 0
end

return module
