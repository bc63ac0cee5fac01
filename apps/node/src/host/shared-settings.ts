import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/**
 * Settings of the kernel that are the machine's, not one instance's: by the path of the switch the least value that is
 * needed; 0 means no limit.
 */
export type SharedSettings = Readonly<Record<string, number>>;

const Remembered = z.record(z.string(), z.string());

/**
 * Raises settings to what is wanted, for this instance among others. Repeating it is harmless.
 * @param directory where each instance on this machine keeps, until it is down, what the machine had before the first; it
 *   must be gone after a restart of the machine, as the settings are.
 * @param instance this one's file name there.
 */
export async function holdShared(directory: string, instance: string, wanted: SharedSettings): Promise<void> {
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const [present] = await readdir(directory);
	const before = (present && (await readRemembered(join(directory, present)))) || (await readPresent(wanted));
	await writeFile(join(directory, instance), JSON.stringify(before), { mode: 0o600 });
	await raise(wanted);
}

/** Puts back what was raised once no instance needs it any more. Harmless when this one needed nothing. */
export async function giveBackShared(directory: string, instance: string, wanted: SharedSettings): Promise<void> {
	const before = await readRemembered(join(directory, instance));
	if (!before) return;
	await rm(join(directory, instance));
	if ((await readdir(directory)).length > 0) return;
	for (const [path, value] of Object.entries(await readPresent(wanted))) {
		// What somebody else has set since is theirs.
		if (value === String(wanted[path])) await writeFile(path, before[path] ?? value);
	}
	// Another instance may have come in this moment.
	if ((await readdir(directory)).length > 0) await raise(wanted);
}

async function raise(wanted: SharedSettings): Promise<void> {
	for (const [path, value] of Object.entries(await readPresent(wanted))) {
		const least = wanted[path] ?? 0;
		const isEnough = least === 0 ? value === "0" : Number(value) >= least;
		if (!isEnough) await writeFile(path, String(least));
	}
}

async function readPresent(wanted: SharedSettings): Promise<Record<string, string>> {
	const entries = await Promise.all(
		Object.keys(wanted).map(async (path) => {
			const text = await readFile(path, "utf8").catch(absent);
			return text === undefined ? [] : [[path, text.trim()] as const];
		}),
	);
	return Object.fromEntries(entries.flat());
}

async function readRemembered(file: string): Promise<Record<string, string> | null> {
	try {
		return Remembered.parse(JSON.parse(await readFile(file, "utf8")));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
}

/** A kernel that lacks a part lacks its setting. */
function absent(error: NodeJS.ErrnoException): undefined {
	if (error.code === "ENOENT") return undefined;
	throw error;
}
