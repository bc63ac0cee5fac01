import { documentMaxBytes } from "@repldock/protocol/constants";
import { ProblemError } from "../connection/problem.ts";
import { type PreviewType, previewOf } from "../editor/previews.ts";

/** What is known of a file at one time. */
export type FileContent =
	| { kind: "text"; text: string }
	| { kind: "media"; type: PreviewType; blob: Blob }
	| { kind: "binary" }
	/** More than the page shows. */
	| { kind: "large" }
	/** There was no such file. */
	| { kind: "absent" };

/** Larger pictures, sounds and films are only offered for download. */
export const mediaMostBytes = 30 * 1024 * 1024;

/**
 * Reads a file as the page can show it; no more bytes than that are taken.
 * @throws ProblemError for all but an absent file, or the network's TypeError.
 */
export async function readContent(
	open: (init: RequestInit) => Promise<Response>,
	path: string,
	signal: AbortSignal,
): Promise<FileContent> {
	const type = previewOf(path);
	let response: Response;
	try {
		response = await open({ signal });
	} catch (error) {
		if (error instanceof ProblemError && error.problem.code === "file_not_found") return { kind: "absent" };
		throw error;
	}
	const bytes = await readAtMost(response, type ? mediaMostBytes : documentMaxBytes);
	if (bytes === null) return { kind: "large" };
	if (type) return { kind: "media", type, blob: new Blob([bytes], { type: type.mime }) };
	if (bytes.includes(0)) return { kind: "binary" };
	return { kind: "text", text: new TextDecoder().decode(bytes) };
}

/** The whole body; null when it is larger. */
async function readAtMost(response: Response, mostBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
	const reader = response.body?.getReader();
	if (!reader) return new Uint8Array();
	if (Number(response.headers.get("content-length")) > mostBytes) {
		await reader.cancel();
		return null;
	}
	const parts: Uint8Array[] = [];
	let length = 0;
	for (let read = await reader.read(); !read.done; read = await reader.read()) {
		length += read.value.length;
		if (length > mostBytes) {
			await reader.cancel();
			return null;
		}
		parts.push(read.value);
	}
	const bytes = new Uint8Array(length);
	let at = 0;
	for (const part of parts) {
		bytes.set(part, at);
		at += part.length;
	}
	return bytes;
}

/** How two texts differ, as far as lines can show it. */
export function compareTexts(then: string, now: string): "same" | "line-ends" | "different" {
	if (then === now) return "same";
	const lines = (text: string) => text.replace(/\r\n?/g, "\n");
	return lines(then) === lines(now) ? "line-ends" : "different";
}
