import { access, cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Version, VersionList } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
	freePort,
	makeDataDirectory,
	processIds,
	startInstanceIn,
	stopTestInstance,
	type TestInstance,
} from "../support/instance.ts";
import { SiteClient } from "../support/site-client.ts";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

/** Two whole servers, each with a site and a node: one database, one object store, the same keys. */
let one: TestInstance;
let two: TestInstance;
let objects: string;
let site: SiteClient;
let ofTwo: Record<string, string>;

const goneAfterMs = 20_000;

beforeAll(async () => {
	objects = await mkdtemp("/var/tmp/repldock-shared-objects-");
	const [portOfOne, portOfTwo] = [await freePort(), await freePort()];
	const shared = {
		REPLDOCK_OBJECTS: `folder:${objects}`,
		REPLDOCK_NODE_GONE_AFTER: `${goneAfterMs / 1000}s`,
		// What is durable is what somebody saved.
		REPLDOCK_CHECKPOINT_EVERY: "1h",
	};
	one = await startInstanceIn(await makeDataDirectory(), portOfOne, {
		...shared,
		REPLDOCK_NODE_NAME: "one",
		REPLDOCK_EDGE_ADDRESS: `127.0.0.1:${portOfOne}`,
	});
	ofTwo = {
		...shared,
		DATABASE_URL: `postgresql://repldock@/repldock?host=${encodeURIComponent(join(one.data, "run/postgres"))}`,
		REPLDOCK_SITE_URL: one.siteUrl,
		REPLDOCK_NODE_NAME: "two",
		REPLDOCK_GATEWAY_URL: `http://127.0.0.1:${portOfTwo}`,
		REPLDOCK_EDGE_ADDRESS: `127.0.0.1:${portOfTwo}`,
	};
	const data = await makeDataDirectory();
	await mkdir(join(data, "secrets/node"), { recursive: true });
	await cp(join(one.data, "secrets/site"), join(data, "secrets/site"), { recursive: true });
	await cp(join(one.data, "secrets/node/node-token"), join(data, "secrets/node/node-token"));
	two = await startInstanceIn(data, portOfTwo, ofTwo);
	site = await SiteClient.welcome(one, { name: "Ada", email: "ada@example.org", password: "correct horse battery" });
}, 600_000);
afterAll(async () => {
	if (two) await stopTestInstance(two);
	if (one) await stopTestInstance(one);
	await rm(objects, { recursive: true, force: true });
}, 300_000);

const gatewayOf = ({ httpPort }: TestInstance) => `http://127.0.0.1:${httpPort}`;

/** A project on the second server: new ones go where there are fewest. */
async function openOnTwo(template: string): Promise<WorkspaceClient> {
	for (let tries = 0; tries < 4; tries++) {
		const { id } = await site.createProject(template, { visibility: "public" });
		const workspace = await WorkspaceClient.open(site, id);
		if (workspace.gatewayUrl === gatewayOf(two)) return workspace.connect();
	}
	throw new Error("no project came to the second server");
}

async function saveVersion(workspace: WorkspaceClient, name: string): Promise<Version> {
	const body = JSON.stringify({ name });
	return (await workspace.request("POST", "/versions", body, "application/json")).json() as Promise<Version>;
}

async function versionsOf(projectId: string): Promise<Version[]> {
	return (await site.call<VersionList>("GET", `/projects/${projectId}/versions`)).versions;
}

/** As a power cut does it, but for the containers, which nothing ends. */
async function killServer({ data }: TestInstance): Promise<void> {
	const { supervisor, services } = await processIds(data);
	for (const pid of [supervisor, ...services.values()]) process.kill(pid, "SIGKILL");
}

test("a project opens on another server when its own is gone, and what that one had beyond is there when it is back", async () => {
	const there = await openOnTwo("node-web");
	const { projectId } = there;
	const { slug } = await site.project(projectId);
	const app = (through: TestInstance) =>
		visit(`http://${slug}.localhost:${through.httpPort}/`).then(({ status, body }) => (status === 200 ? body : null));
	await there.write(".replit", 'run = "node server.cjs"\n');
	await there.write(
		"server.cjs",
		"require('node:http').createServer((_, answer) => answer.end(require('node:fs').readFileSync('said.txt'))).listen(3000, '0.0.0.0');\n",
	);
	await there.write("said.txt", "from two");
	await there.run();
	expect(await eventually("the app", () => app(two))).toBe("from two");
	expect(await eventually("the way from the other server", () => app(one))).toBe("from two");
	const saved = await saveVersion(there, "Safe");
	await there.write("said.txt", "not durable");
	await killServer(two);
	there.close();

	const here = await eventually(
		"the project on the first server",
		() => WorkspaceClient.open(site, projectId).catch(() => null),
		goneAfterMs + 60_000,
	);
	expect(here.gatewayUrl).toBe(gatewayOf(one));
	await here.connect();
	expect(await here.read("said.txt")).toBe("from two");
	await here.write("said.txt", "from one");
	await here.run();
	expect(await eventually("the app on the first server", () => app(one))).toBe("from one");
	await saveVersion(here, "Went on");

	two = await startInstanceIn(two.data, two.httpPort, ofTwo);
	const volume = join(two.data, "volumes", projectId);
	await eventually(
		"the second server to let go",
		() =>
			access(volume).then(
				() => false,
				() => true,
			),
		60_000,
	);
	const versions = await versionsOf(projectId);
	expect(versions.map(({ name, current, recovered }) => ({ name, current, recovered }))).toEqual([
		{ name: null, current: false, recovered: true },
		{ name: "Went on", current: true, recovered: false },
		{ name: "Safe", current: false, recovered: false },
	]);
	const content = async (id: string | undefined) =>
		(await here.request("GET", `/versions/${id}/content?path=said.txt`)).text();
	expect(await content(versions[0]?.id)).toBe("not durable");
	expect(await content(saved.id)).toBe("from two");
	expect(await here.read("said.txt")).toBe("from one");
	expect(await eventually("the way from the second server", () => app(two))).toBe("from one");
	here.close();
	await site.stop(projectId);
}, 400_000);
