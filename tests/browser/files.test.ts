import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { openPage, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { openProject } from "../support/world.ts";

test("files are created, renamed, moved and deleted in the tree, and the open tab follows", async () => {
	const { project, workspace } = await openProject("python");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.file("main.py").waitFor();
	await page.getByRole("button", { name: "New folder" }).click();
	await page.getByLabel("Name of the new folder").fill("lib");
	await page.keyboard.press("Enter");
	await ide.file("lib").waitFor();

	await page.getByRole("button", { name: "More file actions" }).click();
	await page.getByRole("menuitem", { name: "New file" }).click();
	await page.getByLabel("Name of the new file").fill("draft é.txt");
	await page.keyboard.press("Enter");
	await ide.paste("draft é.txt", "kept through all of it");
	await ide.expectStatus(/^Saved$/);

	await ide.file("draft é.txt").click();
	await page.keyboard.press("F2");
	await page.getByLabel("New name").fill("final.txt");
	await page.keyboard.press("Enter");
	await ide.file("final.txt").waitFor();
	await page.getByRole("tab", { name: "final.txt" }).waitFor();

	await ide.file("final.txt").dragTo(ide.file("lib"));
	await soon(() => workspace.read("lib/final.txt").catch(() => "")).toBe("kept through all of it");
	await page.getByRole("tab", { name: "final.txt" }).waitFor();
	await ide.editor("lib/final.txt").click();
	await page.keyboard.press("Control+End");
	await page.keyboard.type(", and more");
	await ide.expectStatus(/^Saved$/);
	expect(await workspace.read("lib/final.txt")).toBe("kept through all of it, and more");

	await ide.file("lib").click();
	await page.keyboard.press("Delete");
	await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await ide.file("lib").waitFor({ state: "detached" });
	await page.getByRole("tab", { name: "final.txt" }).waitFor({ state: "detached" });
	expect((await workspace.list()).entries.map(({ name }) => name)).not.toContain("lib");
});

test("a name that is taken is refused with a sentence at the field", async () => {
	const { project } = await openProject("python");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.file("main.py").waitFor();
	await page.getByRole("button", { name: "New file" }).click();
	await page.getByLabel("Name of the new file").fill("main.py");
	await page.keyboard.press("Enter");
	await page
		.getByRole("alert")
		.filter({ hasText: /there already/ })
		.waitFor();
	await page.keyboard.press("Escape");
	await page.getByLabel("Name of the new file").waitFor({ state: "detached" });
});

test("uploaded files arrive byte for byte and come back by download", async () => {
	const { project, workspace } = await openProject("python");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.file("main.py").waitFor();
	const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
	await page.getByLabel("Files to upload").setInputFiles([
		{ name: "bytes.bin", mimeType: "application/octet-stream", buffer: bytes },
		{ name: "- two words.txt", mimeType: "text/plain", buffer: Buffer.from("hello") },
	]);
	await ide.file("bytes.bin").waitFor();
	await ide.file("- two words.txt").waitFor();
	await soon(() => workspace.read("- two words.txt").catch(() => "")).toBe("hello");

	const downloading = page.waitForEvent("download");
	await ide.chooseForFile("bytes.bin", "Download");
	const download = await downloading;
	expect(download.suggestedFilename()).toBe("bytes.bin");
	expect((await readFile(await download.path())).equals(bytes)).toBe(true);

	// A file that is no text is not put into the editor.
	await ide.openFile("bytes.bin");
	await page.getByRole("tabpanel").getByRole("button", { name: "Download" }).waitFor();
});
