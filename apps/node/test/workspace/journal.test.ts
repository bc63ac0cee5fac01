import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createJournal, journalFile, readJournal } from "../../src/workspace/documents/journal.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("a journal that a full disk has kept from being written says so with every record, until it is written anew", async () => {
	const scratch = await mkdtemp(join(tmpdir(), "repldock-journal-"));
	onTestFinished(() => rm(scratch, { recursive: true, force: true }));
	const directory = join(scratch, "journals");
	// A file in the place of the directory: nothing can be written.
	await writeFile(directory, "");
	const journal = createJournal(directory, { version: 1, epoch: "e", path: "main.py" }, 0);
	journal.update(bytes("one"));
	await expect(journal.flush()).rejects.toThrow();
	journal.rewrite(bytes("one"), null, []);
	await expect(journal.flush()).rejects.toThrow();
	await rm(directory);
	journal.update(bytes("two"));
	await expect(journal.flush()).rejects.toThrow();
	journal.rewrite(bytes("one"), null, [bytes("two")]);
	journal.update(bytes("three"));
	await journal.flush();
	const content = await readJournal(journalFile(directory, "main.py"));
	expect(content?.updates.map((update) => Buffer.from(update).toString())).toEqual(["one", "two", "three"]);
});
