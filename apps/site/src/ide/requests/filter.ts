import type { AppRequest } from "@repldock/protocol";

/** Which requests are shown: a class of status (`4`), those of the edge itself, or all. */
export type StatusChoice = "all" | "2" | "3" | "4" | "5";

export const statusChoices: readonly { value: StatusChoice; label: string }[] = [
	{ value: "all", label: "All statuses" },
	{ value: "2", label: "2xx success" },
	{ value: "3", label: "3xx redirect" },
	{ value: "4", label: "4xx client error" },
	{ value: "5", label: "5xx server error" },
];

/** Whether the request has all the words that were typed, in its method, path, status, address or user agent. */
export function matchesFilter(request: AppRequest, typed: string, status: StatusChoice): boolean {
	if (status !== "all" && String(request.status)[0] !== status) return false;
	const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
	if (words.length === 0) return true;
	const { method, path, host, address, userAgent } = request;
	const text = `${method} ${path} ${request.status} ${host} ${address ?? ""} ${userAgent ?? ""}`.toLowerCase();
	return words.every((word) => text.includes(word));
}
