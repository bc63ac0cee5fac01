-- Visits of sleeping projects: held while the agent wakes the project, which it does once for all of them.
local agent = require("repldock.agent")
local cjson = require("cjson.safe")
local client = require("repldock.client")
local crawlers = require("repldock.crawlers")
local pages = require("repldock.pages")
local request = require("repldock.request")
local routes = require("repldock.routes")
local visitors = require("repldock.visitors")

local module = {}

-- A held request takes connections of its worker, so there may be no more than this many at a time, of one project and
-- in all; what is beyond is told to come back.
local most_of_project, most_in_all = 128, 1024
local held, held_in_all = {}, 0

-- The agent answers within its REPLDOCK_WAKE_TIMEOUT, which is 10 minutes at most.
local wake_ms = 11 * 60 * 1000

-- The agent's HTTP parser takes 16 KiB of headers; a visitor has one token that counts, or a few planted ones.
local tokens_most_bytes = 8192

local function take_place(project_id)
	local count = held[project_id] or 0
	if count >= most_of_project or held_in_all >= most_in_all then
		return false
	end
	held[project_id], held_in_all = count + 1, held_in_all + 1
	request.current().waiting_project = project_id
	return true
end

-- Gives the place back. Called again when the request is logged, for a client that went away while it was held.
function module.release(record)
	local project_id = record.waiting_project
	if not project_id then
		return
	end
	record.waiting_project = nil
	local count = held[project_id] - 1
	held[project_id], held_in_all = count > 0 and count or nil, held_in_all - 1
end

-- Programs get a problem document also when they take anything; what asks for HTML gets a page.
local function takes_pages()
	return (ngx.var.http_accept or ""):lower():find("text/html", 1, true) ~= nil
end

-- Whether a person looks at a browser's window and waits: they get a page meanwhile, programs are held on.
local function is_page_visit()
	local var = ngx.var
	local mode = var.http_sec_fetch_mode
	return ngx.req.get_method() == "GET"
		and not var.http_upgrade
		and (mode == nil or mode == "navigate")
		and takes_pages()
end

local function joined(tokens)
	local text = ""
	for _, token in ipairs(tokens) do
		if #text + #token < tokens_most_bytes then
			text = text == "" and token or text .. "," .. token
		end
	end
	return text
end

local function failure_page(body)
	local failure = cjson.decode(body or "")
	if type(failure) ~= "table" or type(failure.detail) ~= "string" or type(failure.lines) ~= "table" then
		return "node_unavailable"
	end
	local more = ""
	if not visitors.is_known() then
		-- The agent tells only the owner what the program said; whoever is not known may be that.
		more = pages.sign_in_link("I am the owner: show its output")
	end
	if #failure.lines > 0 then
		more = '<pre role="region" aria-label="Last output" tabindex="0">' .. pages.escape(table.concat(failure.lines, "\n")) .. "</pre>\n"
	end
	local fields = { lines = #failure.lines > 0 and failure.lines or nil }
	if failure.exitCode ~= cjson.null then
		fields.exitCode = failure.exitCode
	end
	local page = failure.code == "limit_reached" and "over_limit" or failure.code == "no_node" and "full" or "not_woken"
	return page, { text = failure.detail, more = more, fields = fields }
end

-- Asks the agent once. Returns nothing when the project is awake, else the page to show and what it says.
local function ask(route, port, tokens, is_page)
	local headers = {
		"X-Repldock-Project: " .. route.projectId,
		"X-Repldock-Visitor: " .. (is_page and "page" or "program"),
	}
	local access = joined(tokens)
	if access ~= "" then
		headers[#headers + 1] = "X-Repldock-Access: " .. access
	end
	if port then
		headers[#headers + 1] = "X-Repldock-Port: " .. port
	end
	local status, problem, body = agent.get("/edge/wake", headers, wake_ms)
	if status == 204 then
		return nil
	end
	if status == 202 then
		return "waking"
	end
	if status == 409 then
		return failure_page(body)
	end
	ngx.log(ngx.CRIT, "the agent answered ", status or problem, " when asked to wake a project")
	return "node_unavailable"
end

local function wait_until_awake(route, port, tokens)
	local is_page = is_page_visit()
	-- It may fall asleep again in the moment in which it woke, but hardly twice.
	for _ = 1, 3 do
		local page, extra = ask(route, port, tokens, is_page)
		if page then
			return page, extra
		end
		local current = routes.find(route.slug)
		if not current or not current.wakes or current.address then
			return nil
		end
	end
	return "waking"
end

local function hold(route, port, tokens)
	if crawlers.is_one(ngx.var.http_user_agent) then
		return "asleep"
	end
	if client.is_gone() then
		-- As NGINX logs clients that hang up.
		return ngx.exit(499)
	end
	if not take_place(route.projectId) then
		return "crowded"
	end
	local page, extra = wait_until_awake(route, port, tokens)
	module.release(request.current())
	return page, extra
end

-- Holds the request until the project is awake. Returns nothing then, else the page to show and what it says; the route
-- is another one afterwards.
function module.hold(route, port, tokens)
	local page, extra = hold(route, port, tokens)
	if page then
		extra = extra or {}
		extra.is_json = not takes_pages()
	end
	return page, extra
end

return module
