-- Answers in the edge's own name: a page for people, a problem document (RFC 9457) for programs.
local accept = require("repldock.accept")
local cjson = require("cjson.safe")
local options = require("repldock.options").values
local ports = require("repldock.ports")
local problems = require("repldock.problems")

local module = {}

local function read_file(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read("*a")
	file:close()
	return text
end

local template = read_file(options.source .. "/pages/page.html")

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escape(text)
	return (text:gsub("[&<>\"']", entities))
end
module.escape = escape

local function fill(values)
	return (template:gsub("{{(%a+)}}", values))
end

local function link(class, address, label)
	-- In the IDE the page is in a frame; the site must not appear inside it.
	return ('<a%s href="%s" target="_top">%s</a>'):format(class, escape(address), escape(label))
end

local function site_link(label)
	return link(' class="button"', options.siteUrl .. "/", label) .. "\n"
end

-- A link for somebody who is not known yet: to the site, which asks who they are, and back to this page.
function module.sign_in_link(label)
	local to = ngx.req.get_method() == "GET" and ngx.var.request_uri or "/"
	return "<p>" .. link("", "/_repldock/sign-in?to=" .. ngx.escape_uri(to), label) .. "</p>\n"
end

local function port_links(route)
	if #route.ports == 0 then
		return "<p>No port is open at the moment.</p>\n"
	end
	local links = {}
	for index, port in ipairs(route.ports) do
		links[index] = ('<a href="%s">%d</a>'):format(escape(ports.address(route, port.external)), port.external)
	end
	return "<p>These ports are open:</p>\n<nav>" .. table.concat(links) .. "</nav>\n"
end

local function html_body(problem, title, text, route, extra)
	local more = extra.more or ""
	-- Only what a reload may repeat: a form that was sent is not sent again behind the visitor's back.
	local reloads = problem.reloads and ngx.req.get_method() == "GET"
	if problem.shows_ports and route then
		more = port_links(route)
	end
	if problem.action then
		more = more .. site_link(problem.action)
	end
	return fill({
		title = escape(title),
		text = escape(text) .. (reloads and " This page tries again by itself." or ""),
		host = escape(ngx.var.http_host or ""),
		status = tostring(problem.status),
		more = more,
		refresh = reloads and '<meta http-equiv="refresh" content="2">\n' or "",
	})
end

local function json_body(problem, text, route, extra)
	local body = { code = problem.code, status = problem.status, detail = text }
	for name, value in pairs(extra.fields or {}) do
		body[name] = value
	end
	if problem.shows_ports and route and #route.ports > 0 then
		body.ports = {}
		for index, port in ipairs(route.ports) do
			body.ports[index] = port.external
		end
	end
	return cjson.encode(body)
end

-- `512 MB`, as people write it.
local function size(bytes)
	for _, unit in ipairs({ "bytes", "kB", "MB", "GB" }) do
		if bytes < 1024 or unit == "GB" then
			return ("%.4g %s"):format(bytes, unit)
		end
		bytes = bytes / 1024
	end
end

-- Ends the request with the problem of this name; `route` and `port` add what is known of the app. `extra` may have
-- `text` instead of the problem's own, `more` (HTML below it), `fields` (further ones of the JSON) and `is_json`.
function module.send(name, route, port, extra)
	local problem = problems[name]
	extra = extra or {}
	local shown = name == "too_large" and size(options.appBodyBytes) or tostring(port or route and route.mainPort or "")
	local text, title = problem.text:gsub("%%s", shown), problem.title:gsub("%%s", shown)
	text = extra.text or text
	local accepted = ngx.var.http_accept
	local is_json = extra.is_json
		or accept.prefers_json(accepted)
		or (problem.for_programs and not accept.names_html(accepted))
	local body = is_json and json_body(problem, text, route, extra) or html_body(problem, title, text, route, extra)

	ngx.req.discard_body()
	ngx.status = problem.status
	local header = ngx.header
	header["Content-Type"] = is_json and "application/problem+json" or "text/html; charset=utf-8"
	header["Content-Length"] = #body
	header["Cache-Control"] = "no-store"
	header["Vary"] = "Accept"
	header["X-Content-Type-Options"] = "nosniff"
	header["Referrer-Policy"] = "no-referrer"
	header["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
	if problem.retry then
		header["Retry-After"] = problem.retry
	end
	if problem.challenge then
		header["WWW-Authenticate"] = problem.challenge
	end
	ngx.print(body)
	return ngx.exit(ngx.HTTP_OK)
end

return module
