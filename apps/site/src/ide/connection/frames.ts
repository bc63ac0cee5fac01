import type { PtyEvent, WorkspaceEvent } from "@repldock/protocol";
import { readProblem } from "./problem.ts";

/**
 * Reads text frames of the node. The schemas of `@repldock/protocol` are too heavy for the first download, so frames are
 * checked by hand as far as the page relies on them. Null means: not a frame this page knows (an older page, a newer
 * node), to be left out.
 */
export function readWorkspaceEvent(text: string): WorkspaceEvent | null {
	const frame = parseObject(text);
	if (!frame) return null;
	switch (frame.type) {
		case "state": {
			const state = frame.state as Record<string, unknown> | undefined;
			const lists = [state?.ptys, state?.ports, state?.hidden, state?.people];
			if (!lists.every(Array.isArray) || typeof state?.container !== "string") return null;
			return frame as WorkspaceEvent;
		}
		case "filesChanged":
			return Array.isArray(frame.directories) ? (frame as WorkspaceEvent) : null;
		case "documentOpened": {
			const whole = typeof frame.path === "string" && typeof frame.epoch === "string" && isNumber(frame.document);
			return whole ? (frame as WorkspaceEvent) : null;
		}
		case "documentRefused":
			return typeof frame.path === "string" && readProblem(frame.problem) ? (frame as WorkspaceEvent) : null;
		case "documentSaved":
			return isNumber(frame.document) && typeof frame.stateVector === "string" ? (frame as WorkspaceEvent) : null;
		case "documentNotSaved":
			return isNumber(frame.document) && readProblem(frame.problem) ? (frame as WorkspaceEvent) : null;
		case "documentMoved":
			return isNumber(frame.document) && (frame.path === null || typeof frame.path === "string")
				? (frame as WorkspaceEvent)
				: null;
		case "requests":
			return Array.isArray(frame.requests) && isNumber(frame.more) ? (frame as WorkspaceEvent) : null;
		case "traffic": {
			const figures = [frame.floorBitsPerSecond, frame.ceilingBitsPerSecond];
			return Array.isArray(frame.samples) && figures.every(isNumber) ? (frame as WorkspaceEvent) : null;
		}
		case "pong":
			return isNumber(frame.at) ? (frame as WorkspaceEvent) : null;
		default:
			return null;
	}
}

/** The same for the text frames of a PTY socket. */
export function readPtyEvent(text: string): PtyEvent | null {
	const frame = parseObject(text);
	if (!frame) return null;
	switch (frame.type) {
		case "attached":
			return isNumber(frame.offset) && isPtyState(frame.state) ? (frame as PtyEvent) : null;
		case "state":
			return isPtyState(frame.state) ? (frame as PtyEvent) : null;
		case "resized": {
			const size = frame.size as Record<string, unknown> | undefined;
			return isNumber(size?.columns) && isNumber(size?.rows) ? (frame as PtyEvent) : null;
		}
		case "skipped":
			return isNumber(frame.offset) ? (frame as PtyEvent) : null;
		case "closed":
			return frame as PtyEvent;
		default:
			return null;
	}
}

function isPtyState(value: unknown): boolean {
	const state = value as Record<string, unknown> | undefined;
	return typeof state?.ptyId === "string" && typeof state.running === "boolean";
}

function isNumber(value: unknown): value is number {
	return typeof value === "number" && Number.isFinite(value);
}

function parseObject(text: string): Record<string, unknown> | null {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return null; // Not JSON: not a frame we know; see above.
	}
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
}
