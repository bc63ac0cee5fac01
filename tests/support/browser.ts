import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, expect, inject, onTestFinished } from "vitest";
import { launchChromium } from "./chromium.ts";

export interface Credentials {
	email: string;
	password: string;
}

/** Longest wait of one step; a step that works takes a small part of it, also on two slow cores. */
export const stepTimeoutMs = 30_000;

/** Polls a value of the page until it matches: `await soon(() => page.title()).toBe("…")`. */
export function soon<T>(read: () => T | Promise<T>, timeoutMs = stepTimeoutMs) {
	return expect.poll(read, { timeout: timeoutMs, interval: 50 });
}

let launched: Promise<Browser> | undefined;
const signedIn = new Map<string, BrowserContextOptions["storageState"]>();

/** One for all tests of a file. */
function chromiumOfThisFile(): Promise<Browser> {
	launched ??= launchChromium();
	return launched;
}

afterAll(async () => {
	await (await launched)?.close();
});

/**
 * A page in a browser profile of its own, closed when the test ends. An error that the page's own scripts throw fails
 * the test.
 * @param person Who is signed in; null for a stranger.
 */
export async function openPage(
	person: Credentials | null = inject("administrator"),
	options: BrowserContextOptions = {},
): Promise<Page> {
	const browser = await chromiumOfThisFile();
	const storageState = person ? await storageOf(person) : undefined;
	const context = await browser.newContext({
		viewport: { width: 1440, height: 900 },
		baseURL: inject("instance").siteUrl,
		...(storageState ? { storageState } : {}),
		...options,
	});
	context.setDefaultTimeout(stepTimeoutMs);
	const errors: string[] = [];
	context.on("weberror", (error) => {
		if (error.page()?.url().startsWith(inject("instance").siteUrl)) errors.push(String(error.error()));
	});
	onTestFinished(async () => {
		await context.close();
		expect(errors, "errors thrown in the page").toEqual([]);
	});
	return context.newPage();
}

/** Signs in once for all pages of a file, as the form does; sign-ins are counted and limited. */
async function storageOf(person: Credentials): Promise<BrowserContextOptions["storageState"]> {
	const known = signedIn.get(person.email);
	if (known) return known;
	const { siteUrl } = inject("instance");
	const context = await (await chromiumOfThisFile()).newContext({ baseURL: siteUrl });
	const answer = await context.request.post("/api/auth/sign-in/email", {
		data: person,
		headers: { origin: new URL(siteUrl).origin },
	});
	if (!answer.ok()) throw new Error(`Sign-in was refused: ${answer.status()} ${await answer.text()}`);
	const storage = await context.storageState();
	await context.close();
	signedIn.set(person.email, storage);
	return storage;
}

/** Waits until nothing moves any more but what moves for ever: colours between two states are neither's. */
export async function settled(page: Page): Promise<void> {
	await page.evaluate(async () => {
		const passing = document
			.getAnimations()
			.filter(({ effect }) => effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
		// One that is cancelled has come to its end too.
		await Promise.allSettled(passing.map(({ finished }) => finished));
	});
}

const windows = [
	{ width: 1440, height: 900 },
	{ width: 390, height: 844 },
];

/**
 * A dialog, in a wide and in a narrow window: nothing that axe finds wrong, nothing to be scrolled sideways.
 * @param name Of the screenshots, which are taken when REPLDOCK_TEST_SCREENSHOTS names a folder.
 */
export async function expectDialogFits(dialog: Locator, name: string): Promise<void> {
	const page = dialog.page();
	for (const size of windows) {
		await page.setViewportSize(size);
		await settled(page);
		const { violations } = await new AxeBuilder({ page }).analyze();
		expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
		const overflow = await dialog.evaluate((element) => {
			const body = element.querySelector(".rd-dialog-body") ?? element;
			return body.scrollWidth - body.clientWidth;
		});
		expect(overflow).toBeLessThanOrEqual(0);
		const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
		if (folder) await page.screenshot({ path: `${folder}/${name}-${size.width}.png` });
	}
}
