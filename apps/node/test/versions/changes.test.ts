import { mkdir, open, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { expect, test } from "vitest";
import { compareTrees } from "../../src/host/files/compare.ts";
import { namesIn } from "../checkpoints/rig.ts";
import { openWorld } from "./world.ts";

const world = openWorld();
const megabyte = 1024 * 1024;

test("what has changed since a version is told by path, with what people have typed and without what only looks changed", async () => {
	await mkdir(world.at("same/deep"), { recursive: true });
	await writeFile(world.at("same/deep/a"), "a");
	await mkdir(world.at("gone/inner"), { recursive: true });
	await writeFile(world.at("gone/inner/file"), "x");
	for (const name of ["touched", "same-size", "becomes-folder", "large"]) await writeFile(world.at(name), "12345678");
	await writeFile(world.at("large"), Buffer.alloc(2 * megabyte, 1));
	await symlink("a", world.at("link"));
	const id = await world.rig.keep();
	expect(await world.rig.changes(id)).toEqual([]);
	await rm(world.at("gone"), { recursive: true });
	await mkdir(world.at("new/inner"), { recursive: true });
	await writeFile(world.at("new/inner/file"), "x");
	await writeFile(world.at("same-size"), "87654321");
	const later = new Date(Date.now() + 60_000);
	await utimes(world.at("touched"), later, later);
	await writeFile(world.at("large"), Buffer.alloc(2 * megabyte, 2));
	await rm(world.at("becomes-folder"));
	await mkdir(world.at("becomes-folder"));
	await rm(world.at("link"));
	await symlink("b", world.at("link"));
	await runCommand("mkfifo", [world.at("fifo")]);
	const page = await world.openPage("main.py");
	await page.untilText((text) => text === "print(1)\n");
	page.insert(0, "# typed just now\n");
	const expected = [
		"removed file becomes-folder",
		"added directory becomes-folder",
		"added other fifo",
		"removed directory gone",
		"modified file large",
		"modified link link",
		"modified file main.py",
		"added directory new",
		"modified file same-size",
	];
	expect(await world.rig.changes(id)).toEqual(expected);
	await world.restored(id);
	expect(await world.rig.changes(id)).toEqual([]);
	expect((await readdir(world.mountPoint)).filter((name) => name.endsWith(".snapshot"))).toEqual([]);
});

test("a file that was changed without changing its size and its time is told, whether the version is the node's own or fetched", async () => {
	// The node keeps the first one's snapshot, for the next rest to build on.
	await world.rig.keep();
	const moment = new Date("2026-01-02T03:04:05.678Z");
	for (const name of ["hidden", "untouched", "large"]) {
		await writeFile(world.at(name), Buffer.alloc(name === "large" ? 3 * megabyte : 8, "1"));
		await utimes(world.at(name), moment, moment);
	}
	const own = await world.rig.keep();
	expect(await world.rig.changes(own)).toEqual([]);
	for (const name of ["hidden", "large"]) {
		const file = await open(world.at(name), "r+");
		await file.write("2", (await file.stat()).size - 1);
		await file.close();
		await utimes(world.at(name), moment, moment);
	}
	const expected = ["modified file hidden", "modified file large"];
	expect(await world.rig.changes(own)).toEqual(expected);
	await world.rig.keep();
	await world.rig.restartVersions();
	await world.rig.versions.forget(world.rig.projectId);
	expect(await world.rig.changes(own)).toEqual(expected);
	expect(await namesIn(join(world.mountPoint, ".checkpoints", world.rig.projectId))).not.toContain(own);
});

test("changes are bounded: in what is told, in what is looked at, and in what is read", async () => {
	const [one, two] = [join(world.cluster.directory, "a"), join(world.cluster.directory, "b")];
	await mkdir(join(one, "d"), { recursive: true });
	await mkdir(join(two, "d"), { recursive: true });
	for (let number = 0; number < 20; number += 1) {
		await writeFile(join(one, `d/${number + 10}`), "1");
		await utimes(join(one, `d/${number + 10}`), 1, 1);
		await writeFile(join(two, `d/${number + 10}`), "2");
	}
	const limits = {
		changes: 100,
		entries: 100,
		entriesOfOneDirectory: 100,
		levels: 10,
		bytesOfOneFile: 100,
		bytes: 100,
		bytesOfSameTime: 100,
	};
	const count = async (change: Partial<typeof limits>) => {
		const { changes, truncated } = await compareTrees(one, two, { ...limits, ...change });
		return [changes.length, truncated];
	};
	expect(await count({})).toEqual([20, false]);
	expect(await count({ changes: 20 })).toEqual([20, false]);
	expect(await count({ changes: 7 })).toEqual([7, true]);
	expect(await count({ entries: 11 })).toEqual([10, true]);
	expect(await count({ entriesOfOneDirectory: 19 })).toEqual([0, true]);
	expect(await count({ levels: 1 })).toEqual([0, true]);
	for (let number = 0; number < 20; number += 1) await writeFile(join(two, `d/${number + 10}`), "1");
	// What is not read counts as modified.
	expect(await count({})).toEqual([0, false]);
	expect(await count({ bytes: 5 })).toEqual([15, false]);
	expect(await count({ bytesOfOneFile: 0 })).toEqual([20, false]);
	for (let number = 0; number < 20; number += 1) {
		await writeFile(join(two, `d/${number + 10}`), "2");
		await utimes(join(two, `d/${number + 10}`), 1, 1);
	}
	expect(await count({})).toEqual([20, false]);
	expect(await compareTrees(one, two, { ...limits, bytesOfSameTime: 5 })).toMatchObject({
		unread: 15,
		truncated: false,
	});
	expect(await count({ bytesOfSameTime: 5 })).toEqual([5, false]);
});
