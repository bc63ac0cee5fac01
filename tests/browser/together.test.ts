import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { openPage, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { SiteClient } from "../support/site-client.ts";
import { openProject } from "../support/world.ts";

test("two browsers edit one file: each sees the other's text, cursor and name", async () => {
	const { project, workspace } = await openProject("python");
	await workspace.write("main.py", "first line\nsecond line\n");
	const one = await IdePage.open(await openPage(), project.id);
	const other = await IdePage.open(await openPage(), project.id);
	await one.expectCode("main.py", "second line");
	await other.expectCode("main.py", "second line");

	await one.editor("main.py").click();
	await one.page.keyboard.press("Control+Home");
	await other.editor("main.py").click();
	await other.page.keyboard.press("Control+End");
	// At the same time, letter by letter.
	await Promise.all([
		one.page.keyboard.type("alpha ", { delay: 15 }),
		other.page.keyboard.type("omega", { delay: 15 }),
	]);
	for (const ide of [one, other]) {
		await ide.expectCode("main.py", /^alpha first line\nsecond line\nomega$/);
		await ide.expectStatus(/^Saved$/);
		await soon(() => ide.editor("main.py").locator(".cm-ySelectionInfo").allTextContents()).toEqual(["Ada"]);
	}
	expect(await workspace.read("main.py")).toBe("alpha first line\nsecond line\nomega");

	// Undo takes back one's own edits only.
	await one.page.keyboard.press("Control+Z");
	await other.expectCode("main.py", /^first line\nsecond line\nomega$/);
});

test("a change made by a program in the terminal appears in the open editor, beside what is being typed", async () => {
	const { project, workspace } = await openProject("bash");
	await workspace.write("list.txt", "apples\npears\n");
	const ide = await IdePage.open(await openPage(), project.id);
	await ide.openFile("list.txt");
	await ide.expectCode("list.txt", "pears");
	await ide.newTerminal();
	await ide.typeIntoTerminal("sed -i s/apples/oranges/ list.txt; echo plums > new.txt\n");
	await ide.expectCode("list.txt", /^oranges\npears\n$/);
	await ide.file("new.txt").waitFor();
	await ide.editor("list.txt").click();
	await ide.page.keyboard.press("Control+End");
	await ide.page.keyboard.type("cherries");
	await ide.expectStatus(/^Saved$/);
	expect(await workspace.read("list.txt")).toBe("oranges\npears\ncherries");
});

test("somebody who may only look follows a public project and cannot change it", async () => {
	const person = { name: "Grace", email: `${randomUUID()}@example.org`, password: "a nanosecond of wire" };
	await SiteClient.signUp(inject("instance").siteUrl, person);
	const { project } = await openProject("python", { visibility: "public" });
	const owner = await IdePage.open(await openPage(), project.id);
	const page = await openPage(person);
	await page.goto(`/projects/${project.id}`);
	const visitor = new IdePage(page);
	await page.getByText("Read only").waitFor();
	await owner.paste("main.py", "for everybody to see");
	await visitor.expectCode("main.py", /^for everybody to see$/);
	expect(await visitor.editor("main.py").getAttribute("contenteditable")).toBe("false");
	// To fork it takes the place of Run.
	await page.getByRole("button", { name: "Fork" }).waitFor();
	expect(await visitor.runButton.count()).toBe(0);
	await owner.page.getByRole("list", { name: "People here" }).getByTitle("Grace").waitFor();
});
