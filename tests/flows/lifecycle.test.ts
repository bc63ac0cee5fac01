import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { repldock, startTestInstance, stopTestInstance } from "../support/instance.ts";
import { findLeftovers } from "../support/leftovers.ts";
import { SiteClient } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

interface Status {
	phase: string;
	supervisorPid: number;
	services: { name: string; pid: number }[];
}

async function statusOf(data: string): Promise<Status> {
	return JSON.parse(await repldock(["status", "--json", "--data", data])) as Status;
}

test("an instance whose supervisor was killed is taken over with its running programs, and `down` leaves nothing", async () => {
	const instance = await startTestInstance();
	const { data, httpPort } = instance;
	let stopped = false;
	onTestFinished(() => (stopped ? undefined : stopTestInstance(instance)));
	const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
	const administrator = await SiteClient.welcome(instance, person);
	const site = new SiteClient(instance.siteUrl, { token: await administrator.createToken("test") });
	const project = await site.createProject("bash");
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	await workspace.write("kept.txt", "kept");
	await eventually("the container", () => workspace.state.container === "running");
	workspace.close();

	const before = await statusOf(data);
	process.kill(before.supervisorPid, "SIGKILL");
	const output = await repldock(["up", "--detach", "--json", "--data", data, "--http-port", String(httpPort)], {
		REPLDOCK_EGRESS: "closed",
	});
	expect(JSON.parse(output)).toMatchObject({ siteUrl: instance.siteUrl });
	expect((await statusOf(data)).supervisorPid).not.toBe(before.supervisorPid);
	const again = await WorkspaceClient.open(site, project.id);
	expect(await again.read("kept.txt")).toBe("kept");
	const agentLog = await readFile(join(data, "logs/agent.log"), "utf8");
	expect(agentLog).toContain("container adopted");

	await repldock(["down", "--data", data]);
	expect(await findLeftovers(data)).toEqual([]);
	await repldock(["down", "--data", data]);

	// Everything is still there for the next `up`, in the foreground this time; Ctrl-C ends it as cleanly.
	const foreground = spawn(
		fileURLToPath(new URL("../../repldock", import.meta.url)),
		["up", "--json", "--data", data, "--http-port", String(httpPort)],
		{ env: { ...process.env, REPLDOCK_EGRESS: "closed" }, stdio: ["ignore", "pipe", "ignore"] },
	);
	const exited = new Promise<number | null>((resolve) => foreground.once("exit", resolve));
	let printed = "";
	foreground.stdout.setEncoding("utf8").on("data", (text: string) => {
		printed += text;
	});
	await eventually("the address", () => printed.includes("operatorLink"), 120_000);
	const reopened = await WorkspaceClient.open(site, project.id);
	expect(await reopened.read("kept.txt")).toBe("kept");
	foreground.kill("SIGINT");
	expect(await exited).toBe(0);
	expect(await findLeftovers(data)).toEqual([]);
	stopped = true;
	await stopTestInstance(instance);
}, 300_000);

test("`doctor` finds nothing wrong on a machine where `up` works", async () => {
	const { findings } = JSON.parse(await repldock(["doctor", "--json"])) as {
		findings: { name: string; state: string }[];
	};
	expect(findings.filter(({ state }) => state === "wrong")).toEqual([]);
});
