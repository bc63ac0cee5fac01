import { test } from "vitest";
import { openPage, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { openProject } from "../support/world.ts";

test("while a terminal floods, the page takes keys and Ctrl-C ends the flood", async () => {
	const { project, workspace } = await openProject("python");
	await workspace.write("main.py", "");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.editor("main.py").waitFor();
	await ide.newTerminal();
	await ide.typeIntoTerminal("yes\n");
	await ide.expectScreen(/^y\ny\ny\ny$/m);
	await ide.editor("main.py").click();
	await page.keyboard.type("typed in the flood");
	await ide.expectCode("main.py", /^typed in the flood$/);
	await soon(() => workspace.read("main.py")).toBe("typed in the flood");
	await ide.typeIntoTerminal("");
	await page.keyboard.press("Control+C");
	await ide.expectScreen(/\^C\n.*\$$/);
	await ide.typeIntoTerminal("echo calm-$((1+1))\n");
	await ide.expectScreen("calm-2");
});
