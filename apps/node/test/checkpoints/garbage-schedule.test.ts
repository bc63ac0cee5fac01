import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGarbageSchedule, readLastCollection } from "../../src/checkpoints/garbage-schedule.ts";

const everyMs = 6 * 60 * 60 * 1000;
let directory: string;
let file: string;
let collected: number;

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "repldock-garbage-"));
	file = join(directory, "garbage.json");
	collected = 0;
});
afterEach(() => rm(directory, { recursive: true }));

/** Of an agent that has just been started. */
const schedule = (collect: () => Promise<number | null> = async () => 3) =>
	createGarbageSchedule({
		file,
		everyMs,
		collect() {
			collected += 1;
			return collect();
		},
	});

const wasDone = (agoMs: number) =>
	writeFile(file, JSON.stringify({ at: new Date(Date.now() - agoMs).toISOString(), removed: 1 }));

test("what is due is done at the first look, by whichever agent, and once", async () => {
	await schedule().look();
	expect([collected, (await readLastCollection(file))?.removed]).toEqual([1, 3]);
	await schedule().look();
	expect(collected).toBe(1);
	await wasDone(everyMs - 60_000);
	await schedule().look();
	expect(collected).toBe(1);
	await wasDone(everyMs + 1000);
	await schedule().look();
	expect(collected).toBe(2);
	expect(Date.parse((await readLastCollection(file))?.at ?? "")).toBeGreaterThan(Date.now() - 60_000);
	expect(await readdir(directory)).toEqual(["garbage.json"]);
});

test("what failed, or cannot be done yet, stays due", async () => {
	await wasDone(2 * everyMs);
	const failing = schedule(() => Promise.reject(new Error("the site does not answer")));
	await expect(failing.look()).rejects.toThrow("does not answer");
	await schedule(async () => null).look();
	expect(Date.parse((await readLastCollection(file))?.at ?? "")).toBeLessThan(Date.now() - everyMs);
	await schedule().look();
	expect(collected).toBe(3);
	await schedule().look();
	expect(collected).toBe(3);
});

test("a file that a loss of power emptied, and a time that is to come, are due", async () => {
	for (const text of ["", "{", '{"at":"long ago","removed":1}']) {
		await writeFile(file, text);
		expect(await readLastCollection(file)).toBeNull();
		await schedule().look();
	}
	await wasDone(-everyMs);
	await schedule().look();
	expect(collected).toBe(4);
});

test("a look while a long collection goes on begins no other", async () => {
	const end = Promise.withResolvers<number>();
	const one = schedule(() => end.promise);
	const looks = [one.look(), one.look()];
	end.resolve(0);
	await Promise.all(looks);
	expect(collected).toBe(1);
});
