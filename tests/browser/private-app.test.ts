import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { type Credentials, openPage, soon } from "../support/browser.ts";
import { SiteClient } from "../support/site-client.ts";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { openProject, site } from "../support/world.ts";

const program = `require("node:http").createServer((request, response) => {
	response.setHeader("content-type", "text/html");
	response.end("<h1>Inside " + request.url + "</h1><p>" + (request.headers["x-repldock-user-name"] ?? "nobody") + "</p>");
}).listen(3000, "0.0.0.0");
`;

async function openApp(visibility: "public" | "private") {
	const { project, workspace } = await openProject("node", { visibility });
	await workspace.write(".replit", 'run = "node server.cjs"\n');
	await workspace.write("server.cjs", program);
	await workspace.run();
	await eventually("the port", () => workspace.state.ports.some(({ main }) => main));
	return project;
}

async function signIn(page: Page, { email, password }: Credentials): Promise<void> {
	await page.getByRole("heading", { name: "Sign in" }).waitFor();
	await page.getByLabel("Email").fill(email);
	await page.getByLabel("Password").fill(password);
	await page.getByRole("button", { name: "Sign in" }).click();
}

test("the owner of a private app signs in on the way to it and stands where they wanted to go", async () => {
	const { url } = await openApp("private");
	const page = await openPage(null);
	await page.goto(`${url}deep/down?q=1`);
	expect(page.url()).toContain(inject("instance").siteUrl);
	await signIn(page, inject("administrator"));
	await page.getByRole("heading", { name: "Inside /deep/down?q=1" }).waitFor();
	expect(page.url()).toBe(`${url}deep/down?q=1`);
	expect(await page.locator("p").textContent()).toBe("Ada");
	// The program's own scripts and address bar know nothing of the ticket and the cookie.
	expect(await page.evaluate(() => [document.cookie, document.referrer.includes("ticket")])).toEqual(["", false]);

	// A program comes in by a personal token.
	expect((await visit(url)).status).toBe(401);
	const byToken = await visit(url, { headers: { authorization: `Bearer ${inject("token")}` } });
	expect(byToken.body).toContain("<p>Ada</p>");
});

test("somebody else is told that the project is private, as whom, and can come back with another account", async () => {
	const { url, id } = await openApp("private");
	const person = { name: "Eve", email: "eve-private@example.org", password: "correct horse battery" };
	await SiteClient.signUp(inject("instance").siteUrl, person);
	const page = await openPage(person);
	await page.goto(url);
	await page.getByRole("heading", { name: "This project is private" }).waitFor();
	await page.getByText("eve-private@example.org").waitFor();
	await page.getByRole("button", { name: "Use another account" }).click();
	await signIn(page, inject("administrator"));
	await page.getByRole("heading", { name: "Inside /" }).waitFor();

	// A public one learns who visits only when the visitor says so.
	await site().call("PATCH", `/projects/${id}`, { visibility: "public" });
	const visitor = await openPage(null);
	await soon(async () => (await visitor.goto(url))?.status()).toBe(200);
	expect(await visitor.locator("p").textContent()).toBe("nobody");
	await visitor.goto(`${url}_repldock/sign-in?to=/known`);
	await signIn(visitor, person);
	await visitor.getByRole("button", { name: "Continue as Eve" }).click();
	await visitor.getByRole("heading", { name: "Inside /known" }).waitFor();
	expect(await visitor.locator("p").textContent()).toBe("Eve");
	await visitor.goto(`${url}_repldock/sign-out?to=/left`);
	expect(await visitor.locator("p").textContent()).toBe("nobody");
});

test("a project that is made private while people visit it ends their visits", async () => {
	const { url, id } = await openApp("public");
	const person = { name: "Mallory", email: "mallory-private@example.org", password: "correct horse battery" };
	await SiteClient.signUp(inject("instance").siteUrl, person);
	const page = await openPage(person);
	await page.goto(`${url}_repldock/sign-in?to=/`);
	await page.getByRole("button", { name: "Continue as Mallory" }).click();
	await page.getByRole("heading", { name: "Inside /" }).waitFor();
	await site().call("PATCH", `/projects/${id}`, { visibility: "private" });
	// A verdict is remembered for half a minute.
	await expect
		.poll(
			async () => {
				await page.goto(url);
				return page.getByRole("heading", { name: "This project is private" }).count();
			},
			{ timeout: 60_000, interval: 1_000 },
		)
		.toBe(1);
});
