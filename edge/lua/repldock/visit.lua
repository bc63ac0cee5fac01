-- What every visit begins with, whatever host it is for: the access handlers call it first.
local certificates = require("repldock.certificates")
local challenges = require("repldock.challenges")
local headers = require("repldock.headers")
local options = require("repldock.options").values

local module = {}

local secure_suffix = options.httpsPort and options.httpsPort ~= 443 and ":" .. options.httpsPort or ""

-- Sends a visitor of the plain port to TLS, but never to a host whose certificate is not there yet.
local function redirect()
	local port = tonumber(ngx.var.server_port)
	-- What another edge passed on came to it as it should.
	if ngx.ctx.hop or ngx.var.scheme ~= "http" or (port ~= 80 and port ~= options.httpPort) then
		return
	end
	local host = ngx.var.host
	if certificates.find(host) then
		return ngx.redirect("https://" .. host .. secure_suffix .. ngx.var.request_uri, 308)
	end
end

function module.begin()
	if options.httpsPort then
		challenges.answer()
		if options.httpsRedirect then
			redirect()
		end
	end
	headers.clean_request()
end

return module
