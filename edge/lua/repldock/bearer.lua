-- Personal tokens of the site in `Authorization: Bearer rd_…`. They are never an app's to see, whatever it is: with one
-- it could do all that its owner can. Every other Authorization header is the app's own business.
local module = {}

local form = "^rd_[%w_-]+$"
local token_length = 46

-- Whether the text has the form of a personal token.
function module.is_token(text)
	return type(text) == "string" and #text == token_length and text:find(form) ~= nil
end

local function token_in(value)
	local scheme, token = value:match("^%s*(%a+)%s+(.-)%s*$")
	if scheme and scheme:lower() == "bearer" and module.is_token(token) then
		return token
	end
	return nil
end

-- Takes our tokens out of the request and returns the first of them, nil when there was none.
function module.take()
	if not ngx.var.http_authorization then
		return nil
	end
	local values = ngx.req.get_headers(0)["authorization"]
	if type(values) ~= "table" then
		values = { values }
	end
	local found
	local others = {}
	for _, value in ipairs(values) do
		local token = token_in(value)
		found = found or token
		if not token then
			others[#others + 1] = value
		end
	end
	if found then
		ngx.req.clear_header("Authorization")
		if #others > 0 then
			ngx.req.set_header("Authorization", others)
		end
	end
	return found
end

return module
