-- Answers for ACME's HTTP-01 challenge: the tokens that the agent has published at this moment, and no others.
local entries = ngx.shared.edge_challenges
local state = ngx.shared.edge_state

local module = {}

local function is_text(value)
	return type(value) == "string" and #value <= 512 and value:find("^[%w._-]+$") ~= nil
end

-- Replaces all of them. Returns true, or nil and a sentence.
function module.replace(revision, list)
	if type(list) ~= "table" then
		return nil, "the list of challenges is missing"
	end
	for _, challenge in ipairs(list) do
		if type(challenge) ~= "table" or not is_text(challenge.token) or not is_text(challenge.answer) then
			return nil, "a challenge without a valid token and answer"
		end
	end
	entries:flush_all()
	for _, challenge in ipairs(list) do
		local stored, problem = entries:safe_set(challenge.token, challenge.answer)
		if not stored then
			return nil, "the edge's memory for challenges is full (" .. problem .. ")"
		end
	end
	state:set("challenges_revision", revision)
	state:set("challenges_count", #list)
	return true
end

function module.revision()
	return state:get("challenges_revision")
end

function module.count()
	return state:get("challenges_count") or 0
end

-- Ends the request with the answer if it asks for a published token; any other path of this kind is the app's own.
function module.answer()
	if module.count() == 0 then
		return
	end
	local token = ngx.var.uri:match("^/%.well%-known/acme%-challenge/([%w_-]+)$")
	local answer = token and entries:get(token)
	if not answer then
		return
	end
	ngx.header["Content-Type"] = "application/octet-stream"
	ngx.header["Content-Length"] = #answer
	ngx.header["Cache-Control"] = "no-store"
	ngx.print(answer)
	return ngx.exit(ngx.HTTP_OK)
end

return module
