import { runCommand } from "@repldock/service";
import { expect, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { parseClasses } from "../../src/host/traffic-control.ts";
import type { KernelObject } from "../../src/network/shaping/objects.ts";
import { type Observed, plan } from "../../src/network/shaping/plan.ts";
import { container, layCables, openNetworkOf, placement } from "./rig.ts";

const object = (key: string, shape: string, parent: string | null = null, change = false): KernelObject => ({
	key,
	shape,
	parent,
	add: [`add ${key}`],
	...(change ? { change: [`change ${key}`] } : {}),
	remove: [`remove ${key}`],
});

const desired = [object("root", "a"), object("class", "b", "root", true), object("leaf", "c", "class")];
const seen = (change: Record<string, Observed | undefined> = {}) =>
	new Map(
		Object.entries({ root: { shape: "a" }, class: { shape: "b" }, leaf: { shape: "c" }, ...change }).flatMap(
			([key, observed]) => (observed ? [[key, observed] as const] : []),
		),
	);

test("a plan for what is as it should be is empty", () => {
	expect(plan(desired, seen())).toEqual({ lines: [], sentences: [] });
});

test("a plan takes the shortcut from the shape that it is for, and the long way from others", () => {
	const [root, middle, leaf] = desired as [KernelObject, KernelObject, KernelObject];
	const short = [root, middle, { ...leaf, shortcut: { from: "y", lines: ["replace leaf"] } }];
	expect(plan(short, seen({ leaf: { shape: "y" } }))).toEqual({
		lines: ["replace leaf"],
		sentences: ["leaf was y, not c"],
	});
	expect(plan(short, seen({ leaf: { shape: "x" } })).lines).toEqual(["remove leaf", "add leaf"]);
	expect(plan(short, seen({ leaf: undefined })).lines).toEqual(["add leaf"]);
	// What it stood in is gone, and it with that.
	expect(plan(short, seen({ root: { shape: "x" }, leaf: { shape: "y" } })).lines.at(-1)).toBe("add leaf");
});

test("when the shaper's device was taken away, each cable is mended, and what was right on it is left alone", async () => {
	const cables = await layCables();
	try {
		const all = [await cables.add(), await cables.add()];
		const { shaping, network } = openNetworkOf(cables, all);
		cables.cleanup.push("shaper", () => shaping.release());
		await shaping.ensure();
		for (const [index, cable] of all.entries()) await network.attach(container(cable), placement(`p${index}`));
		const stray = async ({ interfaceName }: { interfaceName: string }) =>
			(await runCommand("tc", ["filter", "show", "dev", interfaceName, "ingress", "pref", "2"])).trim();
		const before = await Promise.all(all.map(stray));
		await runCommand("ip", ["link", "delete", "dev", cables.options.device]);
		const sentences = await network.repair();
		expect(sentences.filter((sentence) => / cable was .* \*, 2 all /.test(sentence))).toHaveLength(all.length);
		expect(await network.repair()).toEqual([]);
		// What was right was left alone: the same action, by its number.
		expect(await Promise.all(all.map(stray))).toEqual(before);
	} finally {
		await cables.cleanup.run();
	}
});

test("a plan changes what can be changed, makes anew what cannot, and all that stood in it", () => {
	expect(plan(desired, seen({ class: { shape: "x" } })).lines).toEqual(["change class"]);
	expect(plan(desired, seen({ leaf: { shape: "x" } })).lines).toEqual(["remove leaf", "add leaf"]);
	expect(plan(desired, seen({ leaf: undefined })).lines).toEqual(["add leaf"]);
	expect(plan(desired, seen({ root: { shape: "x" } })).lines).toEqual([
		"remove root",
		"add root",
		"add class",
		"add leaf",
	]);
	expect(plan(desired, seen({ root: undefined })).lines).toEqual(["add root", "add class", "add leaf"]);
});

test("a plan takes away what is nobody's, what refers to others first, and leaves alone what goes by itself", () => {
	const observed = seen({
		group: { shape: "", removal: { order: 2, line: "remove group", goesWith: null } },
		member: { shape: "", removal: { order: 1, line: "remove member", goesWith: "group" } },
		filter: { shape: "", removal: { order: 0, line: "remove filter", goesWith: null } },
		harmless: { shape: "" },
	});
	expect(plan(desired, observed).lines).toEqual(["remove filter", "remove group"]);
	expect(plan(desired, observed).sentences).toHaveLength(3);
});

test("classes are read as tc prints them", () => {
	const text = `class htb 1:10 parent 1:1 leaf 10: prio 0 rate 2500Kbit ceil 1Gbit burst 4Kb cburst 1375b 
 Sent 104558406 bytes 69067 pkt (dropped 3, overlimits 1546 requeues 0) 
 backlog 0b 0p requeues 0

class htb 10:102 root prio 0 rate 8bit ceil 1Gbit burst 262000b cburst 262000b 
 Sent 1 bytes 2 pkt (dropped 0, overlimits 0 requeues 0) 
`;
	expect(parseClasses(text)).toEqual([
		{
			id: "1:10",
			parent: "1:1",
			rateBitsPerSecond: 2_500_000,
			ceilingBitsPerSecond: 1e9,
			sentBytes: 104558406,
			sentPackets: 69067,
			droppedPackets: 3,
		},
		expect.objectContaining({ id: "10:102", parent: "root", rateBitsPerSecond: 8, sentBytes: 1 }),
	]);
});

test("the network is mended from time to time without anybody asking", async () => {
	const cables = await layCables();
	try {
		const cable = await cables.add();
		const { network, shaping } = openNetworkOf(cables, [cable], { repairEveryMs: 20 });
		await shaping.ensure();
		cables.cleanup.push("shaper", () => shaping.release());
		cables.cleanup.push("network", () => network.close());
		await network.attach(container(cable), placement("p"));
		network.watch();
		await runCommand("tc", ["qdisc", "del", "dev", cable.interfaceName, "ingress"]);
		const filters = () => runCommand("tc", ["filter", "show", "dev", cable.interfaceName, "ingress"]).catch(() => "");
		await eventually("the way to the shaper", async () => (await filters()).includes(cables.options.device));
		await eventually("the count", () => (network.repairs().get("shaping") ?? 0) > 0);
	} finally {
		await cables.cleanup.run();
	}
});
