-- Work that may wait a moment, so that it is done once for many requests: shared memory is dear when each goes there.
local module = {}

local wait_seconds = 0.05
local jobs, is_due = {}, false

-- NGINX also calls it when the worker ends.
local function run()
	local due = jobs
	jobs, is_due = {}, false
	for job in pairs(due) do
		local done, problem = pcall(job)
		if not done then
			ngx.log(ngx.CRIT, "what was put off failed: ", problem)
		end
	end
end

-- Calls the function within `wait_seconds`, once however often it was asked for.
function module.soon(job)
	jobs[job] = true
	if is_due then
		return
	end
	is_due = true
	if not ngx.timer.at(wait_seconds, run) then
		run()
	end
end

return module
