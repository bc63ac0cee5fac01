import type { ExportReady, ImportDone, ImportTarget, VersionId } from "@repldock/protocol";
import type { AccessKeeper } from "../connection/access.ts";
import { type NodeClient, sendWithProgress } from "../connection/node-client.ts";
import { ProblemError, problemOfResponse } from "../connection/problem.ts";

/** `version`: instead of the files as they are now. */
export type ExportChoice = { format: "zip" | "tar.zst"; dependencies: boolean; version?: VersionId };

/** Archives of one project, in and out; every failure is a `ProblemError` or the `TypeError` of a failed network. */
export type Transfers = {
	/** Makes the node pack the project, and the browser save what it sends. */
	save(choice: ExportChoice): Promise<ExportReady>;
	/** @param onProgress Bytes sent so far; the node may go on unpacking after the last one. */
	upload(
		archive: Blob,
		target: ImportTarget,
		options: { onProgress: (sentBytes: number) => void; signal: AbortSignal },
	): Promise<ImportDone>;
	/** Unpacks an archive of the project into a folder beside it. */
	unpack(path: string): Promise<ImportDone>;
	clone(
		from: { url: string; history: "latest" | "full" },
		target: ImportTarget,
		signal: AbortSignal,
	): Promise<ImportDone>;
};

export function createTransfers(access: AccessKeeper, node: NodeClient): Transfers {
	async function send<Answer>(path: string, body: unknown, signal?: AbortSignal): Promise<Answer> {
		const response = await node.request(path, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify(body),
			signal: signal ?? null,
		});
		return (await response.json()) as Answer;
	}

	return {
		async save(choice) {
			const ready = await send<ExportReady>("/export", choice);
			const { gatewayUrl } = await access.get();
			// An answer that is to be saved leaves the page where it is.
			location.assign(gatewayUrl + ready.path);
			return ready;
		},
		async upload(archive, target, options) {
			const { projectUrl, token } = await access.get();
			const url = `${projectUrl}/import?${new URLSearchParams(target)}`;
			const response = await sendWithProgress("POST", url, { ...options, token, content: archive });
			if (response.status === 401) access.refused(token);
			if (!response.ok) throw new ProblemError(await problemOfResponse(response));
			return (await response.json()) as ImportDone;
		},
		unpack: (path) => send("/import/unpack", { path }),
		clone: (from, target, signal) => send("/import/git", { ...from, target }, signal),
	};
}

/** What an archive is called without its ending. */
export function archiveName(fileName: string): string {
	return fileName.replace(/(?:\.tar)?\.(?:zip|tar|tgz|gz|zst|bundle)$/i, "") || "archive";
}

export function isArchive(fileName: string): boolean {
	return /\.(?:zip|tar|tgz|tar\.gz|zst|bundle)$/i.test(fileName);
}

/** For file pickers. */
export const archiveTypes = ".zip,.tar,.tgz,.gz,.zst,.bundle";
