import { once } from "node:events";
import { runCommand } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { readClasses } from "../../src/host/traffic-control.ts";
import { removeShaping } from "../../src/network/shaping/remove.ts";
import { type Cables, container, layCables, openNetworkOf, placement, startReceiver, startSender } from "./rig.ts";

let cables: Cables;
beforeEach(async () => {
	cables = await layCables({ uplinkBitsPerSecond: 200e6 });
});
afterEach(() => cables.cleanup.run());

const tc = (...words: string[]) => runCommand("tc", words);

/** With a shaper that is given back at the end. */
async function open(count: number) {
	const all = [];
	for (let index = 0; index < count; index += 1) all.push(await cables.add());
	const { shaping, network } = openNetworkOf(cables, all);
	await shaping.ensure();
	cables.cleanup.push("shaper", () => shaping.release());
	return { all, shaping, network };
}

/** Not the class's matter, but the uplink's. */
const uncapped = 4 * 200e6;

async function ceilings() {
	const classes = await readClasses(cables.options.device);
	return classes.filter(({ id }) => !id.startsWith("1:")).map(({ ceilingBitsPerSecond }) => ceilingBitsPerSecond);
}

test("all that a member sends passes its class, and its counters agree with what a receiver counted", async () => {
	const { all, network } = await open(1);
	const [cable] = all as [(typeof all)[0]];
	await network.attach(container(cable), placement("p"));
	const receiver = await startReceiver(cables);
	const bytes = 20_000_000;
	const sender = startSender(cables, cable, receiver.port, { bytes });
	await once(sender, "exit");
	await eventually("all bytes", () => receiver.from(cable) === bytes);
	const counters = (await network.counters()).get("p");
	// Ethernet, IP, and TCP with timestamps.
	const payload = (counters?.sentBytes ?? 0) - (counters?.sentPackets ?? 0) * 66;
	// What is sent again after a loss counts too; nothing may be missing.
	expect(payload).toBeGreaterThan(bytes * 0.999);
	expect(payload).toBeLessThan(bytes * 1.05);
	expect(counters?.receivedPackets).toBeGreaterThan(0);
});

test("owners have equal shares, however many containers and connections they have", async () => {
	const { all, network } = await open(3);
	const [lone, one, two] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
	await network.attach(container(lone), placement("lone", "ada"));
	await network.attach(container(one), placement("one", "bob"));
	await network.attach(container(two), placement("two", "bob"));
	const receiver = await startReceiver(cables);
	startSender(cables, one, receiver.port, { connections: 8 });
	startSender(cables, two, receiver.port);
	startSender(cables, lone, receiver.port);
	await eventually("all three", () => all.every((cable) => receiver.from(cable) > 1_000_000), 60_000);
	const before = all.map(receiver.from);
	await eventually("a while", () => receiver.from(lone) - (before[0] ?? 0) > 30_000_000, 60_000);
	const [ada = 0, first = 0, second = 0] = all.map((cable, index) => receiver.from(cable) - (before[index] ?? 0));
	expect((first + second) / ada).toBeGreaterThan(0.8);
	expect((first + second) / ada).toBeLessThan(1.25);
	expect(first / second).toBeGreaterThan(0.7);
	expect(first / second).toBeLessThan(1.43);
}, 90_000);

test("a ceiling is the uplink, the plan's or an operator's, whichever is lowest, and changes while the member sends", async () => {
	const { all, network } = await open(1);
	const [cable] = all as [(typeof all)[0]];
	await network.attach(container(cable), placement("p"));
	expect(await ceilings()).toEqual([uncapped]);
	const before = await readClasses(cables.options.device);
	await network.policyChanged(placement("p", "p", { egressBitsPerSecond: 40e6 }));
	expect(await ceilings()).toEqual([40e6]);
	const restriction = { kind: "throttled" as const, bitsPerSecond: 1e6, reason: "too much" };
	await network.policyChanged(placement("p", "p", { egressBitsPerSecond: 40e6, restriction }));
	expect(await ceilings()).toEqual([1e6]);
	await network.policyChanged(placement("p"));
	expect((await readClasses(cables.options.device)).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
	expect(await ceilings()).toEqual([uncapped]);
	expect(await network.repair()).toEqual([]);
});

test("what a member sends under another one's address is not the other's, and gets next to nothing", async () => {
	const { all, network } = await open(2);
	const [liar, victim] = all as [(typeof all)[0], (typeof all)[0]];
	await network.attach(container(liar), placement("liar"));
	await network.attach(container(victim), placement("victim"));
	await runCommand("ip", ["-n", liar.namespace, "address", "add", `${victim.address}/32`, "dev", "eth0"]);
	const sender = `const s = require("node:dgram").createSocket("udp4"); s.bind(0, process.argv[1], () => {
		let left = 200; const send = () => left-- > 0 ? s.send(Buffer.alloc(1400), 9, process.argv[2], send) : s.close(); send(); });`;
	const words = ["netns", "exec", liar.namespace, process.execPath, "-e", sender, victim.address, cables.gateway];
	// Its own questions for the gateway's address are answered; the other's name on them goes astray as well.
	await runCommand("ip", words);
	const strays = JSON.parse(await tc("-s", "-json", "qdisc", "show", "dev", cables.options.strayDevice)) as [
		{ packets: number; drops: number },
	];
	expect(strays[0].packets + strays[0].drops).toBeGreaterThan(0);
	const counters = await network.counters();
	expect(counters.get("victim")?.sentPackets).toBeLessThan(20);
	expect(counters.get("liar")?.sentPackets).toBeLessThan(20);
});

test("the ingress of members is limited when the operator says so", async () => {
	cables.options.ingressBitsPerSecond = 50e6;
	const { all, network } = await open(1);
	const [cable] = all as [(typeof all)[0]];
	await network.attach(container(cable), placement("p"));
	expect(await tc("qdisc", "show", "dev", cable.interfaceName)).toMatch(/tbf 1: root refcnt \d+ rate 50Mbit/);
	expect(await network.repair()).toEqual([]);
	await tc("qdisc", "del", "dev", cable.interfaceName, "root");
	expect(await network.repair()).toHaveLength(1);
	expect(await network.repair()).toEqual([]);
});

test("what somebody changed by hand comes back, and what is right is not touched", async () => {
	const { all, network } = await open(3);
	const { device, strayDevice } = cables.options;
	for (const [index, cable] of all.entries())
		await network.attach(container(cable), placement(`p${index}`, `o${index % 2}`));
	const [first] = all as [(typeof all)[0]];
	const receiver = await startReceiver(cables);
	await once(startSender(cables, first, receiver.port, { bytes: 100_000 }), "exit");
	expect(await network.repair()).toEqual([]);
	const classes = async () => (await readClasses(device)).map(({ id }) => id).sort();
	const before = await classes();
	const [, , other] = all as [unknown, unknown, (typeof all)[0]];
	const harm: string[][] = [
		["qdisc", "del", "dev", other.interfaceName, "ingress"],
		["filter", "del", "dev", other.interfaceName, "ingress", "pref", "1"],
		[
			"filter",
			"replace",
			"dev",
			other.interfaceName,
			..."parent ffff: protocol all pref 2 u32 match u32 0 0 action mirred egress redirect dev".split(" "),
			device,
		],
		["class", "change", "dev", device, ..."parent 1:1 classid 1:11 htb rate 5mbit ceil 5mbit quantum 65536".split(" ")],
		["class", "add", "dev", device, ..."parent 1:1 classid 1:77 htb rate 5mbit quantum 65536".split(" ")],
		["filter", "del", "dev", device, "parent", "1:", "pref", "2"],
		["filter", "del", "dev", device, "parent", "11:"],
		["qdisc", "del", "dev", device, "parent", "1:11", "handle", "11:"],
		["qdisc", "del", "dev", strayDevice, "root"],
	];
	for (const words of harm) {
		await tc(...words);
		expect(await network.repair(), words.join(" ")).not.toEqual([]);
		expect(await network.repair(), words.join(" ")).toEqual([]);
		expect(await classes()).toEqual(before);
	}
	expect((await network.counters()).get("p0")?.sentBytes).toBeGreaterThan(100_000);
	await runCommand("ip", ["link", "delete", "dev", device]);
	expect(await network.repair()).not.toEqual([]);
	expect(await network.repair()).toEqual([]);
	expect(await classes()).toEqual(before);
	await once(startSender(cables, other, receiver.port, { bytes: 100_000 }), "exit");
	expect((await network.counters()).get("p2")?.sentBytes).toBeGreaterThan(100_000);
	expect(network.repairs().get("shaping")).toBeGreaterThan(harm.length);
}, 60_000);

test("a new agent finds everything as it should be and counts on; what nobody wants any more goes", async () => {
	const { all, network } = await open(3);
	for (const [index, cable] of all.entries())
		await network.attach(container(cable), placement(`p${index}`, `o${index % 2}`));
	const [first, second] = all as [(typeof all)[0], (typeof all)[0]];
	const receiver = await startReceiver(cables);
	await once(startSender(cables, first, receiver.port, { bytes: 1_000_000 }), "exit");
	await eventually("all bytes", () => receiver.from(first) === 1_000_000);
	const before = (await network.counters()).get("p0");

	const { network: next, shaping } = openNetworkOf(cables, all);
	// As `up` does while containers of an instance that was killed still run.
	await shaping.ensure();
	expect((await network.counters()).get("p0")?.sentBytes).toBeGreaterThanOrEqual(before?.sentBytes ?? Number.NaN);
	// In another order, so that numbers given by turn would differ.
	const adopted = [second, first].map((cable) => ({
		container: container(cable),
		placement: placement(cable === first ? "p0" : "p1", cable === first ? "o0" : "o1"),
	}));
	expect(await next.adopt(adopted)).toEqual([]);
	const after = (await next.counters()).get("p0");
	expect(after?.sentBytes).toBeGreaterThanOrEqual(before?.sentBytes ?? Number.NaN);
	expect((await readClasses(cables.options.device)).filter(({ id }) => !id.startsWith("1:"))).toHaveLength(2);
	expect(await next.repair()).toEqual([]);
});

test("a member that is detached leaves its last counters and nothing else, and its address is free for another", async () => {
	const { all, network, shaping } = await open(2);
	const [cable, next] = all as [(typeof all)[0], (typeof all)[0]];
	const bare = await tc("class", "show", "dev", cables.options.device);
	const told: [string, number][] = [];
	network.onDetached((projectId, { sentBytes }) => told.push([projectId, sentBytes]));
	await network.attach(container(cable), placement("p"));
	const receiver = await startReceiver(cables);
	await once(startSender(cables, cable, receiver.port, { bytes: 500_000 }), "exit");
	await eventually("all bytes", () => receiver.from(cable) === 500_000);
	await network.ending("p");
	await network.detach("p");
	await network.detach("p");
	expect(told).toEqual([["p", expect.any(Number)]]);
	expect(told[0]?.[1]).toBeGreaterThan(500_000);
	expect(await tc("class", "show", "dev", cables.options.device)).toBe(bare);

	// The engine gave the address to another before we heard that the first one had ended.
	await network.attach(container(cable), placement("q"));
	await runCommand("ip", ["link", "delete", "dev", cable.interfaceName]);
	const heir = { ...container(next), address: cable.address };
	await network.attach(heir, placement("r"));
	expect(told.map(([projectId]) => projectId)).toEqual(["p", "q"]);
	expect(await network.repair()).toEqual([]);
	await shaping.release();
	await shaping.release();
	expect(await runCommand("ip", ["-brief", "link"])).not.toContain(cables.options.device);
});

test("what cannot be attached is not a member, and stands in nobody's way", async () => {
	const { all, network } = await open(1);
	const [cable] = all as [(typeof all)[0]];
	const bare = await tc("class", "show", "dev", cables.options.device);
	await expect(network.attach({ ...container(cable), pid: 99 }, placement("p"))).rejects.toThrow();
	expect(await tc("class", "show", "dev", cables.options.device)).toBe(bare);
	expect(await network.counters()).toEqual(new Map());
	await network.attach(container(cable), placement("p"));
	expect(await network.repair()).toEqual([]);
});

test("containers that run on while shaping is switched off and on again are neither cut off nor shaped for ever", async () => {
	cables.options.ingressBitsPerSecond = 50e6;
	const { all, network } = await open(2);
	for (const [index, cable] of all.entries()) await network.attach(container(cable), placement(`p${index}`));
	const [first] = all as [(typeof all)[0]];
	const receiver = await startReceiver(cables);
	const sends = async (bytes: number) => {
		const before = receiver.from(first);
		await once(startSender(cables, first, receiver.port, { bytes }), "exit");
		await eventually("all bytes", () => receiver.from(first) - before === bytes);
	};
	await sends(100_000);
	await removeShaping(cables.bridge, cables.options);
	await sends(200_000);
	for (const { interfaceName } of all)
		expect(await tc("qdisc", "show", "dev", interfaceName)).not.toMatch(/ingress|tbf/);
	expect(await runCommand("ip", ["-brief", "link"])).not.toContain(cables.options.device);
	await removeShaping(cables.bridge, cables.options);

	cables.options.ingressBitsPerSecond = undefined;
	const on = openNetworkOf(cables, all);
	await on.shaping.ensure();
	const adopted = all.map((cable, index) => ({ container: container(cable), placement: placement(`p${index}`) }));
	expect(await on.network.adopt(adopted)).toEqual([]);
	await sends(300_000);
	expect((await on.network.counters()).get("p0")?.sentBytes).toBeGreaterThan(300_000);
	expect(await on.network.repair()).toEqual([]);
});

test("a limit of what containers receive ends with the option", async () => {
	cables.options.ingressBitsPerSecond = 50e6;
	const { all, network } = await open(1);
	const [cable] = all as [(typeof all)[0]];
	await network.attach(container(cable), placement("p"));
	cables.options.ingressBitsPerSecond = undefined;
	const { network: next } = openNetworkOf(cables, all);
	expect(await next.adopt([{ container: container(cable), placement: placement("p") }])).toEqual([]);
	expect(await tc("qdisc", "show", "dev", cable.interfaceName)).not.toContain("tbf");
	expect(await next.repair()).toEqual([]);
});

test("a container whose address ends with 0 is as right as any other", async () => {
	const [, second, third = "0"] = cables.gateway.split(".");
	const base = Number(third) & 252;
	cables.options.subnet = `198.${second}.${base}.0/22`;
	const { all, network } = await open(1);
	const [cable] = all as [(typeof all)[0]];
	await network.attach({ ...container(cable), address: `198.${second}.${base + 1}.0` }, placement("p"));
	expect(await network.repair()).toEqual([]);
});

test("two nodes on one machine do not touch each other", async () => {
	const { all, network } = await open(1);
	await network.attach(container(all[0] as (typeof all)[0]), placement("p"));
	const neighbour = await layCables();
	try {
		const { shaping } = openNetworkOf(neighbour, []);
		await shaping.ensure();
		expect(await network.repair()).toEqual([]);
		await shaping.repair([]);
		await shaping.release();
		expect(await network.repair()).toEqual([]);
	} finally {
		await neighbour.cleanup.run();
	}
});
