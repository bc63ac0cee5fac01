import { execFile, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFolderStore } from "../src/index.ts";
import { bytesOf, folderStore, keysOf } from "./stores.ts";

let opened: Awaited<ReturnType<typeof folderStore>>;
beforeEach(async () => {
	opened = await folderStore();
});
afterEach(() => opened.close());

test("a byte that changed on the disk is found by whoever reads the whole object", async () => {
	await opened.store.put("a/b", Buffer.from("precious"));
	const file = join(opened.directory, "a/b");
	const bytes = await readFile(file);
	bytes[3] = 0;
	await writeFile(file, bytes);
	await expect(bytesOf(opened.store.get("a/b"))).rejects.toMatchObject({ code: "corrupt" });
});

test("an object that was cut on the disk is damaged, even where only a range is read", async () => {
	await opened.store.put("key", Buffer.from("precious"));
	await truncate(join(opened.directory, "key"), 5);
	await expect(bytesOf(opened.store.get("key"))).rejects.toMatchObject({ code: "corrupt" });
	await expect(bytesOf(opened.store.get("key", { range: { start: 0, end: 2 } }))).rejects.toMatchObject({
		code: "corrupt",
	});
});

test("a compressed object can be read without Repldock, by zstd alone", async () => {
	await opened.store.put("key.zst", zstdCompressSync(Buffer.from("readable for ever")));
	const { stdout } = await promisify(execFile)("zstd", ["-dc", join(opened.directory, "key.zst")]);
	expect(stdout).toBe("readable for ever");
});

test("what a killed writer left is not listed, and is reclaimed once it is old", async () => {
	const writer = spawn(
		process.execPath,
		[fileURLToPath(new URL("endless-writer.ts", import.meta.url)), opened.directory],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	// It says a word once part of its object is on the disk.
	await new Promise((resolve) => writer.stdout.once("data", resolve));
	const ended = new Promise((resolve) => writer.once("exit", resolve));
	writer.kill("SIGKILL");
	await ended;
	const incoming = join(opened.directory, ".incoming");
	const [left] = await readdir(incoming);
	expect(left).toBeDefined();
	expect(await keysOf(opened.store, "")).toEqual([]);
	expect(await opened.store.reclaim(3_600_000)).toBe(0);
	const yesterday = new Date(Date.now() - 86_400_000);
	await utimes(join(incoming, left ?? ""), yesterday, yesterday);
	expect(await opened.store.reclaim(3_600_000)).toBe(1);
	expect(await readdir(incoming)).toEqual([]);
});

test("a folder that is no longer there is unavailable, not empty", async () => {
	await opened.store.put("key", Buffer.from("x"));
	const away = `${opened.directory}-away`;
	await rename(opened.directory, away);
	// As an unmounted mount point looks.
	await mkdir(opened.directory);
	await expect(keysOf(opened.store, "")).rejects.toMatchObject({ code: "unavailable" });
	await expect(opened.store.get("key")).rejects.toMatchObject({ code: "unavailable" });
	await expect(opened.store.head("key")).rejects.toMatchObject({ code: "unavailable" });
	await expect(opened.store.put("key", Buffer.from("y"))).rejects.toMatchObject({ code: "unavailable" });
	await rm(opened.directory, { recursive: true });
	await rename(away, opened.directory);
	expect(await keysOf(opened.store, "")).toEqual(["key"]);
});

test("a key that is the beginning of another's path is refused as such", async () => {
	await opened.store.put("a/b", Buffer.from("x"));
	await expect(opened.store.put("a", Buffer.from("y"))).rejects.toMatchObject({ code: "invalid_key" });
	await expect(opened.store.put("a/b/c", Buffer.from("y"))).rejects.toMatchObject({ code: "invalid_key" });
	expect(await keysOf(opened.store, "")).toEqual(["a/b"]);
});

test("two programs that put and remove in the same directories do not disturb each other", async () => {
	const other = await openFolderStore(opened.directory);
	const work = async (store: typeof other, name: string) => {
		for (let round = 0; round < 100; round += 1) {
			await store.put(`deep/er/${name}`, Buffer.from(name));
			await store.remove([`deep/er/${name}`]);
		}
	};
	await Promise.all([work(opened.store, "one"), work(other, "two"), work(other, "three")]);
	expect(await keysOf(opened.store, "")).toEqual([]);
	expect(await readdir(opened.directory)).toEqual([".incoming"]);
});
