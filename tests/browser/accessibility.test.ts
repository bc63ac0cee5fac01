import { randomUUID } from "node:crypto";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { openPage, settled } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { SiteClient } from "../support/site-client.ts";
import { openProject } from "../support/world.ts";

const themes = ["light", "dark"] as const;

for (const colorScheme of themes) {
	test(`pages for strangers have no accessibility violation (${colorScheme})`, async () => {
		const page = await openPage(null, { colorScheme });
		for (const path of ["/", "/sign-in", "/sign-up", "/no-such-page"]) {
			await page.goto(path);
			await expectNoViolation(page);
		}
	});

	test(`projects, account and administration have no accessibility violation (${colorScheme})`, async () => {
		// Somebody with few projects: the check takes its time for each element.
		const person = { name: "Mary", email: `${randomUUID()}@example.org`, password: "scale before you paint" };
		const client = await SiteClient.signUp(inject("instance").siteUrl, person);
		await client.createProject("node", { visibility: "public" });
		const page = await openPage(person, { colorScheme });
		await page.goto("/projects");
		await page.getByRole("list", { name: "Projects" }).waitFor();
		await expectNoViolation(page);
		await page.getByRole("button", { name: "New project" }).click();
		await page.getByRole("radio", { name: "Python", exact: true }).waitFor();
		await expectNoViolation(page);
		await page.goto("/account");
		await page.getByText("No tokens yet").waitFor();
		await expectNoViolation(page);
		const admin = await openPage(undefined, { colorScheme });
		await admin.goto("/admin");
		await admin.getByText("Connected").first().waitFor();
		await expectNoViolation(admin);
	});

	test(`the IDE has no accessibility violation (${colorScheme})`, async () => {
		const { project, workspace } = await openProject("python-web");
		await workspace.run();
		const page = await openPage(undefined, { colorScheme });
		const ide = await IdePage.open(page, project.id);
		await page.frameLocator("iframe").getByRole("heading", { name: "Guest book" }).waitFor();
		await ide.newTerminal();
		await ide.editor("main.py").waitFor();
		await expectNoViolation(page);
		await page.setViewportSize({ width: 390, height: 844 });
		await page
			.getByRole("button", { name: "Console" })
			.or(page.getByRole("tab", { name: "Console" }))
			.first()
			.waitFor();
		await expectNoViolation(page);
	});
}

async function expectNoViolation(page: Page) {
	// What runs inside of the web view is the person's own page.
	await settled(page);
	const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
	expect(
		violations.map(({ id, nodes }) => ({
			id,
			elements: nodes.map(({ html, failureSummary }) => [html, failureSummary]),
		})),
	).toEqual([]);
}
