import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";

let edge: TestEdge;
let browser: Browser;

beforeAll(async () => {
	edge = await startEdge("localhost");
	browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
});

afterAll(async () => {
	await browser?.close();
	await edge?.release();
});

test("a private app shows in a frame of the site after the enter page, in Chromium as in a window of its own", async () => {
	const enter = `http://mine.localhost:${edge.port}/_repldock/enter?token=good.token&to=/page`;
	await edge.service("site", (_, response) => {
		response.setHeader("content-type", "text/html");
		response.end(`<iframe src="${enter}"></iframe>`);
	});
	await edge.service("agent", (incoming, response) => {
		response.writeHead(incoming.headers["x-repldock-access"] === "good.token" ? 204 : 403).end();
	});
	const app = await edge.container((incoming, response) => {
		response.setHeader("content-type", "text/html");
		response.end(`<h1>${incoming.url}</h1><pre>${incoming.headers.cookie ?? "no cookie"}</pre>`);
	});
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [route("mine", { address: app.address, ports: [app.port], mainPort: app.port, visibility: "private" })],
	});

	const framed = await (await browser.newContext()).newPage();
	await framed.goto(`http://localhost:${edge.port}/`);
	const frame = framed.frameLocator("iframe");
	await frame.locator("pre").waitFor();
	expect(await frame.locator("h1").textContent()).toBe("/page");
	expect(await frame.locator("pre").textContent()).toBe("no cookie");

	const alone = await (await browser.newContext()).newPage();
	await alone.goto(`http://mine.localhost:${edge.port}/`);
	expect(alone.url()).toContain(`http://localhost:${edge.port}/visit?`);
	await alone.goto(enter);
	expect(await alone.locator("h1").textContent()).toBe("/page");
	await alone.goto(`http://mine.localhost:${edge.port}/again`);
	expect(await alone.locator("h1").textContent()).toBe("/again");
});
