import { lstat, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { VersionChanges } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { expect, test } from "vitest";
import { bottomOf, describeTree, makeHostileTree } from "../checkpoints/hostile-tree.ts";
import { openWorld } from "./world.ts";

const world = openWorld();
const megabyte = 1024 * 1024;

/** Many of them are `many-files.test.ts`'s. */
const manyFiles = 5_000;

/** Whoever reads a hole of a terabyte, or holds a tree in memory, is beyond these. */
const mostMs = 240_000;
const mostBytes = 300 * megabyte;

/** Where the terabyte has bytes, and what they are. */
const somewhere = 1_000_000_000_000;

/** Does a step, and expects that it took neither long nor much memory at any moment. */
async function bounded<T>(name: string, work: () => Promise<T>): Promise<T> {
	const before = process.memoryUsage.rss();
	let most = before;
	const timer = setInterval(() => {
		most = Math.max(most, process.memoryUsage.rss());
	}, 20);
	const delay = monitorEventLoopDelay({ resolution: 10 });
	delay.enable();
	const begunAtMs = performance.now();
	const result = await work().finally(() => clearInterval(timer));
	delay.disable();
	const tookMs = performance.now() - begunAtMs;
	const grown = Math.max(most, process.memoryUsage.rss()) - before;
	const pause = (delay.max / 1e6).toFixed(0);
	console.info(
		`hostile tree, ${name}: ${tookMs.toFixed(0)} ms, pause ${pause} ms, ${(grown / megabyte).toFixed(0)} MB`,
	);
	expect(tookMs, `${name} took too long`).toBeLessThan(mostMs);
	expect(grown, `${name} took too much memory`).toBeLessThan(mostBytes);
	return result;
}

/** What a version gives back: no FIFO, no socket, no setuid bit. */
function asRestored(tree: string): string {
	const isKept = (line: string) => !/^[ps] /.test(line);
	return tree.split("\n").filter(isKept).join("\n").replace("f 6755 ", "f 755 ");
}

async function readSomewhere(): Promise<string> {
	const file = await open(world.at("sparse"));
	try {
		return (await file.read(Buffer.alloc(3), 0, 3, somewhere)).buffer.toString();
	} finally {
		await file.close();
	}
}

async function changesSince(id: string): Promise<VersionChanges & { paths: string[] }> {
	const found = (await world.rig.project("GET", `/versions/${id}/changes`)).json() as VersionChanges;
	return { ...found, paths: found.changes.map(({ path, change }) => `${change} ${path}`) };
}

test(`a tree of ${manyFiles} files, holes, deep folders, loops, sockets and setuid bits is kept, compared and restored as a version, in bounded time and memory`, async () => {
	const { root } = world.rig;
	await makeHostileTree(root, manyFiles);
	const made = await describeTree(root);
	const id = await bounded("kept", () => world.rig.keep());
	// Nobody looks below 500 folders, and it says so.
	expect(await bounded("compared, unchanged", () => changesSince(id))).toMatchObject({ paths: [], truncated: true });

	// As if nothing had been written: only its bytes tell.
	const rewrite = `at=$(stat -c %y sparse); printf new | dd of=sparse bs=1 seek=${somewhere} conv=notrunc status=none; touch -d "$at" sparse`;
	await runCommand("sh", ["-c", rewrite], { directory: root });
	for (const name of ["deep", "many/0", "one", "loop"]) await rm(world.at(name), { recursive: true });
	await rename(world.at("n".repeat(255)), world.at("short"));
	await writeFile(world.at("loop"), "no link");
	const { paths, unread } = await bounded("compared, changed", () => changesSince(id));
	expect(paths).toEqual(expect.arrayContaining(["removed deep", "removed many/0", "removed one", "added short"]));
	// A terabyte is not read; that it was not is said.
	expect(unread).toBe(1);
	const changed = await describeTree(root);

	const undo = await bounded("restored", () => world.restored(id));
	expect(await describeTree(root)).toBe(asRestored(made));
	expect(await readFile(bottomOf(root), "utf8")).toBe("reached");
	expect(await readSomewhere()).toBe("end");
	const [hole, shared] = await Promise.all(["sparse", "same7"].map((name) => lstat(world.at(name))));
	expect(hole).toMatchObject({ size: 1024 ** 4, uid: 300_000 });
	expect(hole?.blocks).toBeLessThan(1000);
	expect(shared?.nlink).toBe(301);

	await bounded("taken back", () => world.restored(undo));
	expect(await describeTree(root)).toBe(asRestored(changed));
	expect(await readSomewhere()).toBe("new");
	for (const path of ["deep", "sparse"]) await bounded(`${path} alone`, () => world.restored(id, path));
	expect(await readFile(bottomOf(root), "utf8")).toBe("reached");
	expect(await readSomewhere()).toBe("end");
}, 900_000);
