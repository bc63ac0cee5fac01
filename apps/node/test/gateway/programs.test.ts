import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type GatewayRig, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
const at = (path: string) => join(rig.root, path);
beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

test("Run starts what `.replit` says, in the console, with the project's environment", async () => {
	await writeFile(at(".replit"), 'run = "echo $GREETING"\n[env]\nGREETING = "hello"\nhidden = 3\n');
	const answer = await rig.project("POST", "/run", { columns: 100, rows: 30 });
	expect(answer.json()).toMatchObject({ ptyId: "console", command: "echo $GREETING" });
	const [message] = rig.started;
	expect(message).toMatchObject({
		kind: "console",
		workingDirectory: "/home/runner/my-app",
		size: { columns: 100, rows: 30 },
		environment: { GREETING: "hello", REPL_SLUG: "my-app", PYTHONUSERBASE: "/home/runner/my-app/.pythonlibs" },
	});
});

test("warnings of `.replit` are answered and printed", async () => {
	await writeFile(at(".replit"), 'run = ["echo", "a", "&&", "echo", "b"]\n');
	const { warnings } = (await rig.project("POST", "/run", {})).json() as { warnings: string[] };
	expect(warnings).toHaveLength(1);
	expect(rig.written[0]?.text).toContain(warnings[0]);
});

test("a second run while one runs is refused", async () => {
	await writeFile(at("main.py"), "");
	rig.ptys.push({
		ptyId: "console",
		kind: "console",
		title: "",
		running: true,
		startedAtMs: 1,
		exitCode: null,
		runTimeMs: null,
		note: null,
	});
	expect((await rig.project("POST", "/run", {})).json()).toMatchObject({ code: "already_running" });
});

test("nothing to run, and a `.replit` that is no TOML, are said in sentences", async () => {
	expect((await rig.project("POST", "/run", {})).json()).toMatchObject({ code: "nothing_to_run", status: 422 });
	await writeFile(at(".replit"), "run = [");
	expect((await rig.project("POST", "/run", {})).json()).toMatchObject({ code: "invalid_project_file" });
	expect((await rig.project("POST", "/terminals", { columns: 80, rows: 24 })).status).toBe(200);
});

test("`onBoot` goes before the first run of a container", async () => {
	await writeFile(at(".replit"), 'run = "echo run"\nonBoot = "echo boot"\n');
	await rig.project("POST", "/run", {});
	const command = rig.started[0]?.command ?? [];
	expect(command.slice(-3)).toEqual(["/bin/bash", "-c", "echo run"]);
	expect(command.join(" ")).toContain("echo boot");
});

test("terminals open by themselves and close for good; the console does not close", async () => {
	const { ptyId } = (await rig.project("POST", "/terminals", { columns: 80, rows: 24 })).json() as { ptyId: string };
	expect(rig.started[0]).toMatchObject({ ptyId, kind: "terminal", command: ["/bin/bash"] });
	expect((await rig.project("DELETE", `/ptys/${ptyId}`)).status).toBe(404);
});
