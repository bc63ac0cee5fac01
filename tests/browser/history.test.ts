import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect, inject, onTestFinished, test } from "vitest";
import { openPage, settled, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { SiteClient } from "../support/site-client.ts";
import type { WorkspaceClient } from "../support/workspace-client.ts";
import { openProject } from "../support/world.ts";

const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
const wide = { width: 1440, height: 900 };
/** Longer than any window is wide. */
const longLine = `# ${"-".repeat(300)}\n`;
const narrow = { width: 390, height: 844 };

function historyOf(page: Page) {
	return page.getByRole("region", { name: "History" });
}

async function showHistory(page: Page) {
	await page.getByRole("button", { name: "History", exact: true }).click();
	await historyOf(page).getByRole("button", { name: "Save a version…" }).waitFor();
	return historyOf(page);
}

async function saveVersion(page: Page, name: string) {
	await historyOf(page).getByRole("button", { name: "Save a version…" }).click();
	await page.getByRole("dialog", { name: "Save a version" }).getByLabel("Name").fill(name);
	await page.keyboard.press("Enter");
	await page.getByText(`“${name}” is saved`).waitFor();
}

/** By the API, for tests that are about what comes after. */
async function saveByApi(workspace: WorkspaceClient, name: string): Promise<void> {
	await workspace.request("POST", "/versions", JSON.stringify({ name }), "application/json");
}

function undo(page: Page, title: string) {
	return page.locator(".rd-toast").filter({ hasText: title }).getByRole("button", { name: "Undo" }).click();
}

async function has(workspace: WorkspaceClient, name: string): Promise<boolean> {
	return (await workspace.list()).entries.some((entry) => entry.name === name);
}

/** Nothing that assistive technology stumbles over, and nothing wider than the window. */
async function look(page: Page, name: string): Promise<void> {
	await settled(page);
	if (folder) await page.screenshot({ path: `${folder}/history-${name}.png` });
	const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
	expect(
		violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]),
	).toEqual([]);
	const tooWide = await page.evaluate(() =>
		[...document.querySelectorAll("header, nav, .ide-history, .ide-history-pane, dialog")]
			// What is there for assistive technology alone is one pixel wide.
			.filter(({ clientWidth }) => clientWidth > 1)
			.filter(
				(element) => element.getBoundingClientRect().right > innerWidth || element.scrollWidth > element.clientWidth,
			)
			.map((element) => element.className),
	);
	expect(tooWide).toEqual([]);
}

for (const colorScheme of ["light", "dark"] as const) {
	test(`an owner saves a version, sees what changed, and takes a file and all files back and forth (${colorScheme})`, async () => {
		const { project, workspace } = await openProject("bash");
		await workspace.write("notes.txt", "of the first day\n");
		await workspace.write("src/greet.sh", `echo one\necho two\n${longLine}`);
		const page = await openPage(undefined, { colorScheme });
		const ide = await IdePage.open(page, project.id);
		await ide.file("src").click();
		await ide.openFile("greet.sh");
		const history = await showHistory(page);
		await saveVersion(page, "First day");
		await look(page, `list-${colorScheme}-1440`);
		await page.keyboard.press("Escape");
		await history.waitFor({ state: "hidden" });

		await ide.paste("src/greet.sh", `echo one\necho three\n${longLine}`);
		await ide.expectStatus("Saved");
		await workspace.write("extra.txt", "new\n");
		await workspace.remove("notes.txt");
		await showHistory(page);
		await history.getByRole("button", { name: /^First day/ }).click();
		await history.getByText("1 modified, 1 added, 1 removed since then.").waitFor();
		await history.getByRole("button", { name: /^extra\.txt Added/ }).click();
		await history.getByText("Added since: it is not in this version.").waitFor();
		expect(await history.getByRole("button", { name: "Restore this file" }).count()).toBe(0);
		await history.getByRole("button", { name: /^greet\.sh src\/ Modified/ }).click();
		await history.getByRole("textbox", { name: "Then: src/greet.sh" }).waitFor();
		const side = (name: string) => history.getByRole("textbox", { name }).locator(".cm-changedLine").allTextContents();
		expect(await side("Then: src/greet.sh")).toEqual(["echo two"]);
		expect(await side("Now: src/greet.sh")).toEqual(["echo three"]);
		await look(page, `diff-${colorScheme}-1440`);

		// A file alone, also one that is gone.
		await history.getByRole("button", { name: "Restore this file" }).click();
		const fileBack = "“greet.sh” is as it was in “First day”";
		await page.getByText(fileBack).waitFor();
		await history.getByText("Not changed since.").waitFor();
		expect(await workspace.read("src/greet.sh")).toBe(`echo one\necho two\n${longLine}`);
		await undo(page, fileBack);
		await soon(() => workspace.read("src/greet.sh")).toBe(`echo one\necho three\n${longLine}`);
		await history.getByRole("button", { name: /^notes\.txt Removed/ }).click();
		await history.getByText("Removed since: this is what it was.").waitFor();
		await history.getByRole("button", { name: "Restore this file" }).click();
		await soon(() => has(workspace, "notes.txt")).toBe(true);
		await undo(page, "“notes.txt” is as it was");
		await soon(() => has(workspace, "notes.txt")).toBe(false);

		// The whole project.
		await history.getByRole("button", { name: "Restore the project…" }).click();
		const dialog = page.getByRole("dialog", { name: "Restore the whole project?" });
		await dialog.getByText("Programs that run go on").waitFor();
		await look(page, `restore-${colorScheme}-1440`);
		// What opened it is behind the file there, and hidden.
		await page.setViewportSize(narrow);
		await dialog.getByText("Programs that run go on").waitFor();
		await look(page, `restore-${colorScheme}-390`);
		await page.setViewportSize(wide);
		await dialog.getByRole("button", { name: "Restore the project" }).click();
		const allBack = "The project is as it was in “First day”";
		await page.getByText(allBack).waitFor();
		expect(await workspace.read("notes.txt")).toBe("of the first day\n");
		expect(await workspace.read("src/greet.sh")).toBe(`echo one\necho two\n${longLine}`);
		expect(await has(workspace, "extra.txt")).toBe(false);
		await history
			.getByRole("button", { name: /Before a restore/ })
			.first()
			.waitFor();
		await undo(page, allBack);
		await soon(() => has(workspace, "extra.txt")).toBe(true);
		expect(await workspace.read("src/greet.sh")).toBe(`echo one\necho three\n${longLine}`);
		expect(await has(workspace, "notes.txt")).toBe(false);

		// One pane at a time, with the way back; what was chosen stays.
		await history.getByRole("button", { name: /^greet\.sh src\/ Modified/ }).click();
		await page.setViewportSize(narrow);
		await history.getByRole("textbox", { name: "Then and now: src/greet.sh" }).waitFor();
		await look(page, `diff-${colorScheme}-390`);
		await history.getByRole("button", { name: "Back to the version" }).press("Enter");
		await soon(() => page.evaluate(() => document.activeElement?.textContent)).toContain("greet.sh");
		await look(page, `version-${colorScheme}-390`);
		await history.getByRole("button", { name: "All versions" }).press("Enter");
		await soon(() => page.evaluate(() => document.activeElement?.textContent)).toContain("First day");
		await look(page, `list-${colorScheme}-390`);
		await page.getByRole("button", { name: "Code", exact: true }).click();
		await ide.expectCode("src/greet.sh", "echo three");
		await look(page, `code-${colorScheme}-390`);
	});
}

test("a version's name is changed and taken away in place, and those with a name are shown alone", async () => {
	const { project, workspace } = await openProject("bash");
	await saveByApi(workspace, "Draft");
	const page = await openPage();
	await IdePage.open(page, project.id);
	const history = await showHistory(page);
	await history.getByRole("button", { name: /^Draft/ }).click();
	await history.getByRole("button", { name: "Name of the version" }).click();
	await page.getByRole("menuitem", { name: "Rename" }).click();
	await page.getByLabel("Name of the version").fill("Handed in");
	await page.keyboard.press("Enter");
	await history.getByRole("heading", { name: "Handed in" }).waitFor();
	await history.getByRole("radio", { name: "Named" }).click();
	await history.getByRole("button", { name: /^Handed in/ }).waitFor();
	await history.getByRole("button", { name: "Name of the version" }).click();
	await page.getByRole("menuitem", { name: "Take the name away" }).click();
	await history.getByText("No version has a name").waitFor();
	await look(page, "none-named");
	await undo(page, "“Handed in” is a name no more");
	await history.getByRole("heading", { name: "Handed in" }).waitFor();
});

test("all files of a version are there to look at, whatever they are, and to download", async () => {
	const { project, workspace } = await openProject("bash");
	const picture = Buffer.from(
		"iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC",
		"base64",
	);
	await workspace.write("assets/dot.png", new Uint8Array(picture));
	await workspace.write("program.bin", new Uint8Array([127, 69, 76, 70, 0, 1]));
	await workspace.write("long.txt", "x".repeat(5_000_000));
	await workspace.write("ends.txt", "one\r\ntwo\r\n");
	await saveByApi(workspace, "All sorts");
	await workspace.write("ends.txt", "one\ntwo\n");
	const page = await openPage();
	await IdePage.open(page, project.id);
	const history = await showHistory(page);
	await history.getByRole("button", { name: /^All sorts/ }).click();
	await history.getByRole("tab", { name: "All files" }).click();
	const row = (name: string) =>
		history.getByRole("tree", { name: "Files of the version" }).getByRole("treeitem", { name, exact: true });
	await row("assets").click();
	await row("dot.png").click();
	await history.getByRole("img", { name: "dot.png, then" }).waitFor();
	await look(page, "picture");
	await row("program.bin").click();
	await history.getByText("This file is no text").waitFor();
	await row("long.txt").click();
	await history.getByText("This file is too large to be shown here.").waitFor();
	await row("ends.txt").click();
	await history.getByText("Only the ends of its lines have changed since.").waitFor();
	await row(".replit").click();
	await history.getByText("Not changed since.").waitFor();
	const downloading = page.waitForEvent("download");
	await history.getByRole("button", { name: "Download", exact: true }).click();
	await page.getByRole("menuitem", { name: "Zip", exact: true }).click();
	expect((await downloading).suggestedFilename()).toMatch(/\.zip$/);
});

test("whoever may only look sees versions without the ways to change anything", async () => {
	const { project, workspace } = await openProject("bash", { visibility: "public" });
	await saveByApi(workspace, "For all to see");
	await workspace.write("later.txt", "later\n");
	const person = { name: "Mary", email: `${randomUUID()}@example.org`, password: "scale before you paint" };
	await SiteClient.signUp(inject("instance").siteUrl, person);
	const page = await openPage(person);
	await page.goto(`/projects/${project.id}`);
	await page.getByRole("button", { name: "History", exact: true }).click();
	const history = historyOf(page);
	await history.getByRole("button", { name: /^For all to see/ }).click();
	await history.getByText("1 added since then.").waitFor();
	await history.getByRole("tab", { name: "All files" }).click();
	await history.getByRole("treeitem", { name: "main.sh", exact: true }).click();
	await history.getByText("Not changed since.").waitFor();
	for (const name of [/Save a version/, /Restore/, /Name of the version/]) {
		expect(await history.getByRole("button", { name }).count()).toBe(0);
	}
});

test("a version that the object store does not take is said to be not saved, with the reason, and is saved when it is back", async () => {
	const { project, workspace } = await openProject("bash");
	const page = await openPage();
	await IdePage.open(page, project.id);
	await showHistory(page);
	const badge = (text: RegExp) => page.locator(".ide-header").getByRole("button", { name: text });
	await badge(/^Durable up to \d+:\d+/).waitFor();
	const objects = join(inject("instance").data, "objects");
	await rename(objects, `${objects}-away`);
	const bringBack = async () => {
		await rm(objects, { force: true });
		await rename(`${objects}-away`, objects);
	};
	let away = true;
	onTestFinished(() => (away ? bringBack() : undefined));
	// A file in its place: nothing can be written below it.
	await writeFile(objects, "");
	await workspace.write("waiting.txt", "waiting\n");
	await historyOf(page).getByRole("button", { name: "Save a version…" }).click();
	const dialog = page.getByRole("dialog", { name: "Save a version" });
	await dialog.getByLabel("Name").fill("Through the storm");
	await page.keyboard.press("Enter");
	await dialog.getByText("The version was not saved").waitFor();
	await dialog.getByText("This was not saved: the object store does not take it.").waitFor();
	// By now the page knows of the outage: it says so before anybody tries.
	await dialog.getByRole("button", { name: "Cancel" }).click();
	await badge(/^Not durable since \d+:\d+/).waitFor();
	await historyOf(page).getByRole("button", { name: "Save a version…" }).click();
	await dialog.getByText("Nothing can be stored just now").waitFor();
	await look(page, "outage");
	await page.setViewportSize(narrow);
	await look(page, "outage-390");
	await page.setViewportSize(wide);
	await bringBack();
	away = false;
	await dialog.getByLabel("Name").fill("Through the storm");
	await page.keyboard.press("Enter");
	await page.getByText("“Through the storm” is saved").waitFor({ timeout: 60_000 });
	await historyOf(page)
		.getByRole("button", { name: /^Through the storm/ })
		.waitFor();
	await badge(/^Durable up to \d+:\d+/).waitFor();
});

test("a site that is out of reach is told, with a way on", async () => {
	const { project } = await openProject("bash");
	const page = await openPage();
	await IdePage.open(page, project.id);
	await page.route("**/api/v1/projects/*/versions*", (route) => route.abort("connectionfailed"));
	const history = await showHistory(page);
	await history.getByText("The versions cannot be shown").waitFor();
	await look(page, "unreachable");
	await page.unroute("**/api/v1/projects/*/versions*");
	await history.getByRole("button", { name: "Try again" }).click();
	await history.getByText("Saved by itself").first().waitFor();
});

test("the comparison's code is not part of the page's first load", async () => {
	const { project } = await openProject("bash");
	const page = await openPage();
	const scripts: Promise<string>[] = [];
	page.on("response", (response) => {
		// What was asked for and given up when the page left has no text.
		if (response.url().endsWith(".js")) scripts.push(response.text().catch(() => ""));
	});
	const comparing = async () => (await Promise.all(scripts)).filter((text) => text.includes("cm-mergeView")).length;
	const ide = await IdePage.open(page, project.id);
	await ide.editor("main.sh").waitFor();
	expect(await comparing()).toBe(0);
	const history = await showHistory(page);
	await history
		.getByRole("button", { name: /Saved by itself/ })
		.first()
		.click();
	await history.getByRole("tab", { name: "All files" }).click();
	await history.getByRole("treeitem", { name: "main.sh", exact: true }).click();
	await history.getByRole("textbox", { name: "As it was: main.sh" }).waitFor();
	expect(await comparing()).toBe(1);
});
