import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, realpath, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import type { Homes } from "../host.ts";
import { listMounts } from "./mount-table.ts";

/** Where a container has its home. The project's folder in it is named after its slug. */
export const homeInContainer = "/home/runner";

const homePattern = /^[0-9a-f]{16}$/;

/** A program can look at it and go through it; it is the machine's root's, whom no container has. */
const homeMode = 0o555;

/** Nobody gets into it as long as nothing is mounted on it: a program that is to start there does not start. */
const emptyMode = 0o000;

/**
 * Makes the place for homes: a small file system in memory, of which containers see their own folder alone, and what is
 * mounted in it when they run already. Repeating it changes nothing; containers may be using it.
 */
export async function mountHomes(root: string): Promise<void> {
	await mkdir(root, { recursive: true, mode: 0o711 });
	if (await isMounted(root)) return;
	// The engine refuses to show a place that tells nobody of its mounts.
	const options = ["-t", "tmpfs", "-o", "mode=0711,nosuid,nodev,noexec,size=16m", "--make-shared"];
	await runCommand("mount", [...options, "repldock-homes", root]);
}

/** Gives the place back with all that is mounted in it; no container must run any more. Harmless when it is not there. */
export async function unmountHomes(root: string): Promise<void> {
	const place = await realpath(root).catch(ignoreMissing);
	if (place === null) return;
	const own = (await listMounts()).filter((mount) => mount.place === place || mount.place.startsWith(`${place}/`));
	for (const mount of own.toReversed()) await runCommand("umount", ["--lazy", mount.place]);
}

/** The homes of this node's containers, below what `mountHomes` made. */
export function createHomes(root: string): Homes {
	function path(home: string): string {
		if (!homePattern.test(home)) throw new Error(`${home} is no home of a container.`);
		return join(root, home);
	}

	async function empty(home: string): Promise<void> {
		for (const name of (await readdir(path(home)).catch(ignoreMissing)) ?? []) {
			const place = join(path(home), name);
			// At once and also where programs use it: they keep what they have open, and nothing else.
			while (await isMounted(place)) await runCommand("umount", ["--lazy", place]);
			await rmdir(place);
		}
	}

	async function remove(home: string): Promise<void> {
		await empty(home);
		await rmdir(path(home)).catch(ignoreMissing);
	}

	return {
		async make() {
			const name = randomBytes(8).toString("hex");
			await mkdir(path(name));
			await chmod(path(name), homeMode);
			return { name, path: path(name) };
		},

		async fill(home, { slug, volumePath, pid }) {
			const place = join(path(home), slug);
			const volume = await stat(volumePath);
			await mkdir(place, { mode: emptyMode }).catch(ignorePresent);
			if (!isSame(await stat(place), volume)) {
				// It takes nosuid and nodev from the volumes' own mount in the same step. Given as options they would come in a
				// second one, of which the container is not told.
				await runCommand("mount", ["--bind", "--no-canonicalize", volumePath, place]);
			}
			// No program can change what leads there: that is read-only, or a home.
			const seen = await stat(join(`/proc/${pid}/root`, homeInContainer, slug));
			if (!isSame(seen, volume)) throw new Error(`The container does not see its volume ${volumePath}.`);
		},

		empty,
		remove,

		async keepOnly(homes) {
			for (const home of await readdir(root)) if (!homes.has(home)) await remove(home);
		},
	};
}

interface Identity {
	dev: number;
	ino: number;
}

const isSame = (one: Identity, other: Identity) => one.dev === other.dev && one.ino === other.ino;

/** Whether something is mounted on this very directory; false when it is not there. */
async function isMounted(place: string): Promise<boolean> {
	const here = await stat(place).catch(ignoreMissing);
	return here !== null && here.dev !== (await stat(join(place, ".."))).dev;
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}

function ignorePresent(error: NodeJS.ErrnoException): void {
	if (error.code !== "EEXIST") throw error;
}
