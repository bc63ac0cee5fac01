import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "vitest";
import { openPage, settled, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { visit } from "../support/visit.ts";
import { openProject } from "../support/world.ts";

const floodRequests = 600;

test("an owner watches visitors' requests live: details, filter, pause, clear, a flood, phone and dark", async () => {
	const { project, workspace } = await openProject("python-web", { visibility: "public" });
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await page.getByRole("tab", { name: "Requests" }).click();
	const panel = page.getByRole("region", { name: "Requests" });
	await panel.getByRole("heading", { name: "No requests yet" }).waitFor();
	await panel.getByText(project.url).waitFor();
	await panel.getByRole("button", { name: "Copy address" }).waitFor();
	await shot("empty");

	await workspace.run();
	await soon(async () => (await visit(project.url)).status).toBe(200);
	await page.getByRole("tab", { name: "Requests" }).click();
	const row = (name: RegExp) => panel.getByRole("button", { name });
	await row(/200 GET \/ /)
		.first()
		.waitFor();

	await visit(`${project.url}no-such-page?secret=1`);
	await row(/404 GET \/no-such-page\?secret=1/).click();
	await panel.getByText("127.0.0.1").waitFor();
	await panel.getByText("The app", { exact: true }).waitFor();
	expect(await row(/404/).getAttribute("aria-expanded")).toBe("true");
	await shot("details");

	await panel.getByLabel("Status").selectOption("4");
	await soon(() => panel.getByRole("listitem").count()).toBe(1);
	await panel.getByLabel("Status").selectOption("all");
	await panel.getByLabel("Filter requests").fill("no-such get");
	await soon(() => panel.getByRole("listitem").count()).toBe(1);
	await panel.getByLabel("Filter requests").fill("");

	await panel.getByRole("button", { name: "Pause" }).click();
	await visit(`${project.url}while-paused`);
	await panel.getByText("Paused; 1 came meanwhile.").waitFor();
	expect(await row(/while-paused/).count()).toBe(0);
	await panel.getByRole("button", { name: "Go on" }).click();
	await row(/while-paused/).waitFor();
	await panel.getByRole("button", { name: "Clear the requests" }).click();
	await soon(() => row(/while-paused/).count()).toBe(0);

	await Promise.all(
		Array.from({ length: 10 }, async () => {
			for (let index = 0; index < floodRequests / 10; index += 1) await visit(`${project.url}flood`);
		}),
	);
	await panel.getByText(/more not shown/).waitFor();
	await row(/flood/).first().waitFor();
	// The page is still a page: it answers a click at once.
	await row(/flood/).first().click();
	await panel.getByText("User agent").waitFor();
	await shot("flood");

	await page.emulateMedia({ colorScheme: "dark" });
	await shot("dark");
	await settled(page);
	expect((await new AxeBuilder({ page }).include(".ide-requests").analyze()).violations).toEqual([]);
	await page.setViewportSize({ width: 390, height: 844 });
	await page.getByRole("button", { name: "Console", exact: true }).click();
	await row(/flood/).first().waitFor();
	await shot("phone-dark");
	await page.emulateMedia({ colorScheme: "light" });
	await shot("phone");
	await settled(page);
	expect((await new AxeBuilder({ page }).include(".ide-requests").analyze()).violations).toEqual([]);
	await ide.page.reload();
	await page.getByRole("button", { name: "Console", exact: true }).click();
	await page.getByRole("tab", { name: "Requests" }).click();
	await row(/flood/).first().waitFor();

	async function shot(name: string) {
		const folder = process.env.SHOTS;
		if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
	}
});
