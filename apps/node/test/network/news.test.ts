import { randomBytes } from "node:crypto";
import { openNetwork } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { followKernel, type KernelNews } from "../../src/host/kernel-news.ts";
import { defaultRules } from "../../src/host/network-filter.ts";
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
/** News that were taken for a loss. */
let losses: string[];
let changedAtMs: number;
let heard: string[];

beforeEach(async () => {
	cables = await layCables();
	table = cables.bridge;
	looks = 0;
	losses = [];
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
	changedAtMs = performance.now();
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
		return isMark("Deleted") && isMark("qdisc htb 9:") && isMark("delete table");
	});
}, 60_000);
afterEach(() => cables.cleanup.run());

function note<T>({ line }: KernelNews, meaning: T): T {
	if (meaning === "gone" && line !== "") losses.push(line);
	return meaning;
}

const mended = () => (network.repairs().get("shaping") ?? 0) + (network.repairs().get("filter") ?? 0);

test("whatever is taken from the kernel is put back at its news", async () => {
	const { device, strayDevice } = cables.options;
	const [first, other] = all as [Cable, Cable];
	const address = first.address;
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
	}
}, 120_000);

test("a class that is changed by hand is put back once our own changes are over", async () => {
	const { device } = cables.options;
	const change = ["class", "change", "dev", device, ..."parent 1:1 classid 1:11 htb rate 5mbit ceil 5mbit".split(" ")];
	// Within a second of a change of our own it may be taken for ours, and waits for the look from time to time.
	await eventually("a second without a change of ours", () => performance.now() - changedAtMs > 1_100);
	await runCommand("tc", change);
	await eventually("the repair", () => mended() > 0);
	expect(await network.repair()).toEqual([]);
});

test("our own changes are no news to us", async () => {
	const [, other] = all as [Cable, Cable];
	for (let round = 0; round < 10; round += 1) {
		await network.detach("p1");
		await runCommand("tc", ["qdisc", "del", "dev", other.interfaceName, "ingress"]);
		await network.attach(container(other), placement("p1"));
		await network.policyChanged(placement("p1", "p1", { egressBitsPerSecond: 1e6 + round * 8_000 }));
	}
	const told = mended();
	// What comes after all of that in the kernel's news is heard after it.
	await runCommand("nft", ["delete", "element", "inet", table, "asks", `{ ${other.address} }`]);
	await eventually("the repair", () => mended() > told);
	// That the cable was bared is this test's own doing.
	expect(losses.filter((line) => !line.includes(`ingress ffff: dev ${other.interfaceName}`))).toEqual([
		expect.stringMatching(/^# new generation/),
	]);
});

test("news are told from others' by what they name", () => {
	const options = { device: "rdi1", strayDevice: "rds1" };
	const member = {
		projectId: "p",
		ownerId: "o",
		containerId: "c",
		number: 0x10b,
		address: "198.18.1.11",
		hardwareAddress: "",
		interfaceName: "veth1",
		policy: openNetwork,
	};
	const meaning = (line: string) => concernsShaping(line, options, [{ member, group: 0x11 }]);
	expect(meaning("deleted class htb 1:11 dev rdi1 parent 1:1 prio 0 rate 5Mbit")).toBe("gone");
	expect(meaning("deleted class htb 1:12 dev rdi1 parent 1:1 prio 0 rate 5Mbit")).toBeNull();
	expect(meaning("class htb 11:10b dev rdi1 root prio 0 rate 4Mbit ceil 4Mbit")).toBe("changed");
	expect(meaning("deleted class htb 11:10c dev rdi1 root prio 0 rate 4Mbit ceil 4Mbit")).toBeNull();
	expect(meaning("deleted qdisc htb 11: dev rdi1 parent 1:11 r2q 10 default 0")).toBe("gone");
	expect(meaning("deleted qdisc htb 12: dev rdi1 parent 1:12 r2q 10 default 0")).toBeNull();
	expect(meaning("deleted qdisc ingress ffff: dev veth1 parent ffff:fff1 refcnt 0")).toBe("gone");
	expect(meaning("deleted qdisc ingress ffff: dev veth2 parent ffff:fff1 refcnt 0")).toBeNull();
	const element = (fh: string) => `deleted filter dev rdi1 parent 1: protocol ip pref 1 u32 chain 0 fh ${fh} order 2`;
	expect(meaning(element("1:b:2"))).toBe("gone");
	expect(meaning(element("1:b:1"))).toBeNull();
	expect(meaning(element("1::2"))).toBeNull();
	expect(meaning("deleted filter dev rdi1 parent 1: protocol ip pref 1 u32 chain 0 ")).toBe("gone");
	expect(meaning("Deleted 7: rdi1: <BROADCAST,NOARP> mtu 1500")).toBe("gone");
	expect(meaning("7: rds1: <BROADCAST,NOARP> mtu 1500 state DOWN")).toBe("changed");
	expect(meaning("Deleted 9: veth1@NONE: <BROADCAST> mtu 1500")).toBeNull();
	expect(meaning("match 00000000/00000000 at 0")).toBeNull();
});
