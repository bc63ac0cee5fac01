import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect, inject, onTestFinished, test } from "vitest";
import { openPage, settled, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { SiteClient } from "../support/site-client.ts";
import { openProject, site } from "../support/world.ts";

const sizes = [
	[1440, 900],
	[390, 844],
] as const;

/** The dialog, and the page behind it, on wide and narrow windows. */
async function look(page: Page, name: string) {
	const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
	for (const [width, height] of sizes) {
		await page.setViewportSize({ width, height });
		await page.getByRole("dialog").waitFor();
		await settled(page);
		const { violations } = await new AxeBuilder({ page }).analyze();
		expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
		if (folder) await page.screenshot({ path: `${folder}/${name}-${width}.png` });
	}
	await page.setViewportSize({ width: 1440, height: 900 });
}

for (const colorScheme of ["light", "dark"] as const) {
	test(`an owner forks a project from its card, and the fork opens with all files (${colorScheme})`, async () => {
		const name = `Worth forking ${colorScheme}`;
		const { project, workspace } = await openProject("bash", { name });
		await workspace.write("main.sh", "echo from the origin\n");
		const page = await openPage(undefined, { colorScheme });
		await page.goto("/projects");
		await page.getByLabel("Search projects").fill(name);
		await page.getByRole("button", { name: `More about ${name}` }).click();
		await page.getByRole("menuitem", { name: "Fork…" }).click();
		const dialog = page.getByRole("dialog", { name: `Fork ${name}` });
		await dialog.waitFor();
		await look(page, `fork-${colorScheme}`);
		await dialog.getByLabel("Name").fill(`Mine ${colorScheme}`);
		await dialog.getByRole("button", { name: "Fork", exact: true }).click();
		await soon(() => page.title()).toContain(`Mine ${colorScheme}`);
		const ide = new IdePage(page);
		onTestFinished(() => site().stop(ide.projectId));
		expect(ide.projectId).not.toBe(project.id);
		await ide.expectStatus("Saved");
		await ide.expectCode("main.sh", "from the origin");
		expect(await site().project(ide.projectId)).toMatchObject({ visibility: "private" });
	});
}

test("who may only look at a public project forks it with one click on its page, and may edit the fork", async () => {
	const { siteUrl } = inject("instance");
	const { project, workspace } = await openProject("bash", { name: "Open to all", visibility: "public" });
	await workspace.write("main.sh", "echo look at me\n");
	const person = { name: "Visitor", email: "fork-visitor@example.org", password: "correct horse battery" };
	const visitor = await SiteClient.signUp(siteUrl, person);
	const page = await openPage(person);
	await page.goto(`/projects/${project.id}`);
	const button = page.getByRole("button", { name: "Fork", exact: true });
	await button.waitFor();
	for (const [width, height] of sizes) {
		await page.setViewportSize({ width, height });
		await settled(page);
		const header = page.locator(".ide-header");
		expect(await header.evaluate((element) => element.scrollWidth - element.clientWidth)).toBeLessThanOrEqual(0);
		const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
		if (folder) await page.screenshot({ path: `${folder}/fork-viewer-${width}.png` });
	}
	await page.setViewportSize({ width: 1440, height: 900 });
	await button.click();
	const dialog = page.getByRole("dialog", { name: "Fork Open to all" });
	await dialog.getByRole("button", { name: "Fork", exact: true }).click();
	await soon(() => page.title()).toContain("Fork of Open to all");
	const ide = new IdePage(page);
	onTestFinished(() => visitor.stop(ide.projectId));
	await ide.expectStatus("Saved");
	await ide.expectCode("main.sh", "look at me");
	await ide.paste("main.sh", "echo mine now\n");
	await ide.run();
	await ide.expectScreen("mine now");
	expect(await workspace.read("main.sh")).toContain("look at me");
});

test("a fork that lacks what its origin's server could not tell says of when its files are, before it opens", async () => {
	const { project } = await openProject("bash", { name: "Far away" });
	const page = await openPage();
	const asOf = new Date();
	asOf.setHours(14, 3, 22, 0);
	// The answer of a site whose origin's node is away, which takes a second node to have.
	await page.route(`**/api/v1/projects/${project.id}/fork`, async (route) => {
		const response = await route.fetch();
		await route.fulfill({ response, json: { ...(await response.json()), asOf: asOf.toISOString() } });
	});
	await page.goto(`/projects/${project.id}`);
	await page.getByRole("button", { name: "Fork", exact: true }).click();
	const dialog = page.getByRole("dialog", { name: "Fork Far away" });
	await dialog.getByRole("button", { name: "Fork", exact: true }).click();
	const shown = await page.evaluate((time) => new Date(time).toLocaleTimeString(), asOf.toISOString());
	await dialog.getByText(`as of ${shown}`).waitFor();
	await dialog.getByText("is not in it").waitFor();
	await look(page, "fork-dated");
	await dialog.getByRole("link", { name: "Open the fork" }).click();
	await soon(() => page.title()).toContain("Fork of Far away");
	const ide = new IdePage(page);
	onTestFinished(() => site().stop(ide.projectId));
	await ide.expectStatus("Saved");
});
