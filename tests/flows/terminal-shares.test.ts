import { get } from "node:http";
import type { TrafficSummary } from "@repldock/protocol";
import { expect, onTestFinished, test, vi } from "vitest";
import { startTestInstance, stopTestInstance } from "../support/instance.ts";
import { SiteClient } from "../support/site-client.ts";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

vi.setConfig({ testTimeout: 300_000 });

const uplinkBytesPerSecond = 5_000_000;
const floorBytesPerSecond = 500_000;

/** Sends for as long as somebody reads. */
const server = `
require("node:http").createServer((question, answer) => {
	if (question.url !== "/flood") return answer.end("here");
	const part = Buffer.alloc(65_536, "x");
	const send = () => { while (answer.write(part)); };
	answer.on("drain", send);
	send();
}).listen(3000, "0.0.0.0");
`;

/** Reads without end. */
function download(url: string) {
	const { port, host } = new URL(url);
	let bytes = 0;
	const outgoing = get({ host: "127.0.0.1", port, path: "/flood", headers: { host } }, (incoming) =>
		incoming.on("data", (part: Buffer) => {
			bytes += part.length;
		}),
	);
	// Nobody needs to hear how it ends.
	outgoing.on("error", () => undefined);
	return { bytes: () => bytes, end: () => outgoing.destroy() };
}

/** Bytes per second over the next so many, as they come. */
async function measure(bytes: () => number, wanted: number): Promise<number> {
	const [from, fromMs] = [bytes(), performance.now()];
	await eventually(`${wanted} bytes`, () => bytes() - from >= wanted, 120_000);
	return ((bytes() - from) * 1000) / (performance.now() - fromMs);
}

test("a flood in a terminal has its floor beside another project's visitors, more when they leave, and is its project's traffic", async () => {
	const instance = await startTestInstance({ REPLDOCK_UPLINK: "40mbit", REPLDOCK_SLOTS: "10" });
	onTestFinished(() => stopTestInstance(instance));
	const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
	const administrator = await SiteClient.welcome(instance, person);
	const site = new SiteClient(instance.siteUrl, { token: await administrator.createToken("test") });
	const open = async (template: string) => {
		const project = await site.createProject(template, { visibility: "public" });
		const workspace = await (await WorkspaceClient.open(site, project.id)).connect();
		onTestFinished(() => workspace.close());
		return { project, workspace };
	};
	const app = await open("node");
	await app.workspace.write(".replit", 'run = "node server.cjs"\n');
	await app.workspace.write("server.cjs", server);
	await app.workspace.run();
	await eventually("the app", async () => (await visit(app.project.url)).body === "here", 60_000);
	const { project, workspace } = await open("bash");
	const terminal = await workspace.openTerminal();
	await terminal.expect("$");

	const visitor = download(app.project.url);
	onTestFinished(() => void visitor.end());
	await measure(visitor.bytes, 4 * uplinkBytesPerSecond);
	terminal.type("yes 'a line that is printed again and again'\r");
	const shown = () => terminal.offset;
	// What passes before a pace is felt, and a moment in which it is measured what containers send.
	await measure(shown, 2 * 1024 * 1024);
	await eventually("its floor", async () => (await measure(shown, 500_000)) < 1.5 * floorBytesPerSecond, 60_000);
	const [beside, visited] = await Promise.all([
		measure(shown, 5 * floorBytesPerSecond),
		measure(visitor.bytes, 4 * uplinkBytesPerSecond),
	]);
	visitor.end();
	await eventually("what the visitor left", async () => (await measure(shown, 1_000_000)) > 3 * floorBytesPerSecond);
	const alone = await measure(shown, 3 * uplinkBytesPerSecond);
	console.log("bytes a second:", { beside, visited, alone });
	expect(beside).toBeLessThan(2 * floorBytesPerSecond);
	expect(beside).toBeGreaterThan(0.4 * floorBytesPerSecond);
	expect(visited).toBeGreaterThan(0.5 * uplinkBytesPerSecond);
	expect(alone).toBeLessThan(1.2 * uplinkBytesPerSecond);

	const shownBytes = shown();
	const pressedAtMs = performance.now();
	terminal.type("\u0003");
	terminal.text = "";
	await terminal.expect(/\$ $/);
	expect(performance.now() - pressedAtMs).toBeLessThan(10_000);
	const summary = () => site.call<TrafficSummary>("GET", `/projects/${project.id}/traffic`);
	await eventually("its traffic", async () => (await summary()).month.sentBytes >= shownBytes, 60_000);
	terminal.close();
});
