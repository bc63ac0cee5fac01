import { stat } from "node:fs/promises";
import { createConnection } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Rig, startRig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
	rig = await startRig();
});

afterAll(() => rig.release());

test("a run's output, exit code and run time reach the console", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start("echo hello; exit 3");
	await screen.untilText("hello\r\n");
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.exitCode === 3);
	expect(ptys[0]).toMatchObject({ ptyId: "console", running: false, exitCode: 3, note: null, title: "test" });
	expect(ptys[0]?.runTimeMs).toBeLessThan(60_000);
	await screen.untilEvent((event) => event.type === "state" && event.state.exitCode === 3);
	await screen.close();
});

test("successive runs print into one scrollback with rising offsets", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start("printf first");
	await project.until(({ ptys }) => ptys[0]?.running === false && ptys[0].exitCode === 0);
	const { offset } = screen;
	await project.start("printf second");
	await screen.untilText("first\r\nsecond");
	expect(screen.offset).toBeGreaterThan(offset);
	const later = await project.connect();
	await later.untilText("first\r\nsecond");
	expect(later.events[0]).toMatchObject({ type: "attached", offset: 0 });
});

test("a start while a program runs is refused as already_running", async () => {
	const project = await rig.project();
	await project.start("sleep 100");
	await expect(project.start("echo again")).rejects.toMatchObject({ code: "already_running" });
	await rig.client.stop({ projectId: project.id, ptyId: "console" });
	await project.start("true");
});

test("a terminal has the asked size, takes resizes of whoever sent the last one, and tells the others", async () => {
	const project = await rig.project();
	const [ada, bob] = await Promise.all([project.connect(), project.connect()]);
	await project.start("trap 'stty size' WINCH; stty size; echo up; while :; do sleep 0.1; done", {
		size: { columns: 91, rows: 31 },
	});
	await ada.untilText("up");
	ada.resize({ columns: 100, rows: 40 });
	await bob.untilEvent((event) => event.type === "resized" && event.size.columns === 100);
	await ada.untilText("40 100");
	bob.resize({ columns: 70, rows: 20 });
	await ada.untilEvent((event) => event.type === "resized" && event.size.columns === 70);
	await ada.untilText("20 70");
});

test("an interactive shell echoes, edits its line and sets its title", async () => {
	const project = await rig.project();
	await project.start("", { ptyId: "t1", kind: "terminal", command: ["/bin/bash", "--norc"] });
	const screen = await project.connect({ ptyId: "t1" });
	await screen.untilText("ready> ");
	screen.type("echo one twx\x7fo | cat\r");
	await screen.untilText("\r\none two\r\n");
	screen.type("printf '\\033]0;my title\\007'\r");
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.title === "my title");
	expect(ptys[0]?.kind).toBe("terminal");
	await rig.client.remove({ projectId: project.id, ptyId: "t1" });
	await screen.untilEvent((event) => event.type === "closed");
	expect(await screen.closed).toBe(1000);
	expect(await project.processes("--norc")).toEqual([]);
});

test("a command that is not there gets a clear sentence instead of the runtime's message", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start("", { command: ["no-such-program", "x"] });
	await screen.untilText("Command not found: no-such-program.");
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.exitCode === 127 || ptys[0]?.exitCode === 126);
	expect(ptys[0]?.note).toContain("no-such-program");
	expect(screen.text).not.toContain("OCI runtime");
	await project.start("no-such-word");
	await screen.untilText("Check the run command");
});

test("a program that needs too much memory is told so", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start(`exec perl -e 'my @a; push @a, "x" x 1e7 while 1'`);
	await screen.untilText("Out of memory");
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.running === false);
	expect(ptys[0]).toMatchObject({ exitCode: 137 });
});

test("text of the agent is printed on lines of its own, before any run", async () => {
	const project = await rig.project();
	await rig.client.write({ projectId: project.id, ptyId: "console", text: "Starting the container…\n" });
	const screen = await project.connect();
	await screen.untilText("Starting the container…\r\n");
});

test("the agent gets the end of what a console printed, and nothing of one that never was", async () => {
	const project = await rig.project();
	const ask = (ptyId: string) => rig.client.tail({ projectId: project.id, ptyId, mostLines: 3, mostBytes: 4_096 });
	expect(await ask("console")).toBe("");
	await project.start("for ((i = 1; i <= 20000; i++)); do echo $i; done; printf last");
	await project.until(({ ptys }) => ptys[0]?.running === false);
	const text = await ask("console");
	expect(text).toContain("20000\r\nlast");
	expect(text).not.toContain("19990");
});

test("when the container goes away, its programs have ended", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start("echo up; sleep 100");
	await screen.untilText("up");
	await rig.machine.engine.removeContainer(project.container.id);
	await rig.client.reset({ projectId: project.id });
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.running === false);
	expect(ptys[0]?.startedAtMs).not.toBeNull();
	await expect(project.start("true")).rejects.toMatchObject({ code: "not_running" });
});

test("the death and return of the agent changes nothing for programs and browsers", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	const agent = createConnection(rig.controlPath);
	agent.write("GET /watch HTTP/1.1\r\nhost: holder\r\n\r\n");
	await new Promise((resolve) => agent.once("data", resolve));
	await project.start("echo up; read line; echo got $line");
	await screen.untilText("up");
	agent.destroy();
	screen.type("words\r");
	await screen.untilText("got words");
	const { projects } = await rig.client.list();
	expect(projects.find(({ projectId }) => projectId === project.id)).toMatchObject({ attached: 1 });
});

test("the watch counts the attached browsers", async () => {
	const project = await rig.project();
	const screens = await Promise.all([project.connect(), project.connect()]);
	await project.until(({ attached }) => attached === 2);
	await screens[0]?.close();
	await project.until(({ attached }) => attached === 1);
});

test("only root may command the holder", async () => {
	expect((await stat(rig.controlPath)).mode & 0o777).toBe(0o600);
	expect((await stat(rig.socketPath)).mode & 0o777).toBe(0o660);
});
