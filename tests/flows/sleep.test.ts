import { request } from "node:http";
import { join } from "node:path";
import type { Project } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestInstance, stopTestInstance, type TestInstance } from "../support/instance.ts";
import { SiteClient } from "../support/site-client.ts";
import { type Visit, visit, visitSocket } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

let instance: TestInstance;
let site: SiteClient;
/** The same person, signed in as in a browser. */
let signedIn: SiteClient;

beforeAll(async () => {
	instance = await startTestInstance({ REPLDOCK_PAUSE_AFTER: "1s", REPLDOCK_IDLE_TIMEOUT: "5s" });
	const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
	signedIn = await SiteClient.welcome(instance, person);
	site = new SiteClient(instance.siteUrl, { token: await signedIn.createToken("test") });
});
afterAll(() => instance && stopTestInstance(instance));

/** Tells how often the program was started and, in this incarnation, visited; takes WebSockets; `crash` makes it fail. */
const server = `
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { createHash } = require("node:crypto");
appendFileSync("starts", "x");
if (existsSync("crash")) {
	console.log("\\u001b[31mno <b>database</b> here\\u001b[0m");
	process.exit(3);
}
let visits = 0;
require("node:http").createServer((q, r) => r.end(readFileSync("starts", "utf8").length + "/" + ++visits))
	.on("upgrade", (q, socket) => {
		const accept = createHash("sha1").update(q.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
		socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n" +
			"Sec-WebSocket-Accept: " + accept.digest("base64") + "\\r\\n\\r\\n");
	})
	.listen(3000, "0.0.0.0");
`;

/** A project whose app answers, and that nobody has open. */
async function startApp(prepare?: (workspace: WorkspaceClient) => Promise<void>) {
	const project = await site.createProject("node", { visibility: "public" });
	const workspace = await (await WorkspaceClient.open(site, project.id)).connect();
	await workspace.write(".replit", 'run = "node server.cjs"\n');
	await workspace.write("server.cjs", server);
	await workspace.run();
	await eventually("the port", () => workspace.state.ports.some(({ main }) => main));
	await prepare?.(workspace);
	workspace.close();
	return { project, workspace };
}

const cookiesOf = ({ headers }: Visit) =>
	[headers["set-cookie"] ?? []]
		.flat()
		.map((line) => line.split(";")[0])
		.join("; ");

/** What the engine says of the project's container; "gone" when there is none, "exited" when the next visit starts it again. */
function containerState(project: Project): Promise<string> {
	const filters = JSON.stringify({ label: [`repldock.project=${project.id}`] });
	const path = `/containers/json?all=1&filters=${encodeURIComponent(filters)}`;
	return new Promise((resolve, reject) => {
		const outgoing = request({ socketPath: join(instance.data, "run/docker.sock"), path }, async (response) => {
			const parts: Buffer[] = [];
			for await (const part of response) parts.push(part as Buffer);
			const [container] = JSON.parse(Buffer.concat(parts).toString()) as { State: string }[];
			resolve(container?.State ?? "gone");
		});
		outgoing.on("error", reject);
		outgoing.end();
	});
}

const reaches = (project: Project, state: string) =>
	eventually(`the state ${state}`, async () => (await containerState(project)) === state);

test("a project that nobody uses is paused, and a visit finds its program as it was", async () => {
	const { project } = await startApp();
	expect((await visit(project.url)).body).toBe("1/1");
	await reaches(project, "paused");
	await eventually("the word for it", async () => (await site.project(project.id)).state === "asleep");
	expect((await visit(project.url)).body).toBe("1/2");
	expect(await containerState(project)).toBe("running");
	// A person who opens it, or only starts a program, wakes it as well.
	await reaches(project, "paused");
	const workspace = await WorkspaceClient.open(site, project.id);
	const terminal = await workspace.openTerminal();
	terminal.type("echo awake-$((1+1))\n");
	await terminal.expect("awake-2");
	expect(await containerState(project)).toBe("running");
	terminal.close();
	await site.stop(project.id);
	await reaches(project, "gone");
});

test("a paused project that its owner stops is gone, and visitors do not bring it back", async () => {
	const { project } = await startApp();
	await reaches(project, "paused");
	await site.stop(project.id);
	await reaches(project, "gone");
	await eventually("the page", async () => (await visit(project.url)).body.includes("This project is not running"));
	expect(await containerState(project)).toBe("gone");
});

test("fifty visitors at once of a project that was stopped for want of use start its run command once", async () => {
	const { project } = await startApp();
	await reaches(project, "exited");
	await eventually("the word for it", async () => (await site.project(project.id)).state === "asleep");
	const crawler = await visit(project.url, { headers: { "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)" } });
	expect(crawler).toMatchObject({ status: 503, headers: { "retry-after": "600" } });
	expect(await containerState(project)).toBe("exited");

	const answers = await Promise.all(Array.from({ length: 50 }, () => visit(project.url)));
	expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
	expect(new Set(answers.map(({ body }) => body.split("/")[0]))).toEqual(new Set(["2"]));
	// What was kept for the next visit goes when its owner stops the project.
	await reaches(project, "exited");
	await site.stop(project.id);
	await reaches(project, "gone");
});

test("an open WebSocket and the right to be always on keep a project awake while another falls asleep", async () => {
	const [visited, steady] = await Promise.all([startApp(), startApp()]);
	await site.call("PATCH", `/admin/projects/${steady.project.id}`, { alwaysOn: true });
	const socket = await visitSocket(visited.project.url, "/socket");
	const { project: other } = await startApp();
	await reaches(other, "exited");
	expect(await containerState(visited.project)).toBe("running");
	expect(await containerState(steady.project)).toBe("running");
	socket.terminate();
	await reaches(visited.project, "paused");

	// Its container is taken away: it comes back with its program, without a visitor.
	const before = (await visit(steady.project.url)).body;
	expect(before).toBe("1/1");
	await removeContainer(steady.project);
	await eventually("the second start", async () => (await steady.workspace.read("starts")) === "xx");
	await Promise.all([visited, steady].map(({ project }) => site.stop(project.id)));
	// An owner's Stop counts more than the right.
	await reaches(steady.project, "gone");
});

test("when the run command ends while waking, its owner sees the last output and strangers do not", async () => {
	const { project, workspace } = await startApp((opened) => opened.write("crash", ""));
	await reaches(project, "exited");
	const html = { accept: "text/html,*/*" };
	const stranger = await visit(project.url, { headers: html });
	expect(stranger).toMatchObject({ status: 502, headers: { "retry-after": "5" } });
	expect(stranger.body).toContain("This app could not start");
	expect(stranger.body).not.toContain("database");

	// The owner says so, and comes back from the site with this host's cookie.
	const link = /href="([^"]*)"[^>]*>I am the owner/.exec(stranger.body)?.[1] ?? "";
	const away = await visit(new URL(link, project.url).href, { headers: html });
	const back = await signedIn.sentOnBy(String(away.headers.location));
	const entered = await visit(back ?? "", { headers: { ...html, cookie: cookiesOf(away) } });
	expect(entered).toMatchObject({ status: 302, headers: { location: "/" } });
	const cookie = cookiesOf(entered);
	const owner = await visit(project.url, { headers: { ...html, cookie } });
	expect(owner.status).toBe(502);
	expect(owner.body).toContain("no &lt;b&gt;database&lt;/b&gt; here");
	expect(owner.body).toContain("exit code 3");
	expect(owner.body).not.toContain("\u001b");
	const program = await visit(project.url, { headers: { cookie } });
	expect(JSON.parse(program.body)).toMatchObject({ code: "container_failed", exitCode: 3 });
	// All three were answered by one start; after a while a visit tries again.
	expect(await workspace.read("starts")).toBe("xx");
	await workspace.remove("crash");
	await eventually("the app", async () => (await visit(project.url)).status === 200);
	await site.stop(project.id);
});

/** As a machine that breaks down would. */
function removeContainer(project: Project): Promise<void> {
	const filters = JSON.stringify({ label: [`repldock.project=${project.id}`] });
	return new Promise((resolve, reject) => {
		const socketPath = join(instance.data, "run/docker.sock");
		const list = request(
			{ socketPath, path: `/containers/json?filters=${encodeURIComponent(filters)}` },
			async (answer) => {
				const parts: Buffer[] = [];
				for await (const part of answer) parts.push(part as Buffer);
				const [container] = JSON.parse(Buffer.concat(parts).toString()) as { Id: string }[];
				const removal = request(
					{ socketPath, method: "DELETE", path: `/containers/${container?.Id}?force=1` },
					(done) => {
						done.resume();
						done.on("end", () => resolve());
					},
				);
				removal.on("error", reject);
				removal.end();
			},
		);
		list.on("error", reject);
		list.end();
	});
}
