import { spawn } from "node:child_process";
import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CommandError, runCommand } from "@repldock/service";
import type { SentSnapshot, SnapshotName, Snapshots } from "../host.ts";
import { changeCounts, removeStaleCounters, snapshotSubvolume } from "./btrfs.ts";

const volumePattern = /^[0-9a-f-]{36}$/;
const snapshotPattern = /^\.checkpoints\/([0-9a-f-]{36})\/(\d+\.\d+)$/;
const pathsPerCommand = 500;
const countersWorthClearing = 200;

const namePattern = /^\d+\.\d+$/;

/** What a command says of its failure, at most. */
const stderrMostLength = 4_000;

/**
 * Snapshots of the volumes below `mountPoint`, each at `.checkpoints/<project>/<name>`. What is being received is there
 * too but not read-only yet; the caller knows which names are whole.
 * @param directoryName where they are: beside the volumes and on their file system; containers see their own volume alone.
 */
export function createSnapshots(mountPoint: string, directoryName = ".checkpoints"): Snapshots {
	let staleCounters = 0;

	const directory = (projectId: string) => {
		if (!volumePattern.test(projectId)) throw new Error(`${projectId} is no project id`);
		return join(mountPoint, directoryName, projectId);
	};
	const path = (projectId: string, name: string) => {
		if (!namePattern.test(name)) throw new Error(`${name} is no name of a snapshot`);
		return join(directory(projectId), name);
	};

	async function makeDirectory(projectId: string): Promise<string> {
		const place = directory(projectId);
		await mkdir(place, { recursive: true, mode: 0o700 });
		return place;
	}

	/** Older kernels keep the counter of a subvolume that is gone, so now and then they are cleared away. */
	async function clearCounters(removed: number): Promise<void> {
		staleCounters += removed;
		if (staleCounters < countersWorthClearing) return;
		staleCounters = 0;
		await removeStaleCounters(mountPoint);
	}

	async function remove(snapshots: readonly SnapshotName[]): Promise<void> {
		const paths = snapshots.map(({ projectId, name }) => path(projectId, name));
		const present = await Promise.all(paths.map((place) => stat(place).catch(ignoreMissing)));
		const doomed = paths.filter((_, at) => present[at]);
		// A snapshot has no subvolumes inside: those of the volume are empty directories in it.
		for (let at = 0; at < doomed.length; at += pathsPerCommand) {
			await runCommand("btrfs", ["subvolume", "delete", ...doomed.slice(at, at + pathsPerCommand)]);
		}
		for (const place of new Set(doomed.map(dirname))) await rmdir(place).catch(ignoreInUse);
		await clearCounters(doomed.length);
	}

	return {
		path,
		remove,

		async flush() {
			await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
		},

		async survey() {
			const volumes = new Map<string, number>();
			const snapshots = new Map<string, Map<string, number>>();
			for (const [subvolume, count] of await changeCounts(mountPoint)) {
				if (volumePattern.test(subvolume)) volumes.set(subvolume, count);
				const [, projectId, name] = snapshotPattern.exec(subvolume) ?? [];
				if (projectId === undefined || name === undefined) continue;
				const named = snapshots.get(projectId) ?? new Map<string, number>();
				snapshots.set(projectId, named.set(name, count));
			}
			return { volumes, snapshots };
		},

		async take(projectId, name) {
			await makeDirectory(projectId);
			await snapshotSubvolume(join(mountPoint, projectId), path(projectId, name), ["-r"]);
		},

		send(snapshot, parent) {
			const from = parent === null ? [] : ["-p", path(parent.projectId, parent.name)];
			return sending(["send", "--quiet", ...from, path(snapshot.projectId, snapshot.name)]);
		},

		async receive(projectId, stream) {
			await receiving(["receive", "--quiet", "-e", await makeDirectory(projectId)], stream);
		},
	};
}

function sending(commandArguments: readonly string[]): SentSnapshot {
	const child = spawn("btrfs", commandArguments, { stdio: ["ignore", "pipe", "pipe"] });
	// Whoever gives up on the output ends the command with it: its next write breaks the pipe.
	return { output: child.stdout, done: ended(child, commandArguments) };
}

async function receiving(commandArguments: readonly string[], stream: Readable): Promise<void> {
	const child = spawn("btrfs", commandArguments, { stdio: ["pipe", "ignore", "pipe"] });
	const end = ended(child, commandArguments);
	try {
		// A command that gives up breaks the pipe; why is in its own words.
		await pipeline(stream, child.stdin).catch(async (error: NodeJS.ErrnoException) => {
			if (error.code === "EPIPE") await end;
			throw error;
		});
	} catch (error) {
		child.kill("SIGKILL");
		await end.catch(() => undefined);
		throw error;
	}
	await end;
}

function ended(child: ReturnType<typeof spawn>, commandArguments: readonly string[]): Promise<void> {
	let words = "";
	child.stderr?.setEncoding("utf8").on("data", (text: string) => {
		words = (words + text).slice(-stderrMostLength);
	});
	const end = new Promise<void>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code) => {
			if (code === 0) resolve();
			else reject(new CommandError(`btrfs ${commandArguments.join(" ")}`, code, words, undefined));
		});
	});
	// Told to whoever waits for it, be that later.
	end.catch(() => undefined);
	return end;
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}

function ignoreInUse(error: NodeJS.ErrnoException): void {
	if (error.code !== "ENOTEMPTY") ignoreMissing(error);
}
