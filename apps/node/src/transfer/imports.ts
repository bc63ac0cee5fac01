import { Readable } from "node:stream";
import { type ImportDone, type ImportGit, type ImportTarget, RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { z } from "zod";
import type { Staging } from "../host-files.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Workspaces } from "../workspace/workspaces.ts";
import { createByteReader } from "./byte-reader.ts";
import { cloneBundle, cloneUrl, type RunInContainer, readGitUrl } from "./git.ts";
import type { Turns } from "./turns.ts";
import { readKind, unpack } from "./unpack.ts";

export interface ImportsOptions {
	workspaces: Workspaces;
	stage(projectId: string): Promise<Staging>;
	run: RunInContainer;
	/** A directory of the agent's own, for what has to be whole before it can be read. */
	spoolDirectory: string;
	/** Shared with what else replaces a project's files. */
	turns: Turns;
	log: Logger;
}

/**
 * Files that come into a project together, whole or not at all. One import of a project at a time.
 *
 * All throw RepldockError: `invalid_archive`, `file_too_large`, `quota_exceeded`, `too_many_requests`, what the target
 * may have against it (`file_not_found`, `already_exists`), and with git what starting a container throws.
 */
export interface Imports {
	/** A zip, tar, tar.gz, tar.zst or git bundle, by what it holds. */
	archive(projectId: string, content: Readable, target: ImportTarget): Promise<ImportDone>;
	/** A file of the project that is one of these, into a folder beside it. */
	unpack(projectId: string, path: string): Promise<ImportDone>;
	git(
		projectId: string,
		from: Pick<z.output<typeof ImportGit>, "url" | "history">,
		target: ImportTarget,
	): Promise<ImportDone>;
}

export function createImports({ workspaces, stage, run, spoolDirectory, turns, log }: ImportsOptions): Imports {
	/** Fills a staging folder and shows it; removes it whatever happens. */
	async function bringIn(
		projectId: string,
		target: ImportTarget,
		fill: (staging: Staging, workspace: Workspace) => Promise<number | null>,
	): Promise<ImportDone> {
		const name = target.into === "folder" ? folderName(target.name) : "";
		return turns.take(projectId, async () => {
			const startedAtMs = performance.now();
			const workspace = await workspaces.open(projectId);
			const staging = await stage(projectId);
			try {
				const entries = await fill(staging, workspace);
				const path = target.into === "folder" ? await staging.publish(target.folder, name) : "";
				if (target.into === "project") await staging.replaceAll("wrapped");
				log.info({ projectId, entries, tookMs: performance.now() - startedAtMs }, "files imported");
				return { path, entries };
			} finally {
				await staging.discard();
				workspace.filesWritten(true);
			}
		});
	}

	async function fromArchive(
		projectId: string,
		content: AsyncIterable<Buffer>,
		staging: Staging,
		workspace: Workspace,
		asProject: boolean,
	): Promise<number | null> {
		const mostBytes = workspace.state().disk.limitBytes;
		const bytes = createByteReader(bounded(content, mostBytes));
		const kind = await readKind(bytes);
		if (kind !== "bundle") return unpack(kind, bytes, { staging, mostBytes, spoolDirectory, asProject });
		const bundle = `${staging.path}/bundle`;
		await workspace.files.receive(bundle, Readable.from(bytes.rest(), { objectMode: false }), { overwrite: false });
		await cloneBundle(run, projectId, bundle, `${staging.path}/new`);
		return null;
	}

	return {
		async archive(projectId, content, target) {
			try {
				return await bringIn(projectId, target, (staging, workspace) =>
					fromArchive(projectId, content, staging, workspace, target.into === "project"),
				);
			} finally {
				content.destroy();
			}
		},

		async unpack(projectId, path) {
			const { files } = await workspaces.open(projectId);
			const slash = path.lastIndexOf("/");
			const target = {
				into: "folder",
				folder: path.slice(0, Math.max(0, slash)),
				name: archiveName(path.slice(slash + 1)),
			} as const;
			return bringIn(projectId, target, async (staging, workspace) => {
				const file = await files.openFile(path);
				if (file.entry.size === 0) {
					await file.close();
					throw new RepldockError("invalid_archive", "This file is empty.");
				}
				const content = file.createReadStream({ start: 0, end: file.entry.size - 1 });
				try {
					return await fromArchive(projectId, content, staging, workspace, false);
				} finally {
					content.destroy();
				}
			});
		},

		git(projectId, from, target) {
			// Before a container is started for it.
			readGitUrl(from.url);
			return bringIn(projectId, target, async (staging) => {
				await cloneUrl(run, projectId, from, `${staging.path}/new`);
				return null;
			});
		},
	};
}

/** A name that a folder can have, made of what it is to be called. */
function folderName(wanted: string): string {
	const name = wanted.replaceAll(/[/\0]/g, "-").slice(0, 60);
	return name === "." || name === ".." || name.startsWith(".repldock-") ? "import" : name;
}

function archiveName(fileName: string): string {
	return fileName.replace(/(?:\.tar)?\.(?:zip|tar|tgz|gz|zst|bundle)$/i, "") || "archive";
}

async function* bounded(content: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<Buffer> {
	let total = 0;
	for await (const chunk of content) {
		total += chunk.length;
		if (total > mostBytes) throw new RepldockError("file_too_large", "This archive is larger than the project's disk.");
		yield chunk;
	}
}
