-- Who may visit a private project: the agent says, and is asked at most every 30 s for one cookie.
local agent = require("repldock.agent")

local verdicts = ngx.shared.edge_access

local module = {}

-- The second name is the fallback for plain-http hosts, where browsers refuse cookies marked `Secure`.
module.cookie = "repldock_access"
module.lax_cookie = "repldock_access_lax"

local allowed_seconds, refused_seconds = 30, 2
-- A neighbour under the apps domain may plant a cookie of our name here by script, so more than one is looked at.
local most_tokens = 4

-- Whether the text can be a token at all, and so may be written into a header.
function module.is_token(text)
	return type(text) == "string" and #text > 0 and #text <= 4096 and not text:find("[^%w._~-]")
end

-- The tokens in a Cookie header, and the header without them (nil when nothing else was in it).
local function split_cookies(header)
	local tokens, others = {}, {}
	for part in header:gmatch("[^;]+") do
		local pair = part:match("^%s*(.-)%s*$")
		local name, value = pair:match("^([^=]-)%s*=%s*(.*)$")
		if name == module.cookie or name == module.lax_cookie then
			if module.is_token(value) and #tokens < most_tokens then
				tokens[#tokens + 1] = value
			end
		elseif pair ~= "" then
			others[#others + 1] = pair
		end
	end
	return tokens, #others > 0 and table.concat(others, "; ") or nil
end

-- Takes our cookies out of the request, so that the app never sees them, and returns their tokens.
function module.take_tokens()
	local header = ngx.var.http_cookie
	if not header or not header:find(module.cookie, 1, true) then
		return {}
	end
	local tokens, others = split_cookies(header)
	ngx.req.clear_header("Cookie")
	if others then
		ngx.req.set_header("Cookie", others)
	end
	return tokens
end

-- Asks the agent (`authorize` or `enter`). Returns "allowed", with the agent's own token if it answered with one,
-- "refused" or "unavailable".
function module.ask(question, project_id, token)
	local status, answer = agent.get("/edge/" .. question, {
		"X-Repldock-Project: " .. project_id,
		"X-Repldock-Access: " .. token,
	})
	if status == 204 then
		return "allowed", answer["x-repldock-access"]
	end
	if status == 401 or status == 403 then
		return "refused"
	end
	ngx.log(ngx.CRIT, "the agent answered ", status or answer, " when asked to ", question)
	return "unavailable"
end

local function verdict_for(project_id, token)
	local key = project_id .. ngx.sha1_bin(token)
	local known = verdicts:get(key)
	if known ~= nil then
		return known and "allowed" or "refused"
	end
	local verdict = module.ask("authorize", project_id, token)
	if verdict == "allowed" then
		verdicts:set(key, true, allowed_seconds)
	elseif verdict == "refused" then
		verdicts:set(key, false, refused_seconds)
	end
	return verdict
end

-- "allowed" when one of the tokens opens the project; "unavailable" when the agent could not say.
function module.check(project_id, tokens)
	local result = "refused"
	for _, token in ipairs(tokens) do
		local verdict = verdict_for(project_id, token)
		if verdict == "allowed" then
			return verdict
		end
		if verdict == "unavailable" then
			result = verdict
		end
	end
	return result
end

return module
