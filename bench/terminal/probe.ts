import type { Page } from "playwright-core";

/**
 * Watches, inside a page, the rows that xterm's DOM renderer draws. All times are the page's own: from the moment the
 * browser got the key to the end of the frame in which the awaited rows are on the screen.
 */
export interface Probe {
	/** Presses a key and waits until rows are painted. @returns milliseconds. */
	press(key: string, until: Rows, timeoutMs?: number): Promise<number>;
	/** Types a line and waits, from its Enter on. @returns milliseconds. */
	enter(line: string, until: Rows, timeoutMs?: number): Promise<number>;
	/** The painted rows, without the blanks at their ends. */
	rows(): Promise<string[]>;
}

/** What is waited for: a row that is exactly this, or one that ends so. */
export type Rows = { row: string } | { ending: string };

interface Expectation {
	exact: boolean;
	text: string;
}

declare global {
	interface Window {
		expectRows(expectation: Expectation): void;
		paintedAfterMs: Promise<number>;
	}
}

/** @param selector The element in which xterm was opened. */
export async function createProbe(page: Page, selector: string): Promise<Probe> {
	await page.evaluate(installProbe, selector);

	async function press(key: string, until: Rows, timeoutMs = 60_000): Promise<number> {
		const expectation = "row" in until ? { exact: true, text: until.row } : { exact: false, text: until.ending };
		await page.evaluate((wanted) => window.expectRows(wanted), expectation);
		await page.keyboard.press(key);
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<never>((_, reject) => {
			timer = setTimeout(() => reject(new Error(`${JSON.stringify(until)} was not painted`)), timeoutMs);
		});
		try {
			return await Promise.race([page.evaluate(() => window.paintedAfterMs), late]);
		} finally {
			clearTimeout(timer);
		}
	}

	return {
		press,
		async enter(line, until, timeoutMs) {
			await page.keyboard.type(line);
			return press("Enter", until, timeoutMs);
		},
		rows: () =>
			page
				.locator(`${selector} .xterm-rows > div`)
				.evaluateAll((rows) => rows.map((row) => (row.textContent ?? "").replaceAll("\u00a0", " ").trimEnd())),
	};
}

/** Runs in the page. */
function installProbe(selector: string): void {
	const rows = document.querySelector(`${selector} .xterm-rows`);
	if (!rows) throw new Error("the terminal is not drawn by the DOM renderer");
	const channel = new MessageChannel();

	window.expectRows = ({ exact, text }) => {
		let pressedAtMs: number | undefined;
		addEventListener(
			"keydown",
			(event) => {
				pressedAtMs = event.timeStamp;
			},
			{ capture: true, once: true },
		);
		window.paintedAfterMs = new Promise((resolve) => {
			const isThere = () => {
				for (const row of rows.children) {
					const drawn = (row.textContent ?? "").replaceAll("\u00a0", " ").trimEnd();
					if (exact ? drawn === text : drawn.endsWith(text)) return true;
				}
				return false;
			};
			const observer = new MutationObserver(() => {
				if (pressedAtMs === undefined || !isThere()) return;
				observer.disconnect();
				const from = pressedAtMs;
				// xterm draws inside an animation frame; a message sent in it is delivered when the frame is done.
				channel.port1.onmessage = () => resolve(performance.now() - from);
				channel.port2.postMessage(null);
			});
			observer.observe(rows, { childList: true, subtree: true, characterData: true });
		});
	};
}
