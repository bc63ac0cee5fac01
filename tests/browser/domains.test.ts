import { request } from "node:http";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect, inject, onTestFinished, test } from "vitest";
import { expectDialogFits, openPage, settled, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { site } from "../support/world.ts";

async function openDialog(page: Page, name: string) {
	await page.goto(`/projects`);
	await page.getByLabel("Search projects").fill(name);
	await page.getByRole("button", { name: `More about ${name}` }).click();
	await page.getByRole("menuitem", { name: "Domains…" }).click();
	return page.getByRole("dialog", { name: "Domains" });
}

/** Status of the app's front page as a visitor of this host gets it. */
function visit(host: string): Promise<number> {
	return new Promise((resolve, reject) => {
		const { httpPort } = inject("instance");
		const outgoing = request({ host: "127.0.0.1", port: httpPort, headers: { host: `${host}:${httpPort}` } });
		outgoing.on("response", (response) => {
			response.resume();
			resolve(response.statusCode ?? 0);
		});
		outgoing.on("error", reject);
		outgoing.end();
	});
}

test("a domain is added, shows what to set in DNS, is ready once that is there, and leads to the app until it is removed", async () => {
	const project = await site().createProject("static", { name: "Flower shop", visibility: "public" });
	onTestFinished(() => site().stop(project.id));
	const page = await openPage();
	const dialog = await openDialog(page, "Flower shop");

	await dialog.getByLabel("Domain", { exact: true }).fill("localhost");
	await page.keyboard.press("Enter");
	await dialog.getByText("This name", { exact: false }).first().waitFor();

	await dialog.getByLabel("Domain", { exact: true }).fill("https://www.missing.example/");
	await page.keyboard.press("Enter");
	const missing = dialog.getByRole("listitem").filter({ hasText: "www.missing.example" });
	await missing.getByText("Waiting for DNS").waitFor();
	await missing.getByText("_repldock.www.missing.example").waitFor();
	await missing.getByText(`${project.slug}.localhost`, { exact: true }).waitFor();
	await missing.getByRole("button", { name: "Check now" }).click();
	await missing.getByText("Neither record is in DNS yet.", { exact: false }).waitFor();

	const host = `${project.slug}.proved.example`;
	expect(await visit(host)).toBe(404);
	await dialog.getByLabel("Domain", { exact: true }).fill(host);
	await dialog.getByRole("button", { name: "Add domain" }).click();
	const proved = dialog.getByRole("listitem").filter({ has: page.getByText(host, { exact: true }) });
	const check = proved.getByRole("button", { name: "Check now" });
	// It may have been found already without being asked for.
	await check.or(proved.getByText("Ready")).first().waitFor();
	if (await check.isVisible()) await check.click();
	await proved.getByText("Ready").waitFor();
	// The project is asleep, which is more than "there is no app here".
	await soon(() => visit(host)).not.toBe(404);

	await proved.getByRole("button", { name: `Remove ${host}` }).click();
	await soon(() => proved.count()).toBe(0);
	await soon(() => visit(host)).toBe(404);
	await dialog.getByRole("button", { name: "Done" }).click();
	await soon(() => dialog.count()).toBe(0);
});

for (const colorScheme of ["light", "dark"] as const) {
	test(`the domains of a project have no accessibility violation and fit a narrow window (${colorScheme})`, async () => {
		const name = `Tea house ${colorScheme}`;
		const project = await site().createProject("static", { name });
		onTestFinished(() => site().stop(project.id));
		const page = await openPage(undefined, { colorScheme });
		const dialog = await openDialog(page, name);
		await dialog
			.getByLabel("Domain", { exact: true })
			.fill(`a-rather-long-name-of-a-domain.${colorScheme}.missing.example`);
		await page.keyboard.press("Enter");
		await dialog.getByText("Waiting for DNS").waitFor();
		await expectDialogFits(dialog, `domains-${colorScheme}`);
	});

	test(`the domains are also opened from the editor, in a wide and in a narrow window (${colorScheme})`, async () => {
		const project = await site().createProject("static", { name: `Ferry ${colorScheme}` });
		onTestFinished(() => site().stop(project.id));
		const page = await openPage(undefined, { colorScheme });
		await IdePage.open(page, project.id);
		for (const [width, height] of [
			[1440, 900],
			[390, 844],
		] as const) {
			await page.setViewportSize({ width, height });
			await page.getByRole("button", { name: "Domains" }).click();
			const dialog = page.getByRole("dialog", { name: "Domains" });
			if (width > 1000) {
				await dialog.getByLabel("Domain", { exact: true }).fill(`ferry.${colorScheme}.missing.example`);
				await page.keyboard.press("Enter");
			}
			await dialog.getByText("Waiting for DNS").waitFor();
			await settled(page);
			const { violations } = await new AxeBuilder({ page }).include(".rd-dialog").analyze();
			expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
			const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
			if (folder) await page.screenshot({ path: `${folder}/domains-ide-${colorScheme}-${width}.png` });
			await dialog.getByRole("button", { name: "Done" }).click();
			await soon(() => dialog.count()).toBe(0);
			if (folder) await page.screenshot({ path: `${folder}/ide-${colorScheme}-${width}.png` });
		}
	});
}
