import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { expect, test } from "vitest";
import { acquireLock } from "../lock.ts";

test("a lock is given to the next only when its holder gives it back", async () => {
	const folder = mkdtempSync(join(tmpdir(), "toolchain-lock-"));
	try {
		const path = join(folder, "lock");
		const tryLock = (): Promise<string> => runCommand("flock", ["--nonblock", path, "echo", "free"]);
		const releaseFirst = await acquireLock(path);
		await expect(tryLock()).rejects.toThrow();
		const second = acquireLock(path);
		await releaseFirst();
		const releaseSecond = await second;
		await expect(tryLock()).rejects.toThrow();
		await releaseSecond();
		expect(await tryLock()).toBe("free\n");
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("a lock file that cannot be made is an error", async () => {
	await expect(acquireLock("/proc/no-such-folder/lock")).rejects.toThrow("/proc/no-such-folder/lock");
});
