import type { ErrorCode, Problem } from "@repldock/protocol";

/** Headlines for what can go wrong at Run; the problem's own sentence says what to do. */
const headlines: Partial<Record<ErrorCode, string>> = {
	nothing_to_run: "There is nothing to run yet",
	invalid_project_file: "The .replit file has a mistake",
	already_running: "It is running already",
	container_failed: "The container could not start",
	not_found: "Nothing is moored here",
	no_node: "No server is free right now",
	node_unreachable: "The server cannot be reached",
	not_placed_here: "The project is moving to another server",
	disk_full: "The server's disk is full",
	quota_exceeded: "The project's disk is full",
	not_allowed: "You may look, but not run",
	too_many_requests: "That was a bit fast",
	sign_in_required: "You are signed out",
	invalid_ticket: "Your session ended",
};

export function headlineOf(problem: Problem): string {
	return headlines[problem.code] ?? "That did not work";
}
