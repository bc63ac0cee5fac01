import { expect, test } from "vitest";
import { openPage } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { openProject } from "../support/world.ts";

test("a reload finds open tabs, code, terminal and console as they were", async () => {
	const { project, workspace } = await openProject("python");
	await workspace.write("main.py", 'print("ran once")\n');
	await workspace.write("notes.txt", "one\n");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.editor("main.py").waitFor();
	await ide.openFile("notes.txt");
	await ide.paste("notes.txt", "written before the reload");
	await ide.run();
	await ide.expectScreen("ran once");
	await ide.newTerminal();
	await ide.typeIntoTerminal("seq 1 200; echo done-$((40+2))\n");
	await ide.expectScreen("done-42");
	await ide.expectStatus(/^Saved$/);

	await page.reload();
	await ide.expectStatus(/^Saved$/);
	const tabs = page.getByRole("tablist", { name: "Open files" }).getByRole("tab");
	expect(await tabs.allInnerTexts()).toEqual(["main.py", "notes.txt"]);
	await ide.expectCode("notes.txt", "written before the reload");
	await ide.expectScreen(/199\n200\ndone-42\n.*\$/);
	await ide.typeIntoTerminal("echo still-$((1+1))\n");
	await ide.expectScreen("still-2");
	await page.getByRole("tab", { name: "Console" }).click();
	await ide.expectScreen("ran once");
	await page.getByRole("tab", { name: "main.py" }).click();
	await ide.expectCode("main.py", 'print("ran once")');
});
