import { Readable } from "node:stream";
import type { FileEntry } from "@repldock/protocol";
import type { Context } from "hono";
import type { OpenFile } from "../host-files.ts";
import { parseRange } from "./byte-range.ts";
import { downloadHeaders } from "./content-type.ts";
import type { GatewayEnvironment } from "./context.ts";
import { toResponse } from "./problems.ts";

/**
 * A file as an answer, or a range of it. Closes it.
 * @param onDone called once nothing more of it is read.
 */
export async function sendFile(
	context: Context<GatewayEnvironment>,
	file: OpenFile,
	asDownload: boolean,
	onDone: () => void = () => undefined,
): Promise<Response> {
	const { entry } = file;
	const tag = entityTag(entry);
	const headers: Record<string, string> = {
		...downloadHeaders(entry.name, asDownload),
		"Accept-Ranges": "bytes",
		ETag: tag,
		"Last-Modified": new Date(entry.modifiedAtMs).toUTCString(),
	};
	const condition = context.req.header("If-Range");
	const wanted = condition !== undefined && condition !== tag ? undefined : context.req.header("Range");
	const range = parseRange(wanted, entry.size);
	if (range === "unsatisfiable") {
		await file.close();
		onDone();
		return toResponse(
			{ code: "invalid_input", status: 416, detail: "The file has no such bytes." },
			{ "Content-Range": `bytes */${entry.size}` },
		);
	}
	if (range) headers["Content-Range"] = `bytes ${range.start}-${range.end}/${entry.size}`;
	headers["Content-Length"] = String(range ? range.end - range.start + 1 : entry.size);
	const status = range ? 206 : 200;
	if (context.req.method === "HEAD" || entry.size === 0) {
		await file.close();
		onDone();
		return new Response(null, { status, headers });
	}
	// Never more than was announced, should the file grow meanwhile.
	const stream = file.createReadStream(range ?? { start: 0, end: entry.size - 1 });
	stream.once("close", onDone);
	return new Response(Readable.toWeb(stream) as unknown as ReadableStream, { status, headers });
}

function entityTag(entry: FileEntry): string {
	return `"${entry.size.toString(36)}-${Math.round(entry.modifiedAtMs * 1000).toString(36)}"`;
}
