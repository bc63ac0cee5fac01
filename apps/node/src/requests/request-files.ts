import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppRequest, ProjectId } from "@repldock/protocol";
import { createQueues } from "../placements/queues.ts";

/** Two files a project, the newer of which is written: with these bounds a project never takes more than 1 MiB. */
export const fileMostBytes = 512 * 1024;
/** Files that nothing was added to for this long are removed. */
const keptForMs = 30 * 24 * 60 * 60 * 1000;

/** Visitors' requests on disk, as JSON lines, so that the last ones survive a restart of the agent. */
export interface RequestFiles {
	/** Adds lines; the file that became too large is put aside for the next to begin. */
	append(projectId: string, requests: readonly AppRequest[]): Promise<void>;
	/** The last ones, oldest first. Lines that a crash cut short are left out. */
	readLast(projectId: string, most: number): Promise<AppRequest[]>;
	/** Takes the addresses that were kept long enough out of all files, and removes files that are past their time. */
	expire(): Promise<void>;
	remove(projectId: string): Promise<void>;
}

export function createRequestFiles(options: {
	directory: string;
	addressesForMs: number;
	now: () => number;
}): RequestFiles {
	const { directory, addressesForMs, now } = options;
	/** Rewriting and adding must not meet. */
	const queues = createQueues();

	const newer = (projectId: string) => join(directory, `${projectId}.jsonl`);
	const older = (projectId: string) => join(directory, `${projectId}.old.jsonl`);

	async function expireFile(path: string): Promise<void> {
		const found = await stat(path).catch(absent);
		if (!found) return;
		if (now() - found.mtimeMs > keptForMs) return rm(path, { force: true });
		const before = await readLines(path);
		const after = before.map((request) => withoutOldAddress(request, now(), addressesForMs));
		if (after.every((request, index) => request === before[index])) return;
		await replaceFile(path, toLines(after));
	}

	return {
		append(projectId, requests) {
			return queues.run(projectId, async () => {
				await mkdir(directory, { recursive: true, mode: 0o700 });
				await appendFile(newer(projectId), toLines(requests), { mode: 0o600 });
				const { size } = await stat(newer(projectId));
				if (size > fileMostBytes) {
					await rename(newer(projectId), older(projectId));
					await expireFile(older(projectId));
				}
			});
		},

		readLast(projectId, most) {
			return queues.run(projectId, async () => {
				const requests = await readLines(newer(projectId));
				if (requests.length < most) requests.unshift(...(await readLines(older(projectId))));
				// A WebSocket is written when it ends, under the number of its beginning.
				return requests.sort((one, other) => one.id - other.id).slice(-most);
			});
		},

		async expire() {
			for (const projectId of await projectsIn(directory)) {
				await queues.run(projectId, async () => {
					await expireFile(newer(projectId));
					await expireFile(older(projectId));
				});
			}
		},

		remove(projectId) {
			return queues.run(projectId, async () => {
				await rm(newer(projectId), { force: true });
				await rm(older(projectId), { force: true });
			});
		},
	};
}

/** The request as it may still be shown: without its address once that was kept for the time. */
export function withoutOldAddress(request: AppRequest, nowMs: number, addressesForMs: number): AppRequest {
	if (request.address === null || nowMs - request.atMs < addressesForMs) return request;
	return { ...request, address: null };
}

async function projectsIn(directory: string): Promise<Set<string>> {
	const names = await readdir(directory).catch(absent);
	const ids = (names ?? []).map((name) => ProjectId.safeParse(name.split(".")[0]).data);
	return new Set(ids.filter((id) => id !== undefined));
}

async function readLines(path: string): Promise<AppRequest[]> {
	const text = (await readFile(path, "utf8").catch(absent)) ?? "";
	return text.split("\n").flatMap((line) => {
		try {
			return line === "" ? [] : AppRequest.parse(JSON.parse(line));
		} catch {
			// A crash in the midst of writing leaves half a line; the others are as good as before.
			return [];
		}
	});
}

/** Replaces the file whole, so that a crash leaves the old or the new lines. */
async function replaceFile(path: string, text: string): Promise<void> {
	await writeFile(`${path}.new`, text, { mode: 0o600 });
	await rename(`${path}.new`, path);
}

function toLines(requests: readonly AppRequest[]): string {
	return requests.map((request) => `${JSON.stringify(request)}\n`).join("");
}

function absent(error: NodeJS.ErrnoException): undefined {
	if (error.code === "ENOENT") return undefined;
	throw error;
}
