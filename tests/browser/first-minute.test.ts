import { expect, inject, onTestFinished, test } from "vitest";
import { openPage, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";
import { site } from "../support/world.ts";

test("sign in by the form, make a Python project, type code, press Run, answer its question", async () => {
	const { email, password } = inject("administrator");
	const page = await openPage(null);
	await page.goto("/projects");
	await page.getByLabel("Email").fill(email);
	await page.getByLabel("Password", { exact: true }).fill(password);
	await page.keyboard.press("Enter");

	await page.getByRole("heading", { name: "Projects" }).waitFor();
	await page.getByRole("button", { name: "New project" }).click();
	await page.getByLabel("Search templates").fill("python");
	await page.getByRole("radio", { name: "Python", exact: true }).check({ force: true });
	await page.getByLabel("Name", { exact: true }).fill("Greeter");
	await page.getByRole("button", { name: "Create project" }).click();

	const ide = new IdePage(page);
	await ide.editor("main.py").click();
	const { projectId } = ide;
	onTestFinished(() => site().stop(projectId));
	await soon(() => page.title()).toBe("Greeter · Repldock");
	await page.keyboard.press("Control+A");
	await page.keyboard.type('print("Hello,", input("Who? "))', { delay: 10 });
	await ide.expectStatus(/^Saved$/);
	const workspace = await WorkspaceClient.open(site(), projectId);
	expect(await workspace.read("main.py")).toBe('print("Hello,", input("Who? "))');

	await ide.run();
	await ide.expectScreen("Who?");
	await ide.typeIntoTerminal("Grace\n");
	await ide.expectScreen("Hello, Grace");
	await page.getByText(/^Exit code 0 after/).waitFor();
	await ide.runButton.waitFor();

	await page.getByRole("link", { name: "All projects" }).click();
	const card = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: "Greeter", exact: true }) });
	await card.getByText("Running").waitFor();
});

test("a program that fails shows its exit code, and Stop ends one that does not end", async () => {
	const page = await openPage();
	const project = await site().createProject("python");
	onTestFinished(() => site().stop(project.id));
	const ide = await IdePage.open(page, project.id);
	await ide.paste("main.py", "import sys\nsys.exit(3)\n");
	// Not waited for "Saved": Run takes what is in the editor.
	await ide.run();
	await page.getByText(/^Exit code 3 after/).waitFor();
	await ide.paste("main.py", "print('up', flush=True)\nimport time\ntime.sleep(600)\n");
	await page.keyboard.press("Control+Enter");
	await ide.expectScreen(/^up$/m);
	await ide.stop();
	await ide.runButton.waitFor();
});

test("what stands in the way of Run is said where the person looks", async () => {
	const page = await openPage();
	const project = await site().createProject("python");
	onTestFinished(() => site().stop(project.id));
	const workspace = await WorkspaceClient.open(site(), project.id);
	await workspace.write(".replit", 'run = "python3 main.py\n');
	const ide = await IdePage.open(page, project.id);
	await ide.run();
	await page.getByText("The .replit file has a mistake").waitFor();
	await page.getByText(/line 1/i).waitFor();
});

test("Run starts a project again that was stopped while its page was open", async () => {
	const page = await openPage();
	const project = await site().createProject("python");
	onTestFinished(() => site().stop(project.id));
	const ide = await IdePage.open(page, project.id);
	await page.getByText("Ready", { exact: true }).waitFor();
	await site().stop(project.id);
	await page.getByText("Asleep", { exact: true }).waitFor();
	await ide.run();
	await ide.expectScreen("A maze with 240 rooms");
});
