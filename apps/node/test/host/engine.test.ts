import { once } from "node:events";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEngine, EngineError } from "../../src/host/engine.ts";
import { raiseSharedLimits, restoreSharedLimits, sharedLimitsDirectory } from "../../src/host/shared-limits.ts";
import { ensureUserNamespaceRange, mappedRunnerId } from "../../src/host/subordinate-ids.ts";
import type { EngineEvent } from "../../src/host.ts";
import { execute, findLeftovers, log, type Machine, startMachine } from "./machine.ts";

let machine: Machine;

beforeAll(async () => {
	machine = await startMachine();
});

afterAll(async () => {
	await machine.release();
	expect(await findLeftovers(machine.directory)).toEqual([]);
	expect(await findLeftovers(machine.networkOptions.bridge)).toEqual([]);
});

/** Collects events and lets a test wait for one. */
function listen(signal: AbortSignal) {
	const events: EngineEvent[] = [];
	let wake = () => {};
	machine.engine.watchEvents((event) => {
		events.push(event);
		wake();
	}, signal);
	return async (action: EngineEvent["action"], containerId: string) => {
		while (!events.some((event) => event.action === action && event.containerId === containerId)) {
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
	};
}

test("an exec's output, exit code and standard input pass through, and files belong to the mapped runner", async () => {
	const container = await machine.startContainer();
	const script = "cat; id -u; echo $HOME; touch made; exit 3";
	const { output, exitCode } = await execute(machine.engine, container.id, ["bash", "-c", script], {
		input: "hello\n",
	});
	expect(output).toBe("hello\n1000\n/home/runner/demo\n");
	expect(exitCode).toBe(3);
	expect(await stat(join(container.volumePath, "made"))).toMatchObject(await mappedRunnerId());
});

test("the user range stays where it is", async () => {
	const before = await mappedRunnerId();
	await ensureUserNamespaceRange();
	expect(await mappedRunnerId()).toEqual(before);
});

test("eight megabytes go in and come back whole, and the end of input arrives", async () => {
	const container = await machine.startContainer();
	const { output } = await execute(machine.engine, container.id, ["cat"], { input: "x".repeat(8 * 1024 * 1024) });
	expect(output.length).toBe(8 * 1024 * 1024);
});

test("a program in a container is fenced in", async () => {
	const container = await machine.startContainer();
	const script = `
		cat /proc/self/status | while read line; do case $line in CapEff*|CapBnd*|NoNewPrivs*|Seccomp:*) echo $line;; esac; done
		touch /root-file 2>/dev/null && echo wrote to the root
		echo 'echo tmp works' > /tmp/program && bash /tmp/program
		cat /proc/sys/kernel/hostname
		ulimit -c; ulimit -n
		cat /etc/resolv.conf`;
	const { output } = await execute(machine.engine, container.id, ["bash", "-c", script]);
	expect(output.trim().replaceAll("\t", " ").split("\n")).toEqual([
		"CapEff: 0000000000000000",
		"CapBnd: 0000000000000000",
		"NoNewPrivs: 1",
		"Seccomp: 2",
		"tmp works",
		"demo",
		"0",
		"16384",
		"nameserver 127.0.0.1",
	]);
});

test("a container takes its share of the machine's inotify, and no more", async () => {
	const setting = async () => Number(await readFile("/proc/sys/fs/inotify/max_user_instances", "utf8"));
	// The machine's own directory, since instances that run beside this test need the limits too.
	const [one, two] = [`${machine.networkOptions.bridge}-1`, `${machine.networkOptions.bridge}-2`];
	await raiseSharedLimits(sharedLimitsDirectory, one);
	await raiseSharedLimits(sharedLimitsDirectory, two);
	try {
		await restoreSharedLimits(sharedLimitsDirectory, one);
		expect(await setting()).toBeGreaterThanOrEqual(1_000_000);
		// With the kernel's 200 for one user no 201st container starts.
		const keys = await readFile("/proc/sys/kernel/keys/maxkeys", "utf8");
		expect(Number(keys)).toBeGreaterThanOrEqual(100_000);
		const container = await machine.startContainer();
		const number = process.arch === "arm64" ? 26 : 294;
		const program = `$count++ while syscall(${number}, 0) >= 0; print "$count instances, $!"`;
		const { output } = await execute(machine.engine, container.id, ["perl", "-e", program]);
		expect(output).toBe("256 instances, Too many open files");
	} finally {
		await restoreSharedLimits(sharedLimitsDirectory, two);
	}
	const left = await readdir(sharedLimitsDirectory);
	expect(left.filter((name) => name === one || name === two)).toEqual([]);
});

test("a container that was stopped starts again as it began: its limits, its files, an empty /tmp and an address", async () => {
	const { id, pid: firstPid } = await machine.startContainer();
	const write = "echo kept > file; echo gone > /tmp/file; mkdir /tmp/.repldock-booted";
	expect((await execute(machine.engine, id, ["bash", "-c", write])).exitCode).toBe(0);
	await machine.engine.stopContainer(id, 1_000);
	expect(await machine.engine.inspectContainer(id)).toMatchObject({ state: "exited", pid: 0, address: null });
	const status = await machine.engine.startContainer(id);
	expect(status).toMatchObject({ id, state: "running", address: expect.stringMatching(/^[\d.]+$/) });
	expect(status?.pid).not.toBe(firstPid);
	const read = "cat file; ls -A /tmp; cat /proc/sys/user/max_inotify_instances; cat /proc/1/oom_score_adj";
	expect((await execute(machine.engine, id, ["bash", "-c", read])).output).toBe("kept\n256\n0\n");
});

test("a program cannot use io_uring", async () => {
	const container = await machine.startContainer();
	const program = "my $parameters = chr(0) x 120; syscall(425, 1, $parameters); print $!";
	const { output } = await execute(machine.engine, container.id, ["perl", "-e", program]);
	expect(output).toMatch(/not permitted|not implemented/);
});

test("a terminal has the size that was asked for and is resized", async () => {
	const container = await machine.startContainer();
	const { execId } = await machine.engine.createExec(container.id, {
		command: ["bash", "-c", "read line; stty size"],
		environment: {},
		workingDirectory: "/home/runner/demo",
		tty: true,
		size: { columns: 100, rows: 30 },
	});
	const stream = await machine.engine.startExec(execId, true);
	await machine.engine.resizeExec(execId, 132, 43);
	const { pid, running } = await machine.engine.inspectExec(execId);
	expect(running).toBe(true);
	expect(pid).toBeGreaterThan(0);
	stream.input.write("\n");
	expect(String(await buffer(stream.output))).toContain("43 132");
});

test("a shell's terminal has its size from the first moment", async () => {
	const container = await machine.startContainer();
	const { execId } = await machine.engine.createExec(container.id, {
		command: ["/bin/bash", "-c", 'stty size; echo "$0 $1"', "zero", "one two"],
		environment: {},
		workingDirectory: "/home/runner/demo",
		tty: true,
		size: { columns: 97, rows: 31 },
	});
	const stream = await machine.engine.startExec(execId, true);
	expect(String(await buffer(stream.output))).toBe("31 97\r\nzero one two\r\n");
});

test("a memory bomb ends itself, not the container, and is told", async () => {
	const abort = new AbortController();
	const told = listen(abort.signal);
	const container = await machine.startContainer();
	await told("start", container.id);
	const hog = ["perl", "-e", "my @a; push @a, 'x' x 1_000_000 while 1"];
	expect((await execute(machine.engine, container.id, hog)).exitCode).toBe(137);
	await told("oom", container.id);
	expect((await execute(machine.engine, container.id, ["id", "-u"])).output).toBe("1000\n");
	abort.abort();
});

test("a fork bomb stops at the limit and the container can be ended", async () => {
	const container = await machine.startContainer();
	const bomb = ["perl", "-e", "while (1) { my $p = fork; defined $p or do { print 'full'; exit }; $p or sleep 1000 }"];
	const { execId } = await machine.engine.createExec(container.id, {
		command: bomb,
		environment: {},
		workingDirectory: "/",
		tty: true,
	});
	const stream = await machine.engine.startExec(execId, true);
	expect(String((await once(stream.output, "data"))[0])).toContain("full");
	stream.close();
	await machine.engine.removeContainer(container.id);
	expect(await machine.engine.inspectContainer(container.id)).toBeNull();
});

test("a container's life: pause, unpause, stop, remove; each ending can be repeated", async () => {
	const { engine } = machine;
	const container = await machine.startContainer({ slug: "other", generation: 7 });
	expect(await engine.inspectContainer(container.id)).toMatchObject({
		projectId: container.specification.projectId,
		generation: 7,
		slug: "other",
		state: "running",
		address: container.address,
		outOfMemory: false,
	});
	await engine.pauseContainer(container.id);
	expect((await engine.inspectContainer(container.id))?.state).toBe("paused");
	await engine.unpauseContainer(container.id);
	expect((await engine.listContainers()).map(({ id }) => id)).toContain(container.id);
	await engine.stopContainer(container.id, 100);
	await engine.stopContainer(container.id, 100);
	expect(await engine.inspectContainer(container.id)).toMatchObject({ state: "exited", pid: 0, address: null });
	await engine.removeContainer(container.id);
	await engine.removeContainer(container.id);
	await engine.stopContainer(container.id, 100);
	expect(await engine.inspectContainer(container.id)).toBeNull();
});

test("a paused container stops like one that runs, and can be removed as it is", async () => {
	const { engine } = machine;
	const stopped = await machine.startContainer();
	await engine.pauseContainer(stopped.id);
	await engine.stopContainer(stopped.id, 1_500);
	expect(await engine.inspectContainer(stopped.id)).toMatchObject({ state: "exited", pid: 0 });
	const removed = await machine.startContainer();
	await engine.pauseContainer(removed.id);
	await engine.removeContainer(removed.id);
	expect(await engine.inspectContainer(removed.id)).toBeNull();
});

test("a refusal carries the engine's status and words", async () => {
	expect(await machine.engine.hasImage("repldock-test:none")).toBe(false);
	const error = await machine.startContainer({ image: "repldock-test:none" }).catch((reason: unknown) => reason);
	expect(error).toBeInstanceOf(EngineError);
	expect(error).toMatchObject({ status: 404, message: expect.stringContaining("repldock-test:none") });
	const nowhere = createEngine({ socketPath: join(machine.directory, "none.sock"), log });
	await expect(nowhere.ping()).rejects.toMatchObject({ name: "EngineError", status: 0 });
});

test("containers live on while the engine restarts, and events come again", async () => {
	const abort = new AbortController();
	const told = listen(abort.signal);
	const container = await machine.startContainer();
	const paused = await machine.startContainer();
	await machine.engine.pauseContainer(paused.id);
	await machine.restartEngine();
	expect(await machine.engine.inspectContainer(paused.id)).toMatchObject({ state: "paused", pid: paused.pid });
	await machine.engine.unpauseContainer(paused.id);
	expect((await execute(machine.engine, paused.id, ["id", "-u"])).output).toBe("1000\n");
	expect(await machine.engine.inspectContainer(container.id)).toMatchObject({ state: "running", pid: container.pid });
	expect((await execute(machine.engine, container.id, ["id", "-u"])).output).toBe("1000\n");
	const later = await machine.startContainer();
	await told("start", later.id);
	await machine.engine.removeContainer(later.id);
	await told("destroy", later.id);
	abort.abort();
});
