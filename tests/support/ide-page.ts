import type { Locator, Page } from "playwright-core";
import { soon, stepTimeoutMs } from "./browser.ts";

/** The IDE page of one project, in the words of the person who looks at it. */
export class IdePage {
	readonly page: Page;

	constructor(page: Page) {
		this.page = page;
	}

	/** Opens a project and waits until it is connected. */
	static async open(page: Page, projectId: string): Promise<IdePage> {
		await page.goto(`/projects/${projectId}`);
		const ide = new IdePage(page);
		try {
			await ide.expectStatus("Saved");
		} catch (error) {
			throw new Error(`The project did not open; the page says: ${await page.innerText("body")}`, { cause: error });
		}
		return ide;
	}

	/** The project's id, from the page's address. */
	get projectId(): string {
		return new URL(this.page.url()).pathname.split("/")[2] ?? "";
	}

	/** The text field of an open file. */
	editor(path: string): Locator {
		return this.page.getByRole("textbox", { name: `Editor: ${path}`, exact: true });
	}

	/** An open file's text as it is drawn, without other people's cursors. */
	code(path: string): Promise<string> {
		return this.editor(path)
			.locator(".cm-line")
			.evaluateAll((lines) =>
				lines
					.map((line) => {
						const copy = line.cloneNode(true) as HTMLElement;
						for (const cursor of copy.querySelectorAll(".cm-ySelectionCaret")) cursor.remove();
						return copy.textContent ?? "";
					})
					.join("\n"),
			);
	}

	expectCode(path: string, matching: RegExp | string): Promise<unknown> {
		return poll(() => this.code(path), matching);
	}

	/** Replaces an open file's text, as by pasting. */
	async paste(path: string, text: string): Promise<void> {
		await this.editor(path).click();
		await this.page.keyboard.press("Control+A");
		await this.page.keyboard.insertText(text);
	}

	/** What the header says about saving. */
	status(): Promise<string> {
		return this.page
			.locator(".ide-header")
			.getByRole("status")
			.evaluate((element) => element.textContent ?? "", undefined, { timeout: 1_000 });
	}

	expectStatus(matching: RegExp | string, timeoutMs = stepTimeoutMs): Promise<unknown> {
		return poll(() => this.status().catch(() => ""), matching, timeoutMs);
	}

	async run(): Promise<void> {
		await this.page.getByRole("button", { name: "Run", exact: true }).click();
	}

	async stop(): Promise<void> {
		await this.page.getByRole("button", { name: "Stop", exact: true }).click();
	}

	get runButton(): Locator {
		return this.page.getByRole("button", { name: "Run", exact: true });
	}

	private get shownTerminal(): Locator {
		return this.page.locator(".ide-terminal-host:not([hidden]) .ide-terminal");
	}

	/** The rows of the console or terminal that is shown. */
	async screen(): Promise<string> {
		const rows = await this.shownTerminal
			.locator(".xterm-rows > div")
			.evaluateAll((elements) => elements.map((row) => (row.textContent ?? "").replaceAll("\u00a0", " ").trimEnd()));
		return rows.join("\n").trimEnd();
	}

	expectScreen(matching: RegExp | string): Promise<unknown> {
		return poll(() => this.screen(), matching);
	}

	/** Types into the console or terminal that is shown; `\n` is Enter. */
	async typeIntoTerminal(text: string): Promise<void> {
		await this.shownTerminal.locator(".xterm-screen").click();
		await this.page.keyboard.type(text);
	}

	/** Opens another terminal and waits for its prompt. */
	async newTerminal(): Promise<void> {
		await this.page.getByRole("button", { name: "New terminal" }).click();
		await this.expectScreen(/\$$/);
	}

	/** A row of the file tree. */
	file(name: string): Locator {
		return this.page.getByRole("treeitem", { name, exact: true });
	}

	/** Opens a file by its row in the tree. */
	async openFile(name: string): Promise<void> {
		await this.file(name).click();
		await this.page.getByRole("tab", { name, exact: true }).waitFor();
	}

	/** Chooses from a row's menu. */
	async chooseForFile(name: string, entry: string): Promise<void> {
		await this.file(name).click({ button: "right" });
		await this.page.getByRole("menuitem", { name: entry }).click();
	}
}

function poll(read: () => Promise<string>, matching: RegExp | string, timeoutMs = stepTimeoutMs): Promise<unknown> {
	const assertion = soon(read, timeoutMs);
	return (
		typeof matching === "string" ? assertion.toContain(matching) : assertion.toMatch(matching)
	) as Promise<unknown>;
}
