/** One build at a time on a machine, whoever starts it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/**
 * Waits until no other process holds the lock on `path` (created when missing) and takes it. The kernel's flock is held by a
 * child that lives as long as its input is open, so the lock ends with this process, however that ends.
 * @returns the function that gives the lock back.
 * @throws Error when the lock file cannot be opened.
 */
export async function acquireLock(path: string): Promise<() => Promise<void>> {
	const holder = spawn("flock", ["--exclusive", path, "sh", "-c", "echo locked; exec cat"], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	const closed = once(holder, "close");
	const locked = once(createInterface({ input: holder.stdout }), "line").then(() => true);
	const acquired = await Promise.race([locked, closed.then(() => false)]);
	if (!acquired) throw new Error(`The lock file ${path} could not be used.`);
	return async () => {
		holder.stdin.end();
		await closed;
	};
}
