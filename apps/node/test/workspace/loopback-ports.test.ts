import { createLog } from "@repldock/service";
import { expect, test } from "vitest";
import { createLoopbackPorts, exposedLoopback } from "../../src/workspace/loopback-ports.ts";

const log = createLog("test", "silent");

test("each container is told once what changed, and after a failure again", async () => {
	let pid: number | undefined = 1;
	let fails = false;
	const told: [number, readonly number[]][] = [];
	const ports = createLoopbackPorts({
		log,
		containerPid: () => pid,
		async expose(to, list) {
			if (fails) throw new Error("gone");
			told.push([to, list]);
		},
	});
	await ports.follow([]);
	await ports.follow([3000]);
	await ports.follow([3000]);
	await Promise.all([ports.follow([3000, 4000]), ports.follow([])]);
	pid = 2;
	expect(ports.differs([])).toBe(false);
	fails = true;
	await ports.follow([3000]);
	fails = false;
	expect(ports.differs([3000])).toBe(true);
	await ports.follow([3000]);
	pid = undefined;
	await ports.follow([]);
	expect(told).toEqual([
		[1, [3000]],
		[1, [3000, 4000]],
		[1, []],
		[2, [3000]],
	]);
});

test("only servers that visitors may reach and that nobody else answers for are exposed", () => {
	const open = (port: number, externals: number[]) => ({ port, externals, url: null, main: false });
	const listening = [
		{ port: 3000, loopbackOnly: true },
		{ port: 4000, loopbackOnly: false },
		{ port: 5000, loopbackOnly: true },
	];
	expect(exposedLoopback([open(3000, [80, 3000]), open(4000, [4000]), open(5000, [])], listening)).toEqual([3000]);
});
