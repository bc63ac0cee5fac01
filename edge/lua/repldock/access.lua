-- Who visits, and who may visit a private project: the agent says, and is asked at most every 30 s for one cookie or
-- token. A visitor is a table of `id`, `name` and `roles`, spelled as headers carry them.
local agent = require("repldock.agent")
local cjson = require("cjson.safe")
local bearer = require("repldock.bearer")
local visitors = require("repldock.visitors")

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
		elseif name ~= visitors.state_cookie and pair ~= "" then
			others[#others + 1] = pair
		end
	end
	return tokens, #others > 0 and table.concat(others, "; ") or nil
end

-- Takes our cookies out of the request, so that the app never sees them, and returns their tokens.
function module.take_tokens()
	local header = ngx.var.http_cookie
	if not header or not header:find("repldock_", 1, true) then
		return {}
	end
	visitors.remember_states()
	local tokens, others = split_cookies(header)
	ngx.req.clear_header("Cookie")
	if others then
		ngx.req.set_header("Cookie", others)
	end
	return tokens
end

-- Asks the agent (`authorize`, `enter`, `visit` or `bearer`); `state` is the browser's, for `visit` alone. Returns
-- "allowed", with the visitor and the agent's own token if it answered with one, "refused", "limited" or "unavailable".
function module.ask(question, project_id, token, state)
	local status, headers = agent.get("/edge/" .. question, {
		"X-Repldock-Project: " .. project_id,
		"X-Repldock-Access: " .. token,
		"X-Repldock-Host: " .. (ngx.var.http_host or ""),
		"X-Repldock-Visitor: " .. ngx.var.visitor_address,
		state and "X-Repldock-State: " .. state,
	})
	if status == 204 then
		local visitor = {
			id = headers["x-repldock-user-id"],
			name = headers["x-repldock-user-name"],
			roles = headers["x-repldock-user-roles"],
		}
		return "allowed", visitor, headers["x-repldock-access"]
	end
	if status == 401 or status == 403 then
		return "refused"
	end
	if status == 429 then
		return "limited"
	end
	ngx.log(ngx.CRIT, "the agent answered ", status or headers, " when asked to ", question)
	return "unavailable"
end

-- Remembered under project, kind and token together, and with the visitor that the verdict is about.
local function verdict_for(question, project_id, token)
	local key = project_id .. question .. ngx.sha1_bin(token)
	local known = verdicts:get(key)
	if known == false then
		return "refused"
	end
	if known then
		return "allowed", cjson.decode(known)
	end
	local verdict, visitor = module.ask(question, project_id, token)
	if verdict == "allowed" then
		verdicts:set(key, cjson.encode(visitor), allowed_seconds)
	elseif verdict == "refused" then
		verdicts:set(key, false, refused_seconds)
	end
	return verdict, visitor
end

-- "allowed", with the visitor, when one of the cookies' tokens opens the project; "unavailable" when the agent could
-- not say.
function module.check(project_id, tokens)
	local result = "refused"
	for _, token in ipairs(tokens) do
		local verdict, visitor = verdict_for("authorize", project_id, token)
		if verdict == "allowed" then
			return verdict, visitor
		end
		if verdict ~= "refused" then
			result = verdict
		end
	end
	return result
end

-- The same for what a request shows altogether: its cookies' tokens, else its personal token (nil for none).
function module.admit(project_id, tokens, personal_token)
	local verdict, visitor = module.check(project_id, tokens)
	if verdict == "allowed" or not personal_token or not bearer.is_token(personal_token) then
		return verdict, visitor
	end
	return verdict_for("bearer", project_id, personal_token)
end

return module
