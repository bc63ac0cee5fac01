import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { expect, onTestFinished, test } from "vitest";
import { openPage } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { openProject } from "../support/world.ts";

async function scratch(): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "repldock-transfer-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	return folder;
}

async function tarOf(name: string, files: Record<string, string>): Promise<string> {
	const folder = await scratch();
	for (const [path, content] of Object.entries(files)) await writeFile(join(folder, path), content);
	await runCommand("tar", ["-czf", join(folder, name), "-C", folder, ...Object.keys(files)]);
	return join(folder, name);
}

test("an archive becomes a new project that runs, and one that is refused says why and leaves none", async () => {
	const page = await openPage();
	await page.goto("/projects");
	await page.getByRole("button", { name: "New project" }).click();
	await page.getByRole("radio", { name: "File" }).check();
	const folder = await scratch();
	await writeFile(join(folder, "notes.zip"), "this is no zip");
	await page.getByLabel("Archive to import").setInputFiles(join(folder, "notes.zip"));
	await page.getByRole("button", { name: "Import project" }).click();
	await page.getByRole("alert").filter({ hasText: "no archive" }).waitFor();
	const archive = await tarOf("harbour.tar.gz", { ".replit": 'run = "echo safe in the $REPL_SLUG"\n', "a.txt": "a" });
	await page.getByLabel("Archive to import").setInputFiles(archive);
	await page.getByRole("button", { name: "Import project" }).click();
	await page.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
	const ide = new IdePage(page);
	await ide.file("a.txt").waitFor();
	await ide.run();
	await ide.expectScreen(/safe in the harbour/);
	await page.goto("/projects");
	expect(await page.getByRole("link", { name: "notes" }).count()).toBe(0);
});

test("a project is saved as a zip from its menu, and an archive is unpacked into its tree", async () => {
	const { project, workspace } = await openProject("bash");
	await workspace.write("mine.txt", "mine");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await page.getByRole("button", { name: "Export" }).click();
	const downloading = page.waitForEvent("download");
	await page.getByRole("menuitem", { name: "Zip without dependencies" }).click();
	const download = await downloading;
	expect(download.suggestedFilename()).toBe(`${project.slug}.zip`);
	const saved = join(await scratch(), "saved.zip");
	await download.saveAs(saved);
	expect(await runCommand("unzip", ["-p", saved, "mine.txt"])).toBe("mine");
	await page
		.getByLabel("Archive to unpack")
		.setInputFiles(await tarOf("parts.tgz", { "one.txt": "1", "two.txt": "2" }));
	await ide.file("parts").waitFor();
	expect(await workspace.read("parts/two.txt")).toBe("2");
	await ide.expectStatus("Saved");
});
