import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";

let edge: TestEdge;

beforeAll(async () => {
	edge = await startEdge();
});

afterAll(() => edge?.release());

const json = { accept: "application/json" };

test("before the first table an app's host is not called unknown", async () => {
	const answer = await edge.visit("shop.apps.test");
	expect(answer.status).toBe(503);
	expect(answer.headers["retry-after"]).toBe("1");
	expect(answer.body).toContain("One moment, please");
	expect(answer.body).toContain('<meta http-equiv="refresh"');
});

test("each reason why there is no app has its own page and status", async () => {
	const app = await edge.container((_, response) => response.writeHead(502).end("the app's own 502"));
	const closed = await edge.container((_, response) => response.end());
	closed.server.close();
	const up = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("up", up),
			route("silent", { address: app.address }),
			route("gone", { address: closed.address, ports: [closed.port], mainPort: closed.port }),
			route("asleep", { state: "stopped" }),
			route("waking", { state: "starting" }),
			route("ending", { ...up, state: "stopping" }),
			route("crashed", { state: "failed" }),
		],
	});
	const expected: [host: string, status: number, title: string, code: string][] = [
		["nobody.apps.test", 404, "There is no app here", "not_found"],
		["0--up.apps.test", 404, "There is no app here", "not_found"],
		["a.up.apps.test", 404, "There is no app here", "not_found"],
		["apps.test", 404, "There is no app here", "not_found"],
		["elsewhere.example", 404, "There is no app here", "not_found"],
		["9--up.apps.test", 502, "Nothing listens on port 9", "not_running"],
		["silent.apps.test", 503, "The app is not listening yet", "not_running"],
		["gone.apps.test", 502, "The app does not answer", "container_failed"],
		["asleep.apps.test", 503, "This project is not running", "not_running"],
		["waking.apps.test", 503, "This project is starting", "not_running"],
		["ending.apps.test", 503, "This project is stopping", "not_running"],
		["crashed.apps.test", 503, "This project could not start", "container_failed"],
		["localhost", 503, "Repldock is starting", "node_unreachable"],
		["node.apps.test", 503, "This server is restarting", "node_unreachable"],
	];
	for (const [host, status, title, code] of expected) {
		const page = await edge.visit(host);
		expect([page.status, page.body.includes(`<h1>${title}</h1>`)], host).toEqual([status, true]);
		expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
		expect(page.headers["cache-control"]).toBe("no-store");
		expect("retry-after" in page.headers, host).toBe(status !== 404);
		const problem = await edge.visit(host, { headers: json });
		expect(problem.headers["content-type"], host).toBe("application/problem+json");
		expect(JSON.parse(problem.body), host).toMatchObject({ code, status });
	}
	expect((await edge.visit("up.apps.test")).body).toBe("the app's own 502");
	const ports = await edge.visit("9--up.apps.test", { headers: json });
	expect(JSON.parse(ports.body).ports).toEqual([app.port]);
	const page = await edge.visit("9--up.apps.test");
	expect(page.body).toContain(`href="//${app.port}--up.apps.test:${edge.port}/"`);
});

test("browsers get pages, programs that ask for JSON get problems", async () => {
	const accepts = {
		"text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
		"*/*": "text/html; charset=utf-8",
		"application/json, text/plain, */*": "application/problem+json",
		"application/problem+json": "application/problem+json",
		"text/html;q=0.5, application/json": "application/problem+json",
		"application/json;q=0.5, text/html": "text/html; charset=utf-8",
	};
	for (const [accept, type] of Object.entries(accepts)) {
		expect((await edge.visit("nobody.apps.test", { headers: { accept } })).headers["content-type"], accept).toBe(type);
	}
});

test("a sent form is answered with a page that does not send it again, and HEAD with no body", async () => {
	const posted = await edge.visit("waking.apps.test", { method: "POST", body: "x".repeat(100_000) });
	expect(posted.status).toBe(503);
	expect(posted.body).not.toContain("http-equiv");
	const head = await edge.visit("waking.apps.test", { method: "HEAD" });
	expect([head.status, head.body]).toEqual([503, ""]);
});

test("pages load nothing from elsewhere and run no script", async () => {
	const page = await edge.visit("nobody.apps.test");
	expect(page.headers["content-security-policy"]).toBe("default-src 'none'; style-src 'unsafe-inline'");
	expect(page.body).not.toMatch(/<script|<link|<img|src=/);
	expect(page.body).toContain("prefers-color-scheme: dark");
});
