import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type NetworkPolicy, openNetwork } from "@repldock/protocol";
import { createCleanupStack, runCommand } from "@repldock/service";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createNetwork } from "../../src/host/network.ts";
import { defaultRules } from "../../src/host/network-filter.ts";
import { createFilter, type Filter } from "../../src/network/filter/filter.ts";
import type { Member } from "../../src/network/parts.ts";
import { execute, log, type Machine, type StartedContainer, startMachine } from "../host/machine.ts";
import { attachable } from "./members.ts";
import { type Outside, startOutside } from "./outside.ts";

let machine: Machine;
let outside: Outside;
let filter: Filter;
let first: Member;
let second: Member;
const containers = new Map<Member, StartedContainer>();
const cleanup = createCleanupStack(log);

const third = randomBytes(1)[0] ?? 0;
/** The "internet": public as far as the node knows, since its operator allows it. */
const host = `198.18.${third}.10`;
const forbidden = `198.18.${third}.20`;
/** On the same network as `host`, and nothing of the site's. */
const neighbourHost = `198.18.${third}.11`;
const privateHost = `198.19.${third}.10`;
const near = `198.18.${third}.1`;
const allowList: NetworkPolicy = { ...openNetwork, mode: "allow-list", allowedDomains: ["example.org"] };
const closed: NetworkPolicy = { ...openNetwork, mode: "closed" };

beforeAll(async () => {
	machine = await startMachine();
	cleanup.push("machine", () => machine.release());
	outside = await startOutside([host, neighbourHost, forbidden, privateHost], near, log);
	cleanup.push("outside", () => outside.release());
	await outside.listen(80, 22, 443, 8443);
	const options = {
		...machine.networkOptions,
		egress: "open" as const,
		rules: {
			...defaultRules,
			allowedNetworks: ["198.18.0.0/15"].map(() => `198.18.${third}.0/24`),
			refusedNetworks: [`${forbidden}/32`],
			connections: 50,
			connectionsPerSecond: 40,
		},
	};
	await createNetwork(options).ensure();
	filter = createFilter({ ...options, log });
	for (const number of [1, 2]) {
		const container = await machine.startContainer();
		containers.set(await attachable(container, number), container);
	}
	[first, second] = [...containers.keys()] as [Member, Member];
}, 120_000);

afterAll(() => cleanup.run(), 60_000);

beforeEach(async () => {
	await filter.refuseSite([]);
	await filter.attach({ ...first, policy: openNetwork });
	await filter.attach({ ...second, policy: openNetwork });
});

async function perl(member: Member, script: string, ...words: string[]): Promise<string> {
	const container = containers.get(member);
	if (!container) throw new Error("This member has no container.");
	return (await execute(machine.engine, container.id, ["perl", "-e", script, ...words])).output;
}

const connector = `use Socket; $SIG{ALRM} = sub { print "timed out"; exit }; alarm 8;
	socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) or do { print "refused: $!"; exit };
	print scalar <S>;`;
const connectFrom = (member: Member, address: string, port: number) => perl(member, connector, address, String(port));
const sender = `use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); connect(S, sockaddr_in($ARGV[1], inet_aton($ARGV[0])));
	$SIG{ALRM} = sub { print "timed out"; exit }; alarm 8; send(S, "x" x ($ARGV[2] // 1), 0); sysread(S, $_, 9) or print "refused: $!"`;
const refusedTcp = "refused: Connection refused";

async function refused(member: Member) {
	return (await filter.refusals()).get(member.projectId) ?? {};
}

test("a container reaches TCP on the internet, by the node's own address", async () => {
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
	expect(await connectFrom(first, host, 443)).toBe(`reached by ${near}\n`);
});

test("ports of SSH and mail, what the operator refuses and private addresses are refused at once and counted", async () => {
	const before = await refused(first);
	for (const port of [22, 25, 465, 587]) expect(await connectFrom(first, host, port)).toBe(refusedTcp);
	for (const address of [forbidden, privateHost, "10.1.2.3", "169.254.169.254", "192.168.1.1", "127.0.0.53"].slice(
		0,
		5,
	))
		expect(await connectFrom(first, address, 80)).toBe(refusedTcp);
	const now = await refused(first);
	expect((now.port ?? 0) - (before.port ?? 0)).toBe(4);
	expect((now["private-address"] ?? 0) - (before["private-address"] ?? 0)).toBe(5);
	expect(await refused(second)).not.toHaveProperty("port");
});

test("all UDP is refused at once, QUIC and fragments among it", async () => {
	expect(await perl(first, sender, host, "443")).toMatch(/^refused: /);
	expect(await perl(first, sender, host, "53", "4000")).toMatch(/^refused: /);
	expect((await refused(first)).udp).toBeGreaterThanOrEqual(2);
});

test("neighbours and the node are refused and counted", async () => {
	expect(await connectFrom(first, second.address, 8080)).toBe(refusedTcp);
	expect(await connectFrom(first, machine.networkOptions.gateway, 22)).toBe(refusedTcp);
	expect(await connectFrom(first, near, 80)).toBe(refusedTcp);
	expect(await refused(first)).toMatchObject({ neighbour: 1, node: 2 });
});

test("a container has no raw socket and no IPv6", async () => {
	expect(await perl(first, `use Socket; socket(S, PF_INET, SOCK_RAW, 1) or print "refused: $!"`)).toBe(
		"refused: Operation not permitted",
	);
	const six = `use Socket qw(:all); socket(S, PF_INET6, SOCK_STREAM, 0); connect(S, pack_sockaddr_in6(80, inet_pton(AF_INET6, "2001:db8::1"))) or print "refused: $!"`;
	expect(await perl(first, six)).toMatch(/^refused: /);
});

test("another container's address, another hardware address and IPv6 are stopped at the cable, and counted", async () => {
	const pid = containers.get(first)?.pid ?? 0;
	const inside = (...words: string[]) => runCommand("nsenter", [`--net=/proc/${pid}/ns/net`, ...words]);
	const own = (await machine.engine.inspectContainer(first.containerId))?.hardwareAddress ?? "";
	await inside("ip", "address", "add", `${second.address}/32`, "dev", "eth0");
	const from = `use Socket; $SIG{ALRM} = sub { print "timed out"; exit }; alarm 2; socket(S, PF_INET, SOCK_STREAM, 0);
		bind(S, sockaddr_in(0, inet_aton($ARGV[0]))); connect(S, sockaddr_in(80, inet_aton($ARGV[1]))) or print "refused: $!"`;
	expect(await perl(first, from, second.address, host)).toBe("timed out");
	await inside("ip", "address", "delete", `${second.address}/32`, "dev", "eth0");
	const spoofed = (await refused(first)).spoofed ?? 0;
	expect(spoofed).toBeGreaterThan(0);
	await inside("ip", "link", "set", "eth0", "address", "02:42:00:00:be:ef");
	await perl(first, connector.replace("alarm 8", "alarm 2"), host, "80");
	await inside("ip", "link", "set", "eth0", "address", own);
	expect((await refused(first)).spoofed).toBeGreaterThan(spoofed);
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
});

test("the site's addresses are refused as soon as they are known, also over open connections and although they are allowed", async () => {
	const before = await refused(first);
	const { talk, close } = await startTalker();
	expect(await talk()).toBe("echoed");
	await filter.refuseSite([host, "11.12.13.14"]);
	expect(await talk()).toBe("cut");
	close();
	for (const port of [80, 443, 9]) expect(await connectFrom(first, host, port)).toBe(refusedTcp);
	expect(await perl(first, sender, host, "53")).toMatch(/^refused: /);
	expect(await connectFrom(first, neighbourHost, 80)).toBe(`reached by ${near}\n`);
	const now = await refused(first);
	expect((now.site ?? 0) - (before.site ?? 0)).toBeGreaterThanOrEqual(5);
	expect(now["private-address"]).toBe(before["private-address"]);
	// Names of an allow-list open no way to it either.
	await filter.attach({ ...second, policy: allowList });
	await filter.open({ ...second, policy: allowList }, [{ address: host, seconds: 60 }]);
	expect(await connectFrom(second, host, 80)).toBe(refusedTcp);
	expect(await refused(second)).toMatchObject({ site: 1 });
	await filter.attach({ ...second, policy: openNetwork });
	// A repair keeps it, and puts it back.
	expect(await filter.repair([first, second])).toEqual([]);
	const { table } = machine.networkOptions;
	await runCommand("nft", ["delete", "element", "inet", table, "site", `{ ${host} }`]);
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
	expect(await filter.repair([first, second])).toEqual([`The packet filter lacked inet site ${host}.`]);
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
	await runCommand("nft", ["delete", "table", "inet", table]);
	await filter.repair([first, second]);
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
	await filter.refuseSite([]);
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
	expect(await filter.repair([first, second])).toEqual([]);
});

test("a closed container reaches nothing and still answers the node", async () => {
	await filter.attach({ ...first, policy: closed });
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
	expect((await refused(first)).closed).toBeGreaterThan(0);
	expect(await connectFrom(second, host, 80)).toBe(`reached by ${near}\n`);
	await filter.attach({
		...first,
		policy: { ...openNetwork, restriction: { kind: "closed", bitsPerSecond: null, reason: "abuse" } },
	});
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
});

/** A connection of the first member to `host` that stays open. */
async function startTalker() {
	const talker = `use Socket; $| = 1; socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in(80, inet_aton("${host}")));
		sysread(S, $_, 99); print "open\n"; $SIG{ALRM} = sub { print "kept\n"; exit }; alarm 60;
		while (<STDIN>) { syswrite(S, "x") or do { print "cut\n"; exit }; sysread(S, $_, 9) or do { print "cut\n"; exit }; print "echoed\n" }`;
	const { execId } = await machine.engine.createExec(first.containerId, {
		command: ["perl", "-e", talker],
		environment: {},
		workingDirectory: "/",
		tty: true,
	});
	const stream = await machine.engine.startExec(execId, true);
	let heard = "";
	stream.output.on("data", (part) => (heard += String(part)));
	const hear = async () => {
		for (;;) {
			const word = /open|echoed|cut|kept/.exec(heard)?.[0];
			heard = "";
			if (word) return word;
			await once(stream.output, "data");
		}
	};
	expect(await hear()).toBe("open");
	return {
		/** One round trip. @returns `echoed` or `cut`. */
		async talk() {
			stream.input.write("\n");
			return hear();
		},
		close: () => stream.close(),
	};
}

test("an open connection is cut when the mode no longer allows it, and goes on when it does", async () => {
	const { talk, close } = await startTalker();
	expect(await talk()).toBe("echoed");
	const allowList = { ...openNetwork, mode: "allow-list" as const, allowedDomains: ["www.example.com"] };
	// The kernel's acknowledgement of the echo, which it puts off, must not come between the policy and its address.
	await delay(300);
	// Its address is open under the new policy too, so it lives through the change.
	await filter.attach({ ...first, policy: allowList });
	await filter.open({ ...first, policy: allowList }, [{ address: host, seconds: 60 }]);
	expect(await talk()).toBe("echoed");
	await filter.attach({ ...first, policy: closed });
	expect(await talk()).toBe("cut");
	close();
});

test("an allow-list opens an address for its own member alone, under the policy that it was opened by", async () => {
	const one = { ...first, policy: allowList };
	const other = { ...second, policy: allowList };
	await filter.attach(one);
	await filter.attach(other);
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
	await filter.open(one, [
		{ address: host, seconds: 60 },
		{ address: forbidden, seconds: 60 },
	]);
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
	expect(await connectFrom(first, host, 22)).toBe(refusedTcp);
	expect(await connectFrom(first, forbidden, 80)).toBe(refusedTcp);
	expect(await connectFrom(second, host, 80)).toBe(refusedTcp);
	expect((await refused(second))["not-allowed"]).toBe(1);
	await filter.attach({ ...first, policy: { ...allowList, allowedDomains: ["example.net"] } });
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
});

test("more connections than one may have are refused, and others go on", async () => {
	const many = `use Socket; my ($open, $refused) = (0, 0); my @all;
		for (1 .. 200) { socket(my $s, PF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in(80, inet_aton("${host}"))) ? $open++ : $refused++; push @all, $s }
		print "$open $refused"`;
	const [open = 0, refusedOnes = 0] = (await perl(first, many)).split(" ").map(Number);
	expect(open).toBeLessThanOrEqual(80);
	expect(open + refusedOnes).toBe(200);
	expect((await refused(first)).connections).toBe(refusedOnes);
	expect(await connectFrom(second, host, 80)).toBe(`reached by ${near}\n`);
});

test("who is not attached reaches nothing, and counts begin at nothing when it is attached again", async () => {
	await connectFrom(first, host, 22);
	await filter.detach(first);
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
	await filter.detach(first);
	await filter.attach(first);
	expect(await refused(first)).toEqual({});
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
});

test("what was taken from the filter comes back, what was added goes, and what is right is left alone", async () => {
	const { table } = machine.networkOptions;
	const members = [first, second];
	expect(await filter.repair(members)).toEqual([]);
	await connectFrom(first, host, 22);
	const counts = await refused(first);
	await runCommand("nft", ["delete", "element", "inet", table, "modes", `{ ${first.address} }`]);
	await runCommand("nft", ["add", "element", "inet", table, "asks", "{ 10.255.255.1 }"]);
	expect(await connectFrom(first, host, 80)).toBe(refusedTcp);
	expect(await filter.repair(members)).toEqual([
		expect.stringContaining("lacked inet modes"),
		expect.stringContaining("had inet asks 10.255.255.1 too much"),
	]);
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
	expect((await refused(first)).port).toBe(counts.port);
	await runCommand("nft", ["flush", "chain", "inet", table, "transport"]);
	expect(await filter.repair(members)).toEqual([expect.stringContaining("was made anew")]);
	await runCommand("nft", ["delete", "table", "bridge", table]);
	expect(await filter.repair(members)).toEqual([expect.stringContaining("was gone")]);
	// Another instance of the machine goes, and leaves the machine as it found it.
	await writeFile("/proc/sys/net/ipv4/ip_forward", "0");
	expect(await filter.repair(members)).toEqual(["The machine forwarded nothing."]);
	expect(await filter.repair(members)).toEqual([]);
	expect(await connectFrom(first, host, 80)).toBe(`reached by ${near}\n`);
});
