import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readListeningPorts } from "../../src/host/listening-ports.ts";
import { exposeLocalhost } from "../../src/host/localhost-ports.ts";
import { execute, type Machine, type StartedContainer, startMachine } from "./machine.ts";

let machine: Machine;
let container: StartedContainer;
let neighbour: StartedContainer;
let pid: number;

/** Says "inside" to everyone who connects to this port of the loopback address. */
const listener = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
	bind(S, sockaddr_in($ARGV[0], inet_aton("127.0.0.1"))) or die; listen(S, 9); $| = 1; print "listening";
	while (accept(C, S)) { send(C, "inside", 0); close C; }`;

beforeAll(async () => {
	machine = await startMachine();
	container = await machine.startContainer();
	neighbour = await machine.startContainer();
	for (const port of ["8080", "9090"]) {
		const { execId } = await machine.engine.createExec(container.id, {
			command: ["perl", "-e", listener, port],
			environment: {},
			workingDirectory: "/",
			tty: true,
		});
		await once((await machine.engine.startExec(execId, true)).output, "data");
	}
	pid = (await machine.engine.inspectContainer(container.id))?.pid ?? 0;
});

afterAll(() => machine?.release());

function reach(port: number): Promise<string> {
	return new Promise((resolve) => {
		const socket = connect(port, container.address);
		socket.on("data", (data) => resolve(String(data)));
		socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "?"));
	});
}

test("a server on the container's loopback address is reached by the node alone, at the ports that are exposed", async () => {
	expect(await readListeningPorts(pid)).toEqual([
		{ port: 8080, loopbackOnly: true },
		{ port: 9090, loopbackOnly: true },
	]);
	expect(await reach(8080)).toBe("ECONNREFUSED");
	await exposeLocalhost(pid, [8080]);
	await exposeLocalhost(pid, [8080]);
	expect(await reach(8080)).toBe("inside");
	expect(await reach(9090)).toBe("ECONNREFUSED");
	const script = `use IO::Socket::INET; print IO::Socket::INET->new(PeerAddr => "${container.address}:8080", Timeout => 4) ? "reached" : "refused";`;
	expect((await execute(machine.engine, neighbour.id, ["perl", "-e", script])).output).toBe("refused");
	await exposeLocalhost(pid, [9090]);
	expect(await reach(8080)).toBe("ECONNREFUSED");
	expect(await reach(9090)).toBe("inside");
	await exposeLocalhost(pid, []);
	expect(await reach(9090)).toBe("ECONNREFUSED");
});

test("for a container that is gone it fails", async () => {
	await expect(exposeLocalhost(2 ** 22 + 1, [8080])).rejects.toThrow();
});
