import type { AppRequest } from "@repldock/protocol";

/** The badge's colour by the class of status. */
export function toneOf(status: number): "neutral" | "accent" | "positive" | "warning" | "danger" {
	if (status >= 500) return "danger";
	if (status >= 400) return "warning";
	if (status >= 300) return "accent";
	return status >= 200 ? "positive" : "neutral";
}

/** `340 B`, `1.2 kB`, `3.4 MB`. */
export function describeSize(bytes: number): string {
	if (bytes < 1000) return `${bytes} B`;
	const units = ["kB", "MB", "GB", "TB"];
	let size = bytes / 1000;
	let index = 0;
	while (size >= 1000 && index < units.length - 1) {
		size /= 1000;
		index += 1;
	}
	return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[index]}`;
}

/** `14:03:59` in this browser's time, with the day where it is another one. */
export function describeMoment(atMs: number, nowMs = Date.now()): string {
	const moment = new Date(atMs);
	const time = moment.toLocaleTimeString(undefined, {
		hour: "2-digit",
		minute: "2-digit",
		second: "2-digit",
		hour12: false,
	});
	const isToday = moment.toDateString() === new Date(nowMs).toDateString();
	return isToday ? time : `${moment.toLocaleDateString(undefined, { day: "numeric", month: "short" })} ${time}`;
}

/** Who answered, where the status alone would be misread. */
export function describeAnswer(request: AppRequest): string {
	if (request.open) return "The app, over a WebSocket that is still open";
	if (request.status === 101) return "The app, over a WebSocket";
	if (request.status === 499) return "Nobody: the visitor left before there was an answer";
	if (request.answeredBy === "app") return "The app";
	return request.status === 429 || request.status === 503
		? "Repldock, in the app's place: it was asleep, stopped or over a limit"
		: "Repldock, in the app's place";
}
