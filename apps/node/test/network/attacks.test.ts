import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { type NetworkPolicy, openNetwork } from "@repldock/protocol";
import { createCleanupStack, runCommand } from "@repldock/service";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { eachConnection } from "../../src/host/connections.ts";
import { createNetwork } from "../../src/host/network.ts";
import { defaultRules } from "../../src/host/network-filter.ts";
import { prepareResolver, resolverProgram } from "../../src/host/resolver.ts";
import { type NodeFilter, startNodeFilter } from "../../src/network/filter/start.ts";
import type { Member } from "../../src/network/parts.ts";
import { until } from "../edge/support.ts";
import { execute, log, type Machine, type StartedContainer, startMachine } from "../host/machine.ts";
import { startAuthority } from "./authority.ts";
import { attachable } from "./members.ts";
import { type Outside, startOutside } from "./outside.ts";

/** Containers with the whole of a node's filter around them: tables, name server, dnsmasq, an "internet". */
let machine: Machine;
let outside: Outside;
let filter: NodeFilter;
let authority: Awaited<ReturnType<typeof startAuthority>>;
let dnsmasq: ChildProcess;
let startDnsmasq: () => Promise<void>;
let first: Member;
let second: Member;
const containers = new Map<Member, StartedContainer>();
const cleanup = createCleanupStack(log);

const third = randomBytes(1)[0] ?? 0;
const listed = `198.18.${third}.10`;
const unlisted = `198.18.${third}.20`;
/** Nobody answers there. */
const silent = `198.18.${third}.30`;
const near = `198.18.${third}.1`;
const connections = 100;
const connectionsPerSecond = 200;
const questionsPerSecond = 20;
const allowList: NetworkPolicy = { ...openNetwork, mode: "allow-list", allowedDomains: ["*.example.org"] };

beforeAll(async () => {
	machine = await startMachine();
	cleanup.push("machine", () => machine.release());
	outside = await startOutside([listed, unlisted], near, log);
	cleanup.push("outside", () => outside.release());
	await runCommand("ip", ["route", "add", `${silent}/32`, "via", listed, "src", near]);
	await outside.listen(80);
	authority = await startAuthority((name) => (name.endsWith("example.org") ? listed : unlisted));
	cleanup.push("authority", () => authority.close());
	const options = {
		...machine.networkOptions,
		egress: "open" as const,
		rules: {
			...defaultRules,
			allowedNetworks: [`198.18.${third}.0/24`],
			connections,
			connectionsPerSecond,
			questionsPerSecond,
		},
	};
	await createNetwork(options).ensure();
	const resolver = {
		address: options.gateway,
		nameServers: [authority.server],
		configFile: join(machine.directory, "resolver.conf"),
		user: "nobody",
	};
	await prepareResolver(resolver);
	const { program, arguments: words } = resolverProgram(resolver);
	startDnsmasq = async () => {
		dnsmasq = spawn(program, words, { stdio: "ignore" });
		await once(dnsmasq, "spawn");
	};
	await startDnsmasq();
	cleanup.push("dnsmasq", () => endDnsmasq());
	filter = await startNodeFilter({ ...options, engine: machine.engine, log });
	cleanup.push("filter", () => filter.close());
	for (const number of [1, 2]) {
		const container = await machine.startContainer();
		containers.set(await attachable(container, number), container);
	}
	[first, second] = [...containers.keys()] as [Member, Member];
	await filter.attach(second);
	await until(async () => (await ask(second, "up.example.org")) === listed);
}, 120_000);

afterAll(() => cleanup.run(), 60_000);

beforeEach(async () => {
	// Counted anew, with all that it may ask.
	for (const member of [first, second]) {
		await filter.detach(member);
		await filter.attach(member);
	}
});

async function endDnsmasq() {
	if (dnsmasq.exitCode !== null || dnsmasq.signalCode !== null) return;
	const ended = once(dnsmasq, "exit");
	dnsmasq.kill("SIGKILL");
	await ended;
}

async function perl(member: Member, script: string, ...words: string[]): Promise<string> {
	const container = containers.get(member);
	if (!container) throw new Error("This member has no container.");
	return (await execute(machine.engine, container.id, ["perl", "-MSocket", "-e", script, ...words])).output;
}

const connector = `$SIG{ALRM} = sub { print "timed out"; exit }; alarm 8;
	socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) or do { print "refused: $!"; exit };
	print scalar <S>;`;
const connectFrom = (member: Member, address: string, port = 80) => perl(member, connector, address, String(port));
const reached = `reached by ${near}\n`;
const refusedTcp = "refused: Connection refused";

/** A question for an address in DNS, from a socket of its own. */
const question = `sub question { my ($id, $name) = @_; return pack("n6", $id, 0x100, 1, 0, 0, 0) . join("", map { pack("C/a*", $_) } split(/\\./, $name)) . pack("Cn2", 0, 1, 1) }`;
const asker = `${question} $SIG{ALRM} = sub { print "silence"; exit }; alarm 8;
	socket(S, PF_INET, SOCK_DGRAM, 0); connect(S, sockaddr_in(53, inet_aton($ARGV[0])));
	send(S, question(7, $ARGV[1]), 0) or do { print "refused: $!"; exit }; defined(sysread(S, my $reply, 4096)) or do { print "refused: $!"; exit };
	my $code = unpack("n", substr($reply, 2, 2)) & 15; my $found = unpack("n", substr($reply, 6, 2));
	print $code ? "code $code" : $found ? inet_ntoa(substr($reply, -4)) : "nothing";`;
const ask = (member: Member, name: string) => perl(member, asker, machine.networkOptions.gateway, name);

async function refused(member: Member) {
	return (await filter.refusals()).get(member.projectId) ?? {};
}

/** What the kernel's table holds of a member, and how much of it goes to where nobody answers. */
async function tracked(member: Member): Promise<{ all: number; halfOpen: number }> {
	const found = { all: 0, halfOpen: 0 };
	await eachConnection(new Set([member.address]), ({ destination }) => {
		found.all += 1;
		if (destination === silent) found.halfOpen += 1;
	});
	return found;
}

test("an allow-list, as a container sees it: its names and their addresses, and nothing else by any name or number", async () => {
	await filter.attach({ ...first, policy: allowList });
	expect(await connectFrom(first, listed)).toBe(refusedTcp);
	expect(await ask(first, "www.example.org")).toBe(listed);
	expect(await connectFrom(first, listed)).toBe(reached);
	expect(await ask(first, "www.example.net")).toBe("code 3");
	expect(await ask(first, "www.example.org.example.net")).toBe("code 3");
	expect(await connectFrom(first, unlisted)).toBe(refusedTcp);
	expect(authority.asked).not.toContain("www.example.net");
	expect(await refused(first)).toMatchObject({ "not-allowed": 4 });
	// What one project's names have opened is closed to the others, and again when the list is another one.
	await filter.attach({ ...second, policy: allowList });
	expect(await connectFrom(second, listed)).toBe(refusedTcp);
	await filter.attach({ ...first, policy: { ...allowList, allowedDomains: ["example.com"] } });
	expect(await connectFrom(first, listed)).toBe(refusedTcp);
});

test("who asks for names without end is answered at the rate that all have; a neighbour does not notice", async () => {
	const flood = `${question} socket(S, PF_INET, SOCK_DGRAM, 0); connect(S, sockaddr_in(53, inet_aton($ARGV[0])));
		my ($sent, $refused) = (0, 0); for my $turn (1 .. 5000) { send(S, question($turn, "x$turn.example.org"), 0) ? $sent++ : $refused++ } print "$sent $refused"`;
	const flooding = perl(first, flood, machine.networkOptions.gateway);
	expect(await ask(second, "meanwhile.example.org")).toBe(listed);
	await flooding;
	const asked = authority.asked.filter((name) => /^x\d+\.example/.test(name)).length;
	expect(asked).toBeGreaterThan(0);
	expect(asked).toBeLessThan(2_500);
	expect((await refused(first)).questions).toBeGreaterThan(2_000);
	expect(await refused(second)).not.toHaveProperty("questions");
});

test("nobody answers another one's questions: neither under the node's address nor under their own", async () => {
	// A listener that takes the first datagram for the answer, as many resolvers do.
	const waiting = perl(
		first,
		`socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(5353, INADDR_ANY)); $SIG{ALRM} = sub { print "silence"; exit }; alarm 3; sysread(S, $_, 99); print "heard $_"`,
	);
	const pid = containers.get(second)?.pid ?? 0;
	const inside = (...words: string[]) => runCommand("nsenter", [`--net=/proc/${pid}/ns/net`, ...words]);
	const forge = (from: string) =>
		inside(
			"perl",
			"-MSocket",
			"-e",
			`socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(53, inet_aton($ARGV[0]))) or die "$!"; for (1 .. 50) { send(S, "forged", 0, sockaddr_in(5353, inet_aton($ARGV[1]))) } print "sent"`,
			from,
			first.address,
		);
	const { gateway } = machine.networkOptions;
	await forge(second.address);
	await inside("ip", "address", "add", `${gateway}/32`, "dev", "eth0");
	await forge(gateway);
	await inside("ip", "address", "delete", `${gateway}/32`, "dev", "eth0");
	expect(await waiting).toBe("silence");
	expect((await refused(second)).spoofed).toBeGreaterThan(0);
});

test("a hundred thousand connections take no more of the kernel's table than one container may have", async () => {
	const storm = `use Fcntl; my ($tried, @kept) = (0); while ($tried < 100000) { $tried++;
		socket(my $s, PF_INET, SOCK_STREAM, 0) or do { @kept = (); next }; fcntl($s, F_SETFL, O_NONBLOCK);
		connect($s, sockaddr_in(1 + $tried % 60000, inet_aton($ARGV[$tried % 2]))); push @kept, $s; @kept = () if @kept > 200 } print $tried`;
	const startedAtMs = performance.now();
	const raging = perl(first, storm, silent, listed);
	expect(await connectFrom(second, listed)).toBe(reached);
	expect(await ask(second, "meanwhile.example.org")).toBe(listed);
	expect(await raging).toBe("100000");
	// Those that ended stay in the table for a while, and count no more.
	const seconds = (performance.now() - startedAtMs) / 1000;
	const { all, halfOpen } = await tracked(first);
	expect(halfOpen).toBeGreaterThan(0);
	expect(halfOpen).toBeLessThanOrEqual(connections + 1);
	expect(all).toBeLessThanOrEqual(connections + (seconds + 3) * connectionsPerSecond);
	expect((await refused(first)).connections).toBeGreaterThan(50_000);
	expect(await connectFrom(second, listed)).toBe(reached);
	// The next container at this address begins with nothing.
	await filter.detach(first);
	await filter.attach(first);
	expect((await tracked(first)).all).toBe(0);
	expect(await connectFrom(first, listed)).toBe(reached);
}, 60_000);

test("only the node's own programs reach a container: neither the internet nor other users of the machine", async () => {
	const { address } = first;
	const serving = perl(
		first,
		`socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); bind(S, sockaddr_in(8080, INADDR_ANY)); listen(S, 9);
		$SIG{ALRM} = sub { exit }; alarm 20; while (accept(C, S)) { syswrite(C, "reached by somebody\\n"); close C; last if $ARGV[0]-- < 1 }`,
		"1",
	);
	const call = ["-MSocket", "-e", connector.replace("alarm 8", "alarm 2"), address, "8080"];
	await until(async () => (await runCommand("perl", call)).startsWith("reached"));
	const asNobody = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"];
	expect(await runCommand("setpriv", [...asNobody, "perl", ...call])).toBe(refusedTcp);
	// The internet knows the way, as a neighbour on the node's own network would.
	await outside.route(machine.networkOptions.subnet);
	expect(await outside.say("perl", ...call)).toBe("timed out");
	expect(await runCommand("perl", call)).toBe("reached by somebody\n");
	await serving;
});

test("without dnsmasq names are not resolved and nothing is opened; afterwards all is as before", async () => {
	// Another list than before: what that one opened is closed.
	await filter.attach({ ...first, policy: { ...allowList, allowedDomains: ["later.example.org"] } });
	await endDnsmasq();
	expect(await ask(first, "later.example.org")).toBe("code 2");
	expect(await connectFrom(first, listed)).toBe(refusedTcp);
	await startDnsmasq();
	await until(async () => (await ask(first, "later.example.org")) === listed);
	expect(await connectFrom(first, listed)).toBe(reached);
});
