import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Cluster, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let cluster: Cluster;

beforeAll(async () => {
	cluster = await startCluster();
});
afterAll(() => cluster.release());

test("few bytes become durable without the btrfs program, more through it, and both come back on another node", async () => {
	const one = await cluster.startNode("one");
	const placement = cluster.place();
	const id = placement.projectId;
	await one.volumes.create(id, cluster.template, placement.limits.diskBytes);
	const write = (name: string, content: string | Buffer) => writeFile(join(one.volumes.path(id), name), content);
	const send = vi.spyOn(one.snapshots, "send");

	await one.checkpoints.round();
	await write("main.py", "print(2)\n");
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toHaveLength(2);
	expect(send).not.toHaveBeenCalled();

	const large = { text: Buffer.alloc(3_000_000, "the same line again\n"), noise: randomBytes(3_000_000) };
	await write("noise", large.noise);
	await one.checkpoints.round();
	// What was just stored outweighs the full checkpoint, so a full one follows.
	await write("main.py", "print(3)\n");
	await one.checkpoints.round();
	await write("text", large.text);
	await one.checkpoints.round();
	expect(send.mock.calls.map(([, parent]) => parent === null)).toEqual([false, true, false]);
	await write("main.py", "print(4)\n");
	await one.checkpoints.round();
	expect(send).toHaveBeenCalledTimes(3);
	expect(cluster.chainOf(id).map(({ bytes }) => bytes > 1_000_000)).toEqual([true, false, false]);

	const two = await cluster.startNode("two");
	await two.checkpoints.restore(cluster.place({ ...placement, generation: 2, stored: true }));
	const read = (name: string) => readFile(join(two.volumes.path(id), name));
	expect((await read("text")).equals(large.text)).toBe(true);
	expect((await read("noise")).equals(large.noise)).toBe(true);
	expect(String(await read("main.py"))).toBe("print(4)\n");
});
