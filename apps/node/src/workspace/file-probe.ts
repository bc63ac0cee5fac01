import { RepldockError } from "@repldock/protocol";
import type { ProjectFiles } from "../host-files.ts";

/**
 * Gives a pure plan the answers to "is there such a file": it is made again until all that it asks is known. It must
 * ask for finitely many paths.
 */
export async function planWithFiles<T>(files: ProjectFiles, plan: (has: (path: string) => boolean) => T): Promise<T> {
	const known = new Map<string, boolean>();
	for (;;) {
		const asked = new Set<string>();
		const has = (path: string) => {
			const answer = known.get(path);
			if (answer === undefined) asked.add(path);
			return answer ?? false;
		};
		let outcome: { value: T } | { error: unknown };
		try {
			outcome = { value: plan(has) };
		} catch (error) {
			outcome = { error };
		}
		if (asked.size === 0) {
			if ("error" in outcome) throw outcome.error;
			return outcome.value;
		}
		for (const path of asked) known.set(path, await isFile(files, path));
	}
}

async function isFile(files: ProjectFiles, path: string): Promise<boolean> {
	try {
		const { kind } = await files.stat(path);
		return kind === "file" || kind === "link";
	} catch (error) {
		if (error instanceof RepldockError) return false;
		throw error;
	}
}
