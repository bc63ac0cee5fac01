import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readListeningPorts } from "../../src/host/listening-ports.ts";
import { type Machine, type StartedContainer, startMachine } from "./machine.ts";

let machine: Machine;
let container: StartedContainer;

beforeAll(async () => {
	machine = await startMachine();
	container = await machine.startContainer();
});

afterAll(() => machine.release());

/** Starts a perl program and waits until it printed something. */
async function start(program: string, environment: Record<string, string> = {}): Promise<void> {
	const { execId } = await machine.engine.createExec(container.id, {
		command: ["perl", "-e", `$| = 1; ${program}`],
		environment,
		workingDirectory: "/",
		tty: true,
	});
	await once((await machine.engine.startExec(execId, true)).output, "data");
}

test("listening ports are told, and whether others reach them", async () => {
	const open = (handle: string, address: string, port: number) =>
		`socket(${handle}, PF_INET, SOCK_STREAM, 0); bind(${handle}, sockaddr_in(${port}, inet_aton("${address}"))) or die; listen(${handle}, 1);`;
	await start(`use Socket; ${open("A", "0.0.0.0", 8080)} ${open("B", "127.0.0.1", 3000)} print "ready"; sleep 1000`);
	expect(await readListeningPorts(container.pid)).toEqual([
		{ port: 3000, loopbackOnly: true },
		{ port: 8080, loopbackOnly: false },
	]);
	expect(await readListeningPorts(2 ** 22 + 1)).toEqual([]);
});
