import { expect, test } from "vitest";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { openProject, site } from "../support/world.ts";

const hello = (text: string) =>
	`require("node:http").createServer((q, r) => r.end(${JSON.stringify(text)} + q.url)).listen(3000, "0.0.0.0", () => console.log("listening"));\n`;

test("a port that opens is noticed and answers at the project's host name", async () => {
	const { project, workspace } = await openProject("node", { visibility: "public" });
	await workspace.write(".replit", 'run = "node server.cjs"\n');
	await workspace.write("server.cjs", hello("hello from "));
	const console = await workspace.attach("console");
	await workspace.run();
	await console.expect("listening");
	await eventually("the port", () => workspace.state.ports.some(({ port, main }) => port === 3000 && main));
	const answer = await eventually("the page", async () => {
		const answered = await visit(`${project.url}some%2Fpath//x?q=1`);
		return answered.status === 200 && answered;
	});
	expect(answer.body).toBe("hello from /some%2Fpath//x?q=1");

	const byPort = new URL(project.url);
	byPort.hostname = `3000--${project.slug}.localhost`;
	expect((await visit(byPort.href)).body).toBe("hello from /");

	await workspace.stop();
	const afterwards = await eventually("our own page", async () => {
		const answered = await visit(project.url);
		return answered.status !== 200 && answered;
	});
	expect(afterwards.status).toBeGreaterThanOrEqual(502);
	console.close();
});

test("a private app is closed to visitors and open to those who hold an access token", async () => {
	const { project, workspace } = await openProject("node", { visibility: "private" });
	await workspace.write(".replit", 'run = "node server.cjs"\n');
	await workspace.write("server.cjs", hello("secret "));
	await workspace.run();
	await eventually("the port", () => workspace.state.ports.some(({ main }) => main));
	await eventually(
		"the refusal",
		async () => (await visit(project.url)).status === 403 || (await visit(project.url)).status === 401,
	);
	expect((await visit(project.url)).body).not.toContain("secret");

	const entered = await visit(`${project.url}_repldock/enter?token=${encodeURIComponent(workspace.token)}&to=/inside`);
	expect(entered.status).toBe(302);
	expect(entered.headers.location).toBe("/inside");
	const cookie = [entered.headers["set-cookie"] ?? []]
		.flat()
		.map((line) => line.split(";")[0])
		.join("; ");
	expect((await visit(`${project.url}inside`, { headers: { cookie } })).body).toBe("secret /inside");
	expect((await visit(`${project.url}_repldock/enter?token=forged&to=/`)).status).toBeGreaterThanOrEqual(401);

	await site().call("PATCH", `/projects/${project.id}`, { visibility: "public" });
	await eventually("the open door", async () => (await visit(project.url)).status === 200);
});

test("an unknown host name gets a clear 404", async () => {
	const url = new URL(site().siteUrl);
	url.hostname = "no-such-project.localhost";
	const answer = await visit(url.href);
	expect(answer.status).toBe(404);
	expect(answer.body).toMatch(/no-such-project/);
});

test("a renamed project answers at its new address", async () => {
	const { project, workspace } = await openProject("node", { visibility: "public" });
	await workspace.write(".replit", 'run = "node server.cjs"\n');
	await workspace.write("server.cjs", hello("moved "));
	await workspace.run();
	await eventually("the page", async () => (await visit(project.url)).status === 200);
	const renamed = await site().call<{ url: string }>("PATCH", `/projects/${project.id}`, { slug: `${project.slug}-2` });
	await eventually("the page at the new address", async () => (await visit(renamed.url)).status === 200);
	expect((await visit(project.url)).status).toBe(404);
});
