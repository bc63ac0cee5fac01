import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type NetworkPolicy, openNetwork } from "@repldock/protocol";
import { createCleanupStack } from "@repldock/service";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { prepareResolver, resolverPort, resolverProgram } from "../../src/host/resolver.ts";
import { isAllowedName } from "../../src/network/filter/allowed-names.ts";
import { readAnswer, readQuestion } from "../../src/network/filter/dns-message.ts";
import { type NameServer, startNameServer } from "../../src/network/filter/name-server.ts";
import type { Member } from "../../src/network/parts.ts";
import { until } from "../edge/support.ts";
import { log, makeScratch } from "../host/machine.ts";
import { startAuthority } from "./authority.ts";

/** The node's address on its "bridge", and two members', all of this machine's loopback. */
const network = `127.${randomInt(1, 250)}.${randomInt(1, 250)}`;
const gateway = `${network}.1`;
const [one, two, stranger] = [`${network}.2`, `${network}.3`, `${network}.4`];
const allowList: NetworkPolicy = {
	...openNetwork,
	mode: "allow-list",
	allowedDomains: ["example.org", "*.wild.example"],
};

const cleanup = createCleanupStack(log);
const members = new Map<string, Member>();
let opened: string[] = [];
let remakes = 0;
let authority: Awaited<ReturnType<typeof startAuthority>>;
let dnsmasq: ChildProcess;
let names: NameServer;
let port: number;
let startDnsmasq: () => Promise<void>;

beforeAll(async () => {
	const scratch = await makeScratch();
	cleanup.push("scratch", () => scratch.cleanup.run());
	authority = await startAuthority((name) => {
		if (name === "inside.wild.example") return "10.1.2.3";
		return name.endsWith("example.org") || name.endsWith(".wild.example") ? "198.18.0.9" : null;
	});
	cleanup.push("authority", () => authority.close());
	const options = {
		address: gateway,
		nameServers: [authority.server],
		configFile: join(scratch.directory, "resolver.conf"),
		user: "nobody",
	};
	await prepareResolver(options);
	const { program, arguments: words } = resolverProgram(options);
	startDnsmasq = async () => {
		dnsmasq = spawn(program, words, { stdio: "ignore" });
		await until(() => accepts(gateway, resolverPort));
	};
	await startDnsmasq();
	cleanup.push("dnsmasq", () => end(dnsmasq));
	names = await startNameServer({
		filter: {
			memberAt: (address) => members.get(address),
			remakes: () => remakes,
			async open(member, addresses) {
				opened.push(...addresses.map(({ address, seconds }) => `${member.address} ${address} ${seconds}`));
			},
		},
		address: gateway,
		port: 0,
		upstream: { address: gateway, port: resolverPort },
		log,
	});
	port = names.port;
	cleanup.push("name server", () => names.close());
}, 30_000);

afterAll(() => cleanup.run());

beforeEach(() => {
	opened = [];
	for (const address of [one, two]) members.set(address, member(address, openNetwork));
	for (const { projectId } of members.values()) names.forget(projectId);
});

function member(address: string, policy: NetworkPolicy): Member {
	const projectId = `project-of-${address}`;
	const cable = { hardwareAddress: "02:42:00:00:00:01", interfaceName: "veth" };
	return { projectId, ownerId: "o", containerId: projectId, number: 1, address, ...cable, policy };
}

async function end(child: ChildProcess) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGKILL");
	await ended;
}

function accepts(host: string, at: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host, port: at }, () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}

/** Asks as the member with this address would. @returns the addresses, or the error's code. */
async function ask(from: string, name: string, how: "resolve4" | "resolve6" = "resolve4"): Promise<string> {
	const resolver = new Resolver({ timeout: 8_000, tries: 1 });
	resolver.setServers([`${gateway}:${port}`]);
	resolver.setLocalAddress(from);
	return resolver[how](name).then(
		(addresses) => addresses.join(" "),
		(error: NodeJS.ErrnoException) => error.code ?? "?",
	);
}

test("an open member resolves every name, and the node remembers which name an address had, for that member alone", async () => {
	expect(await ask(one, "www.example.org")).toBe("198.18.0.9");
	const { projectId } = member(one, openNetwork);
	expect(names.nameOf(projectId, "198.18.0.9")).toBe("www.example.org");
	expect(names.nameOf(member(two, openNetwork).projectId, "198.18.0.9")).toBeUndefined();
	expect(opened).toEqual([]);
	expect(await ask(one, "no.example.net")).toBe("ENOTFOUND");
});

test("there are no IPv6 addresses, and no name leads to a private one", async () => {
	expect(await ask(one, "www.example.org", "resolve6")).toBe("ENODATA");
	expect(await ask(one, "inside.wild.example")).toMatch(/^(ENODATA|ENOTFOUND|EREFUSED)$/);
});

test("an allow-list resolves its names alone and opens their addresses for its member before it answers", async () => {
	members.set(one, member(one, allowList));
	expect(await ask(one, "example.org")).toBe("198.18.0.9");
	// Longer than the answer's own minute: programs keep answers.
	expect(opened).toEqual([`${one} 198.18.0.9 300`]);
	expect(await ask(one, "www.example.org")).toBe("ENOTFOUND");
	expect(await ask(one, "a.wild.example")).toBe("198.18.0.9");
	expect(names.refusedNames().get(member(one, allowList).projectId)).toBe(1);
	expect(authority.asked).not.toContain("secret.example.net");
	expect(await ask(one, "secret.example.net")).toBe("ENOTFOUND");
	expect(authority.asked).not.toContain("secret.example.net");
	expect(opened).toEqual([`${one} 198.18.0.9 300`]);
});

test("what was opened is opened again by the next question after the filter was made anew", async () => {
	members.set(one, member(one, allowList));
	await ask(one, "example.org");
	await ask(one, "example.org");
	expect(opened).toHaveLength(1);
	remakes += 1;
	await ask(one, "example.org");
	expect(opened).toHaveLength(2);
});

test("ten thousand names against an allow-list reach no server, and the member's neighbour is served meanwhile", async () => {
	members.set(one, member(one, allowList));
	const before = authority.asked.length;
	for (let at = 0; at < 10_000; at += 200) {
		await Promise.all(Array.from({ length: 200 }, (_, index) => ask(one, `n${at + index}.tunnel.example`)));
	}
	expect(authority.asked.length).toBe(before);
	expect(await ask(two, "example.org")).toBe("198.18.0.9");
	expect(names.use(member(one, allowList).projectId)).toMatchObject({ questions: 10_000, refused: 10_000 });
}, 60_000);

test("a closed member is refused, and a stranger hears nothing", async () => {
	members.set(one, member(one, { ...openNetwork, mode: "closed" }));
	expect(await ask(one, "example.org")).toBe("EREFUSED");
	const socket: Socket = connect({ host: gateway, port, localAddress: stranger });
	await once(socket, "connect");
	const query = Buffer.from("0001010000010000000000000765786d61706c65036f72670000010001", "hex");
	socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
	const [hadError] = await once(socket, "close");
	expect(hadError).toBe(false);
	expect(socket.bytesRead).toBe(0);
});

test("while dnsmasq is gone members are told that names cannot be resolved, and it is served again afterwards", async () => {
	await end(dnsmasq);
	expect(await ask(one, "fresh.wild.example")).toBe("ESERVFAIL");
	await startDnsmasq();
	expect(await ask(one, "fresh.wild.example")).toBe("198.18.0.9");
});

test("names match whole labels, whatever their bytes", () => {
	expect(isAllowedName("example.org", ["example.org"])).toBe(true);
	expect(isAllowedName("badexample.org", ["example.org", "*.example.org"])).toBe(false);
	expect(isAllowedName("a.b.example.org", ["*.example.org"])).toBe(true);
	expect(isAllowedName("example.org", ["*.example.org"])).toBe(false);
	// One label that holds a dot: `evil.example.org` as a whole below `com` is another name than it looks like.
	const header = Buffer.from("000101000001000000000000", "hex");
	const label = Buffer.from("a.example");
	const message = Buffer.concat([
		header,
		Buffer.from([label.length]),
		label,
		Buffer.from([3]),
		Buffer.from("org"),
		Buffer.from([0, 0, 1, 0, 1]),
	]);
	expect(readQuestion(message)?.name).toBe("a\\046example.org");
});

test("broken messages are none, whatever they hold", () => {
	const header = Buffer.from("000181800001000100000000", "hex");
	const loop = Buffer.concat([header, Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
	expect(readAnswer(loop)).toBeNull();
	for (let size = 0; size < 64; size += 1) {
		const noise = Buffer.from(Array.from({ length: size }, () => randomInt(256)));
		expect(() => [readAnswer(noise), readQuestion(noise)]).not.toThrow();
	}
});
