import { expect, test } from "vitest";
import { eventually } from "../support/wait.ts";
import { openProject } from "../support/world.ts";

test("a terminal is a real one: size, colours, full-screen programs", async () => {
	const { workspace } = await openProject("python");
	const terminal = await workspace.openTerminal({ columns: 97, rows: 31 });
	terminal.type("stty size; tput colors; tty\r");
	await terminal.expect(/31 97\r\n256\r\n\/dev\/pts\/\d/);
	terminal.command({ type: "resize", size: { columns: 120, rows: 40 } });
	await eventually("the new size", async () => {
		terminal.type("stty size\r");
		return terminal.expect(/\d+ \d+\r\n/).then((output) => /40 120/.test(output));
	});
	terminal.type("vim -u NONE notes.txt\r");
	await terminal.expect("notes.txt");
	terminal.type("iwritten in vim\u001b:wq\r");
	await eventually("the file", async () => (await workspace.read("notes.txt").catch(() => "")) === "written in vim\n");
	terminal.type("python3 -q\r");
	await terminal.expect(">>> ");
	terminal.type("6*7\r");
	await terminal.expect("42");
	terminal.type("exit()\r");
	terminal.close();
});

test("a reload finds the terminal with its last lines, and another person sees the same one", async () => {
	const { workspace } = await openProject("bash");
	const first = await workspace.openTerminal();
	await first.expect("$");
	first.type("seq 1 300; echo marker-$((40+2))\r");
	await first.expect("marker-42");
	const { offset, ptyId } = first;
	first.close();

	const reloaded = await workspace.attach(ptyId);
	const again = await reloaded.expect("marker-42");
	expect(again).toContain("\r\n299\r\n300\r\n");
	const other = await workspace.attach(ptyId, offset);
	reloaded.type("echo shared-$((1+1))\r");
	await other.expect("shared-2");
	await reloaded.expect("shared-2");
	other.close();
	reloaded.close();
});

test("apt-get says in one sentence why not and what to do instead", async () => {
	const { workspace } = await openProject("bash");
	const terminal = await workspace.openTerminal();
	terminal.type("apt-get install cowsay; echo code $?\r");
	const output = await terminal.expect(/code \d/);
	expect(output).toMatch(/pip|npm/);
	expect(output).toContain("code 1");
	terminal.close();
});
