import { randomBytes } from "node:crypto";
import { runCommand } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { followKernel, type KernelNews } from "../../src/host/kernel-news.ts";
import { createTrafficReader } from "../../src/host/netlink.ts";
import { defaultRules } from "../../src/host/network-filter.ts";
import { changeTraffic } from "../../src/host/traffic-control.ts";
import { createFilter, type Filter } from "../../src/network/filter/filter.ts";
import { type ContainerNetwork, createContainerNetwork } from "../../src/network/network.ts";
import { concernsShaping } from "../../src/network/shaping/news.ts";
import { createShaping } from "../../src/network/shaping/shaping.ts";
import { type Cable, type Cables, container, layCables, log, placement } from "./rig.ts";

/** So that nothing but news makes the network look. */
const never = 3_600_000;

let cables: Cables;
let all: Cable[];
let network: ContainerNetwork;
let filter: Filter;
let table: string;
let looks: number;
/** News that were taken for somebody else's doing. */
let strangers: string[];
let heard: string[];

beforeEach(async () => {
	cables = await layCables();
	table = cables.bridge;
	looks = 0;
	strangers = [];
	heard = [];
	all = [await cables.add(), await cables.add()];
	const shaping = createShaping(cables.options);
	filter = createFilter({
		bridge: cables.bridge,
		subnet: cables.options.subnet,
		gateway: cables.gateway,
		egress: "closed",
		table,
		rules: defaultRules,
		reachedBy: [0],
		log,
	});
	cables.cleanup.push("shaper", () => shaping.release());
	cables.cleanup.push("filter", () => filter.release());
	await shaping.ensure();
	await filter.ensure();
	network = createContainerNetwork({
		parts: [
			{
				...shaping,
				async repair(members) {
					looks += 1;
					return shaping.repair(members);
				},
				concerns: (news) => note(news, shaping.concerns(news)),
			},
			{ ...filter, concerns: (news) => note(news, filter.concerns(news)) },
		],
		traffic: shaping,
		subnet: cables.options.subnet,
		findCable: async (pid) => all.find((cable) => cable.pid === pid)?.interfaceName ?? "",
		follow: (onNews) =>
			followKernel((news: KernelNews) => {
				heard.push(news.line);
				onNews(news);
			}, log),
		repairEveryMs: never,
		log,
	});
	cables.cleanup.push("network", () => network.close());
	for (const [index, cable] of all.entries()) await network.attach(container(cable), placement(`p${index}`));
	network.watch();
	await eventually("the first look", () => looks > 0);
	// All three monitors listen once they have told of what was done for them to see.
	const mark = `rdn${randomBytes(3).toString("hex")}`;
	const isMark = (start: string) => heard.some((line) => line.includes(start) && line.includes(mark));
	await eventually("the monitors", async () => {
		await runCommand("ip", ["link", "add", "name", mark, "type", "ifb"]);
		await runCommand("tc", ["qdisc", "add", "dev", mark, "root", "handle", "9:", "htb"]);
		await runCommand("ip", ["link", "delete", "dev", mark]);
		await runCommand("nft", ["add", "table", "inet", mark]);
		await runCommand("nft", ["delete", "table", "inet", mark]);
		return isMark("Deleted") && isMark("changed qdisc 9:0") && isMark("delete table");
	});
}, 60_000);
afterEach(() => cables.cleanup.run());

function note({ line }: KernelNews, isStrangers: boolean): boolean {
	if (isStrangers && line !== "") strangers.push(line);
	return isStrangers;
}

const mended = () => (network.repairs().get("shaping") ?? 0) + (network.repairs().get("filter") ?? 0);

test("whatever is taken from the kernel is put back at its news", async () => {
	const { device, strayDevice } = cables.options;
	const [first, other] = all as [Cable, Cable];
	const address = first.address;
	await filter.refuseSite(["198.51.100.9", "198.51.100.8"]);
	await filter.refuseSite(["198.51.100.8", "198.51.100.7"]);
	const site = async () => {
		const listed = await runCommand("nft", ["list", "set", "inet", table, "site"]);
		return [...listed.matchAll(/198\.51\.100\.\d/g)].map(String).sort();
	};
	expect(await site()).toEqual(["198.51.100.7", "198.51.100.8"]);
	expect(await network.repair()).toEqual([]);
	const harm: string[][] = [
		["tc", "qdisc", "del", "dev", other.interfaceName, "ingress"],
		["tc", "filter", "del", "dev", other.interfaceName, "ingress", "pref", "1"],
		["tc", "filter", "del", "dev", device, "parent", "1:", "pref", "2"],
		["tc", "filter", "del", "dev", device, "parent", "11:"],
		["tc", "filter", "del", "dev", device, ..."parent 1: protocol ip pref 1 handle 1:b:1 u32".split(" ")],
		["tc", "qdisc", "del", "dev", device, "parent", "1:11", "handle", "11:"],
		["tc", "qdisc", "del", "dev", strayDevice, "root"],
		["tc", "qdisc", "del", "dev", device, "root"],
		["ip", "link", "delete", "dev", device],
		["ip", "link", "set", "dev", strayDevice, "down"],
		["nft", "delete", "element", "inet", table, "modes", `{ ${address} }`],
		["nft", "delete", "element", "inet", table, "site", "{ 198.51.100.7 }"],
		["nft", "add", "element", "inet", table, "site", "{ 198.51.100.9 }"],
		["nft", "flush", "chain", "inet", table, "transport"],
		["nft", "insert", "rule", "inet", table, "forward", "accept"],
		["nft", "delete", "table", "inet", table],
		["nft", "delete", "table", "bridge", table],
	];
	for (const [program = "", ...words] of harm) {
		const before = mended();
		await runCommand(program, words);
		const startedAtMs = performance.now();
		await eventually(`the repair after ${program} ${words.join(" ")}`, () => mended() > before, 15_000);
		// Far below the time after which it would be found anyhow; the machine may be busy.
		expect(performance.now() - startedAtMs).toBeLessThan(10_000);
		expect(await network.repair(), words.join(" ")).toEqual([]);
		expect(await site(), words.join(" ")).toEqual(["198.51.100.7", "198.51.100.8"]);
	}
}, 120_000);

test("what somebody changes or adds right after a change of our own is found by its news", async () => {
	const { device } = cables.options;
	const [, other] = all as [Cable, Cable];
	const harm = [
		["class", "change", "dev", device, ..."parent 1:1 classid 1:11 htb rate 5mbit ceil 5mbit".split(" ")],
		["class", "add", "dev", device, ..."parent 1:1 classid 1:77 htb rate 5mbit".split(" ")],
		["qdisc", "add", "dev", other.interfaceName, ..."root tbf rate 1mbit burst 10kb limit 10kb".split(" ")],
		[
			...["filter", "add", "dev", other.interfaceName],
			..."parent ffff: protocol all pref 3 u32 match u32 0 0 action mirred egress redirect dev".split(" "),
			device,
		],
	];
	for (const words of harm) {
		await network.policyChanged(placement("p0", "p0", { egressBitsPerSecond: 1e6 + mended() * 8_000 }));
		const before = mended();
		// While the news of ours are still on their way.
		const ours = network.policyChanged(placement("p1", "p1", { egressBitsPerSecond: 2e6 + before * 8_000 }));
		await runCommand("tc", words);
		await ours;
		await eventually(`the repair after tc ${words.join(" ")}`, () => mended() > before);
		expect(await network.repair(), words.join(" ")).toEqual([]);
	}
}, 60_000);

test("our own changes are no news to us, and nothing is looked at for them", async () => {
	const [, other] = all as [Cable, Cable];
	await eventually("quiet", async () => {
		const before = looks;
		await new Promise((resolve) => setTimeout(resolve, 1_500));
		return looks === before;
	});
	const before = looks;
	strangers = [];
	heard = [];
	for (let round = 0; round < 10; round += 1) {
		await network.detach("p1");
		// A container that is attached is a new one, whose cable is bare.
		await changeTraffic([`qdisc del dev ${other.interfaceName} ingress`]);
		await network.attach(container(other), placement("p1"));
		await network.policyChanged(placement("p1", "p1", { egressBitsPerSecond: 1e6 + round * 8_000 }));
	}
	// What comes after all of that in the kernel's news is heard after it.
	await runCommand("tc", ["qdisc", "del", "dev", other.interfaceName, "ingress"]);
	await eventually("the repair", () => looks > before);
	expect(strangers).toEqual([`deleted qdisc ffff:0 dev ${other.interfaceName}`]);
	expect(heard.filter((line) => line.includes(`dev ${other.interfaceName}`)).length).toBeGreaterThan(40);
});

test("thousands of changes at once are heard without a loss", async () => {
	const { device } = cables.options;
	heard = [];
	const lines = Array.from({ length: 3_000 }, (_, index) => (index + 0x100).toString(16));
	await changeTraffic(lines.map((id) => `class add dev ${device} parent 1: classid 1:${id} htb rate 1mbit`));
	await eventually("all of them", () => heard.includes(`changed class 1:${lines.at(-1)} dev ${device}`));
	expect(heard.filter((line) => line.startsWith("changed class 1:"))).toHaveLength(lines.length);
	expect(heard).not.toContain("");
	expect(strangers).toEqual([]);
});

test("whose a change is tells the process, and what it is about the device", () => {
	const options = { device: "rdi1", strayDevice: "rds1" };
	const concerns = (line: string, by = 7, from: KernelNews["from"] = "traffic") =>
		concernsShaping(
			{ from, line, by },
			options,
			(name) => name === "veth1",
			(pid) => pid === 9,
		);
	for (const device of ["rdi1", "rds1", "veth1"]) expect(concerns(`changed filter 1:0 dev ${device}`)).toBe(true);
	expect(concerns("deleted class 1:11 dev rdi1", 9)).toBe(false);
	// What the kernel does by itself follows from another change.
	expect(concerns("deleted chain 0:0 dev rdi1", 0)).toBe(false);
	expect(concerns("deleted qdisc ffff:0 dev veth2")).toBe(false);
	expect(concerns("", 0)).toBe(true);
	expect(concerns("", 0, "filter")).toBe(false);
	expect(concerns("Deleted 7: rdi1: <BROADCAST,NOARP> mtu 1500", 0, "links")).toBe(true);
	expect(concerns("7: rds1: <BROADCAST,NOARP> mtu 1500 state DOWN", 0, "links")).toBe(true);
	expect(concerns("Deleted 9: veth1@NONE: <BROADCAST> mtu 1500", 0, "links")).toBe(false);
});

test("messages of the kernel are read however they are cut, and others are passed over", () => {
	const message = (type: number, by: number, handle: number) => {
		const bytes = Buffer.alloc(40);
		bytes.writeUInt32LE(38, 0);
		bytes.writeUInt16LE(type, 4);
		bytes.writeUInt32LE(by, 12);
		bytes.writeInt32LE(5, 20);
		bytes.writeUInt32LE(handle, 24);
		return bytes;
	};
	const bytes = Buffer.concat([message(41, 77, 0x00010011), message(3, 0, 0), message(36, 78, 0xffff0000)]);
	const expected = [
		{ kind: "class", isDeletion: true, interfaceIndex: 5, handle: 0x00010011, by: 77 },
		{ kind: "qdisc", isDeletion: false, interfaceIndex: 5, handle: 0xffff0000, by: 78 },
	];
	for (const size of [1, 7, 40, 120]) {
		const reader = createTrafficReader();
		const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
			bytes.subarray(at * size, (at + 1) * size),
		);
		expect(parts.flatMap((part) => reader.push(part))).toEqual(expected);
	}
	expect(() => createTrafficReader().push(Buffer.alloc(20))).toThrow();
});
