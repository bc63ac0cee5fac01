import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createNetwork, mendForwarding } from "../../src/host/network.ts";
import { giveBackShared, holdShared } from "../../src/host/shared-settings.ts";
import { chooseSubnet, gatewayOf } from "../../src/host/subnet.ts";
import { execute, findLeftovers, type Machine, type StartedContainer, startMachine } from "./machine.ts";

let machine: Machine;
let first: StartedContainer;
let second: StartedContainer;
let server: Server;
let hostPort: number;

/** Says "reached" to everyone who connects. */
const listener = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
	bind(S, sockaddr_in($ARGV[0], INADDR_ANY)) or die; listen(S, 9); $| = 1; print "listening";
	while (my $peer = accept(C, S)) { send(C, "reached by " . inet_ntoa((sockaddr_in($peer))[1]), 0); close C; }`;
const connector = `use Socket; $SIG{ALRM} = sub { print "timed out"; exit }; alarm 4;
	socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) or do { print "refused"; exit };
	print <S>;`;

beforeAll(async () => {
	machine = await startMachine();
	first = await machine.startContainer();
	second = await machine.startContainer();
	const { execId } = await machine.engine.createExec(first.id, {
		command: ["perl", "-e", listener, "8080"],
		environment: {},
		workingDirectory: "/",
		tty: true,
	});
	await once((await machine.engine.startExec(execId, true)).output, "data");
	server = createServer((socket) => socket.end("reached the host")).listen(0, "0.0.0.0");
	await once(server, "listening");
	hostPort = (server.address() as { port: number }).port;
});

afterAll(async () => {
	server.close();
	await machine.release();
	expect(await findLeftovers(machine.networkOptions.bridge)).toEqual([]);
});

async function connectFrom(container: StartedContainer, address: string, port: number): Promise<string> {
	return (await execute(machine.engine, container.id, ["perl", "-e", connector, address, String(port)])).output;
}

test("the node reaches a container", async () => {
	const answer = await runCommand("/usr/bin/perl", ["-e", connector, first.address, "8080"]);
	expect(answer).toMatch(/^reached by /);
});

test("a container reaches itself, but no other one", async () => {
	expect(await connectFrom(first, first.address, 8080)).toMatch(/^reached by /);
	expect(await connectFrom(second, first.address, 8080)).toBe("refused");
	const datagram = `use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); send(S, "x", 0, sockaddr_in(9, inet_aton("${first.address}")));`;
	await execute(machine.engine, second.id, ["perl", "-e", datagram]);
	const counted = await runCommand("nft", ["list", "set", "inet", machine.networkOptions.table, "refused_neighbour"]);
	expect(counted).toMatch(new RegExp(`${second.address} counter packets [2-9]`));
});

test("a container reaches none of the machine's addresses", async () => {
	const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const addresses = own.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
	expect(addresses).toContain(gatewayOf(machine.networkOptions.subnet).split("/")[0]);
	for (const address of addresses) expect(await connectFrom(second, address, hostPort)).toBe("refused");
});

test("with closed egress nothing is forwarded; repairing the network while containers run changes nothing", async () => {
	// For another program's sake: it makes no way out, and without it packets end without a word.
	await mendForwarding();
	await machine.network.ensure();
	for (const address of ["11.11.11.11", "10.1.2.3", "169.254.169.254"]) {
		expect(await connectFrom(second, address, 80)).toBe("refused");
	}
	expect(await connectFrom(second, first.address, 8080)).toBe("refused");
	expect(await connectFrom(first, first.address, 8080)).toMatch(/^reached by /);
});

test("a free subnet is chosen, the preferred one if it is free", async () => {
	expect(await chooseSubnet("10.250.4.0/22")).toBe("10.250.4.0/22");
	const taken = machine.networkOptions.subnet;
	expect(await chooseSubnet(taken)).not.toBe(taken);
	expect(gatewayOf("10.250.4.0/22")).toBe("10.250.4.1/22");
	await expect(chooseSubnet("10.250.4.0/33")).rejects.toThrow("not an IPv4 subnet");
});

test("release takes along the cables of containers whose start was broken off", async () => {
	const name = `rdr${randomBytes(3).toString("hex")}`;
	const options = { ...machine.networkOptions, bridge: name, table: name, subnet: await chooseSubnet("10.249.8.0/24") };
	const network = createNetwork(options);
	await network.ensure();
	await runCommand("ip", ["link", "add", `${name}a`, "type", "veth", "peer", "name", `${name}b`]);
	await runCommand("ip", ["link", "set", `${name}a`, "master", name]);
	await network.release();
	expect(await runCommand("ip", ["-brief", "link"])).not.toContain(name);
	await network.release();
});

test("the machine forwards packets as long as one instance needs it, and then does as it did before", async () => {
	const [directory, value] = [join(machine.directory, "shared"), join(machine.directory, "switch")];
	const read = async () => (await readFile(value, "utf8")).trim();
	const wanted = { [value]: 1 };
	await writeFile(value, "0\n");
	await holdShared(directory, "one", wanted);
	await holdShared(directory, "two", wanted);
	await giveBackShared(directory, "one", wanted);
	expect(await read()).toBe("1");
	await giveBackShared(directory, "one", wanted);
	expect(await read()).toBe("1");
	await giveBackShared(directory, "two", wanted);
	expect(await read()).toBe("0");
});
