import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { openPage, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { repldock } from "../support/instance.ts";
import { openProject } from "../support/world.ts";

test("without a network the page says how many edits wait; all arrive when it is back", async () => {
	const { project, workspace } = await openProject("python");
	await workspace.write("main.py", "# kept\n");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.expectCode("main.py", "# kept");
	await page.context().setOffline(true);
	await ide.expectStatus("Offline");
	await ide.editor("main.py").click();
	await page.keyboard.press("Control+End");
	await page.keyboard.type("abcde", { delay: 15 });
	await ide.expectStatus(/^Offline, 5 edits waiting$/);
	// Meanwhile a program changes the same file.
	await workspace.write("main.py", "# kept and changed\n");

	await page.context().setOffline(false);
	await ide.expectStatus(/^Saved$/);
	await ide.expectCode("main.py", /^# kept and changed\nabcde$/);
	expect(await workspace.read("main.py")).toBe("# kept and changed\nabcde");
});

test("edits that wait survive the loss of the page", async () => {
	const { project, workspace } = await openProject("python");
	await workspace.write("main.py", "");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.editor("main.py").click();
	await page.context().setOffline(true);
	await ide.expectStatus("Offline");
	// At once: a draft is written now and then, and may else hold a part of it.
	await page.keyboard.insertText("typed offline");
	await soon(() => draftsOf(page)).toBe(1);
	// Leaving asks first; the person insists.
	const asked = page.waitForEvent("dialog").then((dialog) => dialog.accept().then(() => dialog.type()));
	await page.goto("about:blank");
	expect(await asked).toBe("beforeunload");
	// Before the network is back: a page that is being left may still be there for a moment, and send it.
	expect(await workspace.read("main.py")).toBe("");
	await page.context().setOffline(false);

	await page.goto(`/projects/${project.id}`);
	await ide.expectCode("main.py", /^typed offline$/);
	await ide.expectStatus(/^Saved$/);
	expect(await workspace.read("main.py")).toBe("typed offline");
});

test("typing goes on while the agent restarts, and no keystroke is lost", async () => {
	const { project, workspace } = await openProject("python");
	await workspace.write("main.py", "");
	const page = await openPage();
	const ide = await IdePage.open(page, project.id);
	await ide.editor("main.py").click();
	await page.evaluate(() => {
		const status = document.querySelector("header [role=status]");
		const seen: string[] = [];
		Object.assign(window, { seen });
		const everything = { characterData: true, childList: true, subtree: true };
		if (status) new MutationObserver(() => seen.push(status.textContent ?? "")).observe(status, everything);
	});
	const restarted = repldock(["restart", "agent", "--data", inject("instance").data]);
	let typed = "";
	let back = false;
	void restarted.then(
		() => (back = true),
		() => (back = true),
	);
	for (let number = 100; !back || number < 110; number += 1) {
		typed += number;
		await page.keyboard.type(String(number), { delay: 5 });
	}
	await restarted;
	await ide.expectStatus(/^Saved$/);
	expect(await page.evaluate("seen")).toContainEqual(expect.stringMatching(/^Offline, \d+ edits? waiting$/));
	await soon(() => workspace.read("main.py").catch(() => "")).toBe(typed);
	await ide.expectCode("main.py", typed);
});

function draftsOf(page: Page): Promise<number> {
	return page.evaluate(
		() =>
			new Promise<number>((resolve, reject) => {
				const opening = indexedDB.open("repldock", 1);
				opening.onerror = () => reject(opening.error);
				opening.onsuccess = () => {
					const counting = opening.result.transaction("drafts").objectStore("drafts").count();
					counting.onerror = () => reject(counting.error);
					counting.onsuccess = () => {
						opening.result.close();
						resolve(counting.result);
					};
				};
			}),
	);
}

test("a project whose name could not be read at first gets it by itself", async () => {
	const { project } = await openProject("python");
	const page = await openPage();
	let failures = 2;
	await page.route(`**/api/v1/projects/${project.id}`, (route) => {
		failures -= 1;
		return failures < 0 ? route.continue() : route.abort();
	});
	await IdePage.open(page, project.id);
	await page.getByRole("heading", { level: 1, name: "Project", exact: true }).waitFor({ state: "attached" });
	await page.getByRole("heading", { level: 1, name: `${project.name}, rename` }).waitFor();
	expect(await page.title()).toBe(`${project.name} · Repldock`);
});
