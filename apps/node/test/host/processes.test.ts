import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readListeningPorts } from "../../src/host/listening-ports.ts";
import { findMarked, listContainerProcesses } from "../../src/host/processes.ts";
import { type Machine, type StartedContainer, startMachine } from "./machine.ts";

let machine: Machine;
let container: StartedContainer;

beforeAll(async () => {
	machine = await startMachine();
	container = await machine.startContainer();
}, 60_000);

afterAll(() => machine.release(), 60_000);

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

test("a run's processes are found by their marker: children, daemons that left the session, and those without environment", async () => {
	const marker = "REPLDOCK_PTY=abc";
	// Parent, a child that is its own session and whose parent ended, and one that replaced itself with an empty environment.
	const tree = `use POSIX; pipe R, W;
		if (!fork) { setsid; if (!fork) { syswrite W, "x"; sleep 1000 } exit }
		if (!fork) { syswrite W, "x"; delete @ENV{keys %ENV}; exec "/usr/bin/sleep", "1000" }
		wait; sysread R, my $got, 1; sysread R, $got, 1; print "ready"; sleep 1000`;
	await start(tree, { REPLDOCK_PTY: "abc" });
	await start('print "ready"; sleep 1000', { REPLDOCK_PTY: "abcd", OTHER: marker });
	const marked = await findMarked(container.pid, marker);
	expect(marked).toHaveLength(3);
	for (let found = marked; found.length > 0; found = await findMarked(container.pid, marker)) {
		for (const pid of found) {
			try {
				process.kill(pid, "SIGKILL");
			} catch {
				// Ended between look and kill.
			}
		}
	}
	expect(await findMarked(container.pid, "REPLDOCK_PTY=abcd")).toHaveLength(1);
	const processes = await listContainerProcesses(container.pid);
	expect(processes.map(({ pid }) => pid)).toContain(container.pid);
	expect(processes).toHaveLength(3);
	expect(processes.map(({ pid }) => pid)).not.toContain(process.pid);
});

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
