import { expect, test } from "vitest";
import { ApiError } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { openProject } from "../support/world.ts";

test("Run prints into the console, takes input, and shows exit code and run time", async () => {
	const { workspace } = await openProject("python");
	await workspace.write("main.py", "import sys\nname = input('Who? ')\nprint('Hello,', name)\nsys.exit(3)\n");
	const console = await workspace.attach("console");
	await workspace.run();
	await console.expect("Who? ");
	console.type("Grace\r");
	await console.expect("Hello, Grace");
	await eventually("the exit code", () => console.state?.exitCode === 3);
	expect(console.state?.runTimeMs).toBeGreaterThan(0);
	console.close();
});

test("a second Run while one runs is refused with a sentence, and Stop ends it", async () => {
	const { workspace } = await openProject("python");
	await workspace.write("main.py", "import time\nprint('up', flush=True)\ntime.sleep(600)\n");
	const console = await workspace.attach("console");
	await workspace.run();
	await console.expect("up");
	await expect(workspace.run()).rejects.toMatchObject({ code: "already_running" });
	await workspace.stop();
	await eventually("the end", () => console.state?.running === false);
	console.close();
});

test("Stop ends the whole process tree, also children that left their session and ignore TERM", async () => {
	const { workspace } = await openProject("bash");
	await workspace.write(
		"main.sh",
		"trap '' TERM\nsetsid bash -c \"trap '' TERM; echo detached; sleep 7777\" &\nnohup sleep 7777 >/dev/null 2>&1 &\necho ready\nsleep 7777\nsleep 7777\n",
	);
	await workspace.write(".replit", 'run = "bash main.sh"\n');
	const console = await workspace.attach("console");
	await workspace.run();
	await console.expect(/ready[\s\S]*detached|detached[\s\S]*ready/);
	await workspace.stop();
	const terminal = await workspace.openTerminal();
	terminal.type("pgrep -fc '[s]leep 7777'; echo counted\r");
	const output = await terminal.expect(/\d\r\ncounted/);
	expect(/(\d+)\r\ncounted/.exec(output)?.[1]).toBe("0");
	terminal.close();
	console.close();
});

test("a flood of output neither blocks the terminal nor delays Ctrl-C", async () => {
	const { workspace } = await openProject("bash");
	const terminal = await workspace.openTerminal();
	await terminal.expect("$");
	terminal.type("yes\r");
	await eventually("the flood", () => terminal.offset > 4_000_000);
	const pressedAtMs = performance.now();
	terminal.type("\u0003");
	terminal.text = "";
	await terminal.expect(/\$ $/);
	expect(performance.now() - pressedAtMs).toBeLessThan(10_000);
	terminal.close();
});

test("invalid TOML in .replit is a sentence with the place, and nothing runs", async () => {
	const { workspace } = await openProject("python");
	await workspace.write(".replit", 'run = "python3 main.py\n[oops');
	const refusal = await workspace.run().catch((error: unknown) => error);
	expect(refusal).toBeInstanceOf(ApiError);
	expect(refusal).toMatchObject({ code: "invalid_project_file" });
	expect(String(refusal)).toMatch(/line 1/i);
});

test("a run command that does not exist says so in the console", async () => {
	const { workspace } = await openProject("python");
	await workspace.write(".replit", 'run = "no-such-program --at-all"\n');
	const { output, exitCode } = await workspace.runToEnd();
	expect(exitCode).toBe(127);
	expect(output).toContain("no-such-program");
});

test("without anything to run the answer says what to do", async () => {
	const { workspace } = await openProject("python");
	await workspace.remove(".replit");
	await workspace.remove("main.py");
	await expect(workspace.run()).rejects.toMatchObject({ code: "nothing_to_run" });
});

test("env, compile and the array form of run are honoured", async () => {
	const { workspace } = await openProject("bash");
	await workspace.write(
		".replit",
		'compile = "echo compiled > built.txt"\nrun = ["bash", "-c", "cat built.txt; echo $GREETING-$REPL_SLUG"]\n[env]\nGREETING = "hi"\n',
	);
	const { output } = await workspace.runToEnd();
	expect(output).toContain("compiled");
	expect(output).toMatch(/hi-[a-z0-9-]+/);
});
