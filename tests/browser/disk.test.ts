import { randomBytes } from "node:crypto";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { openPage, settled, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { openProject } from "../support/world.ts";

const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
const narrow = { width: 390, height: 844 };
const wide = { width: 1440, height: 900 };

/** Nothing that assistive technology stumbles over, and nothing to be scrolled sideways. */
async function look(page: Page, name: string): Promise<void> {
	await settled(page);
	if (folder) await page.screenshot({ path: `${folder}/disk-${name}.png` });
	const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
	expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
	expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
}

for (const colorScheme of ["light", "dark"] as const) {
	test(`how much of the disk is in use is always in sight, and stands out before programs fail (${colorScheme})`, async () => {
		const { project, workspace } = await openProject("bash");
		const page = await openPage(undefined, { colorScheme });
		await IdePage.open(page, project.id);
		const meter = page.getByRole("meter", { name: "Disk in use" });
		const level = () => page.locator(".ide-disk").getAttribute("data-level");
		await meter.waitFor();
		await soon(() => page.locator(".ide-disk").innerText()).toMatch(/^Disk\s+\d+(\.\d)? [KM]iB of 1 GiB$/);
		expect(await level()).toBe("low");
		const fill = async (megabytes: number) => {
			await workspace.write("fill.sh", `fallocate -l ${megabytes}M big && sync && echo filled\n`);
			expect((await workspace.runToEnd({ file: "fill.sh" })).output).toContain("filled");
		};
		await fill(400);
		await soon(() => page.locator(".ide-disk").innerText()).toMatch(/\b40\d MiB of 1 GiB/);
		expect(await level()).toBe("low");
		await look(page, `half-${colorScheme}-1440`);
		await page.setViewportSize(narrow);
		await page.getByRole("button", { name: "Files", exact: true }).click();
		await meter.waitFor();
		await look(page, `half-${colorScheme}-390`);
		await fill(870);
		await soon(level).toBe("high");
		expect(await page.getByText(/% of the project's disk is in use/).count()).toBe(0);
		await look(page, `high-${colorScheme}-390`);
		await fill(1000);
		await page.getByText(/^\d+ % of the project's disk is in use$/).waitFor();
	}, 240_000);
}

test("what is typed while the disk is full is kept and said to be, also over a reload, and is in the file once there is room", async () => {
	const { project, workspace } = await openProject("bash");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.editor("main.sh").waitFor();
	const before = await workspace.read("main.sh");
	await ide.newTerminal();
	// Random, since what compresses takes no room; small ones fill what a large one leaves.
	await ide.typeIntoTerminal("fallocate -l 990M big; head -c 99M /dev/urandom > rest\n");
	await ide.typeIntoTerminal(
		"for i in {1..300}; do head -c 8000 /dev/urandom > small$i; done 2> /dev/null; echo full$((1+1))\n",
	);
	await ide.expectScreen("full2");

	const noise = (
		randomBytes(60_000)
			.toString("base64")
			.match(/.{1,76}/g) ?? []
	).join("\n");
	await ide.paste("main.sh", noise);
	await page.keyboard.type("\ntyped without room");
	// Of the completions that it is offered.
	await page.keyboard.press("Escape");
	await page.getByText("The project's disk is full: your edits are kept, but not in the files yet").waitFor();
	await ide.expectStatus(/^Not saved: /);
	expect(await workspace.read("main.sh")).toBe(before);
	await look(page, "full-1440");
	await page.setViewportSize(narrow);
	await look(page, "full-390");
	await page.setViewportSize(wide);

	page.on("dialog", (dialog) => void dialog.accept());
	await page.reload();
	await page.getByText("The project's disk is full: your edits are kept, but not in the files yet").waitFor();
	await ide.newTerminal();
	await ide.typeIntoTerminal("rm big rest small*; echo gone$((1+1))\n");
	await ide.expectScreen("gone2");
	await ide.expectStatus(/^Saved$/, 90_000);
	await page.getByText("The project's disk is full").waitFor({ state: "detached" });
	expect(await workspace.read("main.sh")).toBe(`${noise}\ntyped without room`);
}, 240_000);
