import { expect, onTestFinished, test } from "vitest";
import { startTestInstance, stopTestInstance } from "../support/instance.ts";
import { findLeftovers } from "../support/leftovers.ts";
import { SiteClient } from "../support/site-client.ts";
import { createVisitor } from "../support/visitor.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

const server = `
const { createServer } = require("node:http");
for (const [port, address] of [[3000, "0.0.0.0"], [4000, "0.0.0.0"], [5000, "127.0.0.1"], [6000, "127.0.0.1"]]) {
	createServer((asked, answer) => answer.end(port + " for " + asked.headers.host)).listen(port, address);
}
`;
const projectFile = `run = "node server.cjs"
[[ports]]
localPort = 3000
externalPort = 80
[[ports]]
localPort = 4000
externalPort = 4444
[[ports]]
localPort = 5000
externalPort = 5555
exposeLocalhost = true
`;

test("a visitor on another machine reaches every port of a project by its number, mapped as .replit says", async () => {
	const visitor = await createVisitor();
	onTestFinished(() => visitor.release());
	const instance = await startTestInstance({ REPLDOCK_APPS_ADDRESS: visitor.address });
	let stopped = false;
	onTestFinished(() => (stopped ? undefined : stopTestInstance(instance)));
	const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
	const administrator = await SiteClient.welcome(instance, person);
	const site = new SiteClient(instance.siteUrl, { token: await administrator.createToken("test") });
	const project = await site.createProject("node", { visibility: "public" });
	const workspace = await WorkspaceClient.open(site, project.id);
	onTestFinished(() => workspace.close());
	await workspace.connect();
	await workspace.write(".replit", projectFile);
	await workspace.write("server.cjs", server);
	await workspace.run();
	await eventually("all ports", () => workspace.state.ports.length === 4);
	const host = `${project.slug}.localhost`;
	expect(workspace.state.ports.map(({ port, url }) => [port, url])).toEqual([
		[3000, `http://${host}:${instance.httpPort}/`],
		[4000, `http://${host}:4444/`],
		[5000, `http://${host}:5555/`],
		[6000, null],
	]);

	await eventually("the app", async () => (await visitor.visit(80, host)).status === 200);
	for (const [port, local] of [
		[80, 3000],
		[3000, 3000],
		[4444, 4000],
		[4000, 4000],
		[5555, 5000],
		[instance.httpPort, 3000],
	] as const) {
		const named = `${host}:${port}`;
		expect(await visitor.visit(port, named)).toEqual({ status: 200, body: `${local} for ${named}` });
	}
	for (const port of [5001, 6000]) expect((await visitor.visit(port, `${host}:${port}`)).status).toBe(502);
	for (const port of [22, 443, 2000]) expect(await visitor.visit(port, host)).toEqual({ error: "ECONNREFUSED" });

	stopped = true;
	await stopTestInstance(instance);
	expect(await findLeftovers(instance.data)).toEqual([]);
	expect(await visitor.visit(3000, host)).toEqual({ error: "ECONNREFUSED" });
}, 300_000);
