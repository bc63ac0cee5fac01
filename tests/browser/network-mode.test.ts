import { onTestFinished, test } from "vitest";
import { expectDialogFits, openPage, soon } from "../support/browser.ts";
import { site } from "../support/world.ts";

for (const colorScheme of ["light", "dark"] as const) {
	test(`an owner limits a project's network to domains, closes it, and sees it in the IDE (${colorScheme})`, async () => {
		const name = `Exam ${colorScheme}`;
		const project = await site().createProject("static", { name });
		onTestFinished(() => site().stop(project.id));
		const page = await openPage(undefined, { colorScheme });
		await page.goto("/projects");
		await page.getByLabel("Search projects").fill(name);
		await page.getByRole("button", { name: `More about ${name}` }).click();
		await page.getByRole("menuitem", { name: "Network…" }).click();
		const dialog = page.getByRole("dialog", { name: "Network" });
		await dialog.getByText("Programs reach all web services").waitFor();
		await dialog.getByRole("radio", { name: "Allow-list" }).click();
		await dialog.getByText("No domain yet").waitFor();
		const field = dialog.getByLabel("Allowed domain", { exact: true });
		await field.fill("https://example.org");
		await dialog.getByRole("button", { name: "Allow", exact: true }).click();
		await dialog.getByText("Write a domain such as example.org").first().waitFor();
		for (const domain of ["example.org", "*.A-rather-long-name-of-a-domain.example"]) {
			await field.fill(domain);
			await page.keyboard.press("Enter");
			await dialog.getByText(domain.toLowerCase(), { exact: true }).waitFor();
		}
		await expectDialogFits(dialog, `network-mode-${colorScheme}`);
		await dialog.getByRole("button", { name: "Remove example.org" }).click();
		await soon(() => dialog.getByRole("listitem").count()).toBe(1);
		await dialog.getByRole("radio", { name: "Closed" }).click();
		await dialog.getByText("Programs reach nothing, as in an exam.", { exact: false }).waitFor();
		await page.setViewportSize({ width: 1440, height: 900 });
		await page.goto(`/projects/${project.id}`);
		await page.getByText("Network closed", { exact: true }).waitFor();
		const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
		if (folder) await page.screenshot({ path: `${folder}/network-badge-${colorScheme}.png` });
	});
}
