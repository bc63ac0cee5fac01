import { expect, inject, test } from "vitest";
import { repldock } from "../support/instance.ts";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { openProject, site } from "../support/world.ts";

const restart = (service: string) => repldock(["restart", service, "--data", inject("instance").data]);

/** A terminal that counts, so that a gap or a second start would be seen. */
async function countingTerminal() {
	const { project, workspace } = await openProject("bash");
	const terminal = await workspace.openTerminal();
	await terminal.expect("$");
	terminal.type("for i in $(seq 1 100000); do echo tick $i; sleep 0.05; done\r");
	await terminal.expect("tick 5\r\n");
	return { project, workspace, terminal };
}

test("a restart of the site drops no terminal", async () => {
	const { terminal } = await countingTerminal();
	await restart("site");
	const output = await terminal.expect(/tick \d+\r\n(tick \d+\r\n){10}/);
	expectNoGap(output);
	terminal.close();
	await eventually("the site", () => site().call("GET", "/me"));
});

test("a restart of the agent drops no terminal, adopts the container and keeps the run", async () => {
	const { project, workspace, terminal } = await countingTerminal();
	await workspace.write("forever.sh", "echo started; sleep 3600\n");
	await workspace.write(".replit", 'run = "bash forever.sh"\n');
	const console = await workspace.attach("console");
	await workspace.run();
	await console.expect("started");

	await restart("agent");
	const output = await terminal.expect(/tick \d+\r\n(tick \d+\r\n){10}/);
	expectNoGap(output);
	expect(console.state?.running).toBe(true);
	const state = await eventually("the adopted container", async () => {
		const current = await workspace.currentState().catch(() => null);
		return current?.container === "running" && current;
	});
	expect(state.ptys.find(({ ptyId }) => ptyId === "console")?.running).toBe(true);
	await workspace.stop();
	await eventually("the end of the run", () => console.state?.running === false);
	expect((await site().project(project.id)).state).toBe("running");
	console.close();
	terminal.close();
});

test("a killed agent comes back by itself and the app stays on the web", async () => {
	const { workspace, terminal } = await countingTerminal();
	const before = JSON.parse(await repldock(["status", "--json", "--data", inject("instance").data])) as {
		services: { name: string; pid: number }[];
	};
	const agent = before.services.find(({ name }) => name === "agent");
	process.kill(agent?.pid ?? 0, "SIGKILL");
	expectNoGap(await terminal.expect(/tick \d+\r\n(tick \d+\r\n){10}/));
	await eventually("the agent", () => workspace.currentState().catch(() => null), 30_000);
	terminal.close();
});

test("a restart of the edge brings all routes back", async () => {
	const { project, workspace } = await openProject("node", { visibility: "public" });
	await workspace.write(".replit", 'run = "node server.cjs"\n');
	await workspace.write(
		"server.cjs",
		'require("node:http").createServer((q, r) => r.end("still here")).listen(3000);\n',
	);
	await workspace.run();
	await eventually("the page", async () => (await visit(project.url)).body === "still here");
	await restart("edge");
	await eventually("the page again", async () => (await visit(project.url).catch(() => null))?.body === "still here");
});

test("`up` a second time says that it runs and changes nothing", async () => {
	const { data, httpPort } = inject("instance");
	const before = await repldock(["status", "--json", "--data", data]);
	const output = await repldock(["up", "--detach", "--json", "--data", data, "--http-port", String(httpPort)]);
	expect(JSON.parse(output)).toMatchObject({ siteUrl: inject("instance").siteUrl });
	expect(JSON.parse(await repldock(["status", "--json", "--data", data]))).toEqual(JSON.parse(before));
});

function expectNoGap(output: string) {
	const ticks = [...output.matchAll(/tick (\d+)\r\n/g)].map(([, number]) => Number(number));
	for (const [index, tick] of ticks.entries()) expect(tick).toBe((ticks[0] ?? 0) + index);
}
