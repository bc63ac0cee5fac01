import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { runCommand } from "@repldock/service";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { openPage, settled } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { removeToolchainImage } from "../support/toolchain-image.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";
import { site } from "../support/world.ts";

const screenshots = process.env.REPLDOCK_TEST_SCREENSHOTS;

async function look(page: Page, name: string): Promise<void> {
	await settled(page);
	if (screenshots) await page.screenshot({ path: `${screenshots}/rescue-${name}.png` });
	const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
	expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
	expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
}

test("a project whose container does not start is edited and exported, and runs once it can", async () => {
	const bringBack = await removeToolchainImage();
	onTestFinished(bringBack);
	const project = await site().createProject("bash");
	onTestFinished(() => site().stop(project.id));
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	const notice = page.locator(".ide-notice").filter({ hasText: "Rescue mode" });
	await notice.getByText("the container does not start; your files are here").waitFor();

	await ide.paste("main.sh", "echo rescued $((40+2))\n");
	await ide.expectStatus(/^Saved$/);
	const workspace = await WorkspaceClient.open(site(), project.id);
	expect(await workspace.read("main.sh")).toBe("echo rescued $((40+2))\n");
	const downloading = page.waitForEvent("download");
	await notice.getByRole("button", { name: "Export" }).click();
	await page.getByRole("menuitem", { name: "Zip", exact: true }).click();
	const folder = await mkdtemp(join(tmpdir(), "repldock-rescue-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	await (await downloading).saveAs(join(folder, "a.zip"));
	expect(await runCommand("unzip", ["-p", join(folder, "a.zip"), "main.sh"])).toBe("echo rescued $((40+2))\n");
	await look(page, "1440");
	await page.setViewportSize({ width: 390, height: 844 });
	await look(page, "390");
	await page.setViewportSize({ width: 1440, height: 900 });

	await notice.getByRole("button", { name: "Try again" }).click();
	// Told where Run is, and by a notification when the page hears of it in another way too.
	await page.getByRole("button", { name: "Dismiss" }).first().waitFor();
	await notice.waitFor();
	await bringBack();
	await notice.getByRole("button", { name: "Try again" }).click();
	await ide.expectScreen("rescued 42");
	await notice.waitFor({ state: "detached" });
});
