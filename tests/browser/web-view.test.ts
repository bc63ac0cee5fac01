import { expect, onTestFinished, test } from "vitest";
import { openPage, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { site } from "../support/world.ts";

test("a web project's page stands in the web view and at its host name, until Stop", async () => {
	const page = await openPage();
	await page.goto("/projects?new");
	await page.getByLabel("Search templates").fill("node web");
	await page.getByRole("radio", { name: "Node.js web app", exact: true }).check({ force: true });
	await page.getByRole("button", { name: "Create project" }).click();
	const ide = new IdePage(page);
	await ide.editor("index.js").waitFor();
	const { projectId } = ide;
	onTestFinished(() => site().stop(projectId));

	await ide.run();
	await page.frameLocator("iframe").getByRole("heading", { name: "Your server is live" }).waitFor();

	const opened = page.waitForEvent("popup");
	await page.getByRole("button", { name: "Open in a new tab" }).click();
	const tab = await opened;
	await tab.getByRole("heading", { name: "Your server is live" }).waitFor();
	const { url } = await site().project(projectId);
	expect(tab.url()).toBe(url);

	// It is private: a stranger does not see it.
	const stranger = await openPage(null);
	await stranger.goto(url);
	await stranger.getByRole("heading", { name: "Sign in" }).waitFor();
	expect(await stranger.getByText("Your server is live").count()).toBe(0);

	await ide.stop();
	await page.getByRole("heading", { name: "Press Run" }).waitFor();
	await soon(async () => (await tab.goto(url))?.status()).toBeGreaterThanOrEqual(502);
});
