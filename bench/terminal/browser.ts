import { setTimeout as delay } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../../tests/support/chromium.ts";
import type { TestInstance } from "../../tests/support/instance.ts";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { person } from "../support/world.ts";
import { type BarePage, type Look, serveBarePage } from "./bare-page.ts";
import { createProbe, type Probe } from "./probe.ts";

/** Milliseconds of each run, in the IDE and in the bare page in turns. */
export interface BrowserSamples {
	keys: { subject: number[]; baseline: number[] };
	floods: { subject: number[]; baseline: number[] };
	interrupts: number[];
}

const viewport = { width: 1440, height: 900 };
const shownTerminal = ".ide-terminal-host:not([hidden])";
const floodCommand = "seq 1 2000000";
const floodEnd = "2000000";
/** `yes` fills all buffers on its way before it is interrupted. */
const floodForMs = 700;
const prompt = "bench>";

export async function measureInBrowser(
	instance: TestInstance,
	site: SiteClient,
	projectId: string,
	runs: { keys: number; floods: number; interrupts: number },
): Promise<BrowserSamples> {
	const browser = await launchChromium();
	let bare: BarePage | undefined;
	try {
		const ide = await openIde(browser, instance, site, projectId);
		bare = await serveBarePage(await readLook(ide.page, ide.probe));
		const other = await openBare(browser, bare.url);
		const samples: BrowserSamples = {
			keys: { subject: [], baseline: [] },
			floods: { subject: [], baseline: [] },
			interrupts: [],
		};
		for (let typed = 0; typed < runs.keys; typed += wordLength) {
			samples.keys.subject.push(...(await typeWord(ide)));
			samples.keys.baseline.push(...(await typeWord(other)));
		}
		for (let run = 0; run < runs.floods; run += 1) {
			samples.floods.subject.push(await flood(ide));
			samples.floods.baseline.push(await flood(other));
		}
		for (let run = 0; run < runs.interrupts; run += 1) samples.interrupts.push(await interrupt(ide));
		return samples;
	} finally {
		bare?.close();
		await browser.close();
	}
}

interface Terminal {
	page: Page;
	probe: Probe;
}

async function openIde(
	browser: Browser,
	instance: TestInstance,
	site: SiteClient,
	projectId: string,
): Promise<Terminal> {
	const context = await browser.newContext({ viewport, baseURL: site.siteUrl });
	const { email, password } = person;
	const answer = await context.request.post("/api/auth/sign-in/email", {
		data: { email, password },
		headers: { origin: new URL(instance.siteUrl).origin },
	});
	if (!answer.ok()) throw new Error(`sign-in was refused: ${await answer.text()}`);
	const page = await context.newPage();
	await page.goto(`/projects/${projectId}`);
	await page.getByRole("button", { name: "New terminal" }).click();
	await page.getByRole("tab", { name: "Terminal 1" }).waitFor();
	await page.locator(`${shownTerminal} .xterm-screen`).click();
	return prepare(page, shownTerminal);
}

async function openBare(browser: Browser, url: string): Promise<Terminal> {
	const context = await browser.newContext({ viewport });
	const page = await context.newPage();
	await page.goto(url);
	await page.locator(".xterm-screen").click();
	return prepare(page, "#terminal");
}

/** Both shells get one prompt, by which the end of a command is known. */
async function prepare(page: Page, selector: string): Promise<Terminal> {
	const probe = await createProbe(page, selector);
	await eventually("a prompt", async () => (await probe.rows()).some((row) => /[$#]$/.test(row)));
	await probe.enter(`PS1='${prompt} '`, { row: prompt });
	return { page, probe };
}

/** The size that the IDE gave its terminal, and how its cells look. */
async function readLook(page: Page, probe: Probe): Promise<Look> {
	await probe.enter("clear; stty size", { row: prompt });
	const size = (await probe.rows()).map((row) => /^(\d+) (\d+)$/.exec(row)).find((match) => match !== null);
	if (!size) throw new Error("the shell does not tell its size");
	const style = await page.locator(`${shownTerminal} .xterm-rows`).evaluate((element) => {
		const { fontFamily, fontSize } = getComputedStyle(element);
		return { fontFamily, fontSize };
	});
	return {
		columns: Number(size[2]),
		rows: Number(size[1]),
		fontFamily: style.fontFamily,
		fontSize: Number.parseFloat(style.fontSize),
		lineHeight: 1.2,
		scrollback: 10_000,
	};
}

const wordLength = 25;

/** Types letters at the prompt, one after the other is painted, and takes them back. */
async function typeWord({ page, probe }: Terminal): Promise<number[]> {
	await page.bringToFront();
	await probe.enter("clear", { row: prompt });
	const samples: number[] = [];
	let word = "";
	for (let index = 0; index < wordLength; index += 1) {
		const key = String.fromCharCode(0x61 + index);
		word += key;
		samples.push(await probe.press(key, { row: `${prompt} ${word}` }));
	}
	await probe.press("Control+c", { row: prompt });
	return samples;
}

async function flood({ page, probe }: Terminal): Promise<number> {
	await page.bringToFront();
	await probe.enter("clear", { row: prompt });
	const tookMs = await probe.enter(floodCommand, { row: floodEnd });
	await eventually("the prompt", async () => (await probe.rows()).includes(prompt));
	return tookMs;
}

async function interrupt({ page, probe }: Terminal): Promise<number> {
	await page.bringToFront();
	await probe.enter("yes", { row: "y" });
	await delay(floodForMs);
	const tookMs = await probe.press("Control+c", { row: prompt });
	return tookMs;
}
