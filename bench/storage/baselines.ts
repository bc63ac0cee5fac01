import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";

const timeoutMs = 300_000;

/** `tar | zstd -3` into a file that would survive a loss of power, as a checkpoint does. */
export async function packWithTar(directory: string, file: string): Promise<void> {
	await inShell('tar -C "$1" -cf - . | zstd -3 -q -f -o "$2" && sync "$2"', directory, file);
}

/** The same backwards, into a directory on btrfs; synced, as a restored volume is. */
export async function unpackWithTar(file: string, directory: string, mountPoint: string): Promise<void> {
	await inShell(
		'zstd -d -q -c "$1" | tar -C "$2" -xpf - && btrfs filesystem sync "$3" >/dev/null',
		file,
		directory,
		mountPoint,
	);
}

/** Pipes need a shell; what differs is handed over as words, never as part of the script. */
function inShell(script: string, ...words: string[]): Promise<string> {
	return runCommand("bash", ["-o", "pipefail", "-c", script, "bench", ...words], { timeoutMs });
}

/** Debian's restic with a folder as its repository. */
export async function openRestic(repository: string) {
	const restic = (...words: string[]) =>
		runCommand("restic", ["--quiet", "--repo", repository, ...words], {
			environment: { RESTIC_PASSWORD: "bench", RESTIC_CACHE_DIR: `${repository}-cache` },
			timeoutMs,
		});
	await restic("init");
	return {
		backUp: (place: string) => restic("backup", place),
		restore: (place: string, target: string) => restic("restore", "latest", "--path", place, "--target", target),
		/** What it keeps: objects and bytes. */
		async size() {
			let bytes = 0;
			let objects = 0;
			for (const entry of await readdir(repository, { recursive: true, withFileTypes: true })) {
				if (!entry.isFile()) continue;
				objects += 1;
				bytes += (await stat(join(entry.parentPath, entry.name))).size;
			}
			return { bytes, objects };
		},
	};
}
