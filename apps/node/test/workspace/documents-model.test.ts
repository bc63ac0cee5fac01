import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createPage, type DocumentRig, type Page, startDocumentRig } from "./rig.ts";

const path = "shared.txt";

type Step =
	| { kind: "insert"; page: number; place: number }
	| { kind: "remove"; page: number; place: number; length: number }
	| { kind: "program"; place: number; byRename: boolean }
	| { kind: "disconnect"; page: number }
	| { kind: "connect"; page: number }
	| { kind: "pause" }
	| { kind: "crash" }
	| { kind: "restart" };

const page = fc.nat(2);
const place = fc.double({ min: 0, max: 1, noNaN: true });
const steps = fc.array(
	fc.oneof<fc.WeightedArbitrary<Step>[]>(
		{ weight: 8, arbitrary: fc.record({ kind: fc.constant("insert"), page, place }) },
		{ weight: 2, arbitrary: fc.record({ kind: fc.constant("remove"), page, place, length: fc.nat(5) }) },
		{ weight: 3, arbitrary: fc.record({ kind: fc.constant("program"), place, byRename: fc.boolean() }) },
		{ weight: 1, arbitrary: fc.record({ kind: fc.constant("disconnect"), page }) },
		{ weight: 1, arbitrary: fc.record({ kind: fc.constant("connect"), page }) },
		{ weight: 3, arbitrary: fc.record({ kind: fc.constant("pause") }) },
		{ weight: 1, arbitrary: fc.record({ kind: fc.constant("crash") }) },
		{ weight: 1, arbitrary: fc.record({ kind: fc.constant("restart") }) },
	),
	{ minLength: 5, maxLength: 30 },
);

/**
 * Every edit inserts a character that occurs nowhere else, so that a lost or doubled one shows, and so that there is
 * only one way to say what a program changed.
 */
function createMarks(): { next(): string; present: Set<string>; removed(text: string): void } {
	const present = new Set<string>();
	let count = 0;
	return {
		present,
		next() {
			const mark = String.fromCharCode(0x4e00 + count);
			count += 1;
			present.add(mark);
			return mark;
		},
		removed(text) {
			for (const character of text) present.delete(character);
		},
	};
}

test("pages, programs on the disk and agents that die agree in the end, and no edit is lost or doubled", async () => {
	await fc.assert(
		fc.asyncProperty(steps, async (list) => {
			const rig = await startDocumentRig();
			try {
				await play(rig, list);
			} finally {
				await rig.release();
			}
		}),
		{ numRuns: Number(process.env.REPLDOCK_MODEL_RUNS ?? 40), endOnFailure: true },
	);
}, 170_000);

async function play(rig: DocumentRig, list: readonly Step[]) {
	const file = join(rig.root, path);
	await writeFile(file, "first line\nsecond line\n");
	const marks = createMarks();
	const pages = ["Ada", "Ben", "Cleo"].map((name) => createPage(name));
	const connected = new Set<Page>();
	const at = (index: number) => pages[index] as Page;

	async function connect(one: Page) {
		await one.connect(rig.store(), path);
		connected.add(one);
	}
	async function reconnect() {
		for (const one of connected) await one.connect(rig.store(), path);
	}
	for (const one of pages) await connect(one);

	for (const step of list) {
		switch (step.kind) {
			case "insert": {
				const one = at(step.page);
				const text = one.text();
				one.insert(boundary(text, step.place), marks.next());
				break;
			}
			case "remove": {
				const one = at(step.page);
				const text = one.text();
				const start = boundary(text, step.place);
				const end = boundary(text, Math.min(1, step.place + step.length / Math.max(1, text.length)));
				if (end <= start) break;
				marks.removed(text.slice(start, end));
				one.remove(start, end - start);
				break;
			}
			case "program": {
				// A program that reads, changes and writes: what it writes over must have been seen by it, so all is saved first.
				for (const one of connected) await one.untilSaved();
				const text = await readFile(file, "utf8");
				const index = boundary(text, step.place);
				const changed = text.slice(0, index) + marks.next() + text.slice(index);
				if (step.byRename) {
					await writeFile(`${file}.tmp`, changed);
					await rename(`${file}.tmp`, file);
				} else await writeFile(file, changed);
				break;
			}
			case "disconnect":
				at(step.page).disconnect();
				connected.delete(at(step.page));
				break;
			case "connect":
				if (!connected.has(at(step.page))) await connect(at(step.page));
				break;
			case "pause":
				for (const one of connected) await one.untilSaved();
				break;
			case "crash":
				for (const one of connected) one.lose();
				rig.crash();
				await reconnect();
				break;
			case "restart":
				await rig.restart();
				await reconnect();
				break;
		}
	}

	for (const one of pages) if (!connected.has(one)) await connect(one);
	const every = (text: string) => [...marks.present].every((mark) => text.includes(mark));
	for (const one of pages) await one.untilText(every);
	for (const one of pages) await one.untilSaved();
	const [first] = pages;
	for (const one of pages) await one.untilText((text) => text === first?.text());
	const content = await readFile(file, "utf8");
	expect(content).toBe(first?.text());
	for (const mark of marks.present) expect(content.split(mark).length, `${mark} in ${content}`).toBe(2);
}

function boundary(text: string, share: number): number {
	return Math.floor(text.length * share);
}
