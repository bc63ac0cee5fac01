import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RepldockError } from "@repldock/protocol";
import { expect, test } from "vitest";
import { holdsUnsavedEdits } from "../../src/workspace/documents/recovery.ts";
import { createPage, startDocumentRig } from "./rig.ts";

test("edits that an agent died with are found in its journals until they are in the file", async () => {
	const rig = await startDocumentRig();
	try {
		await mkdir(join(rig.root, "src"));
		await writeFile(join(rig.root, "src/a.txt"), "one\n");
		const page = createPage();
		await page.connect(rig.store(), "src/a.txt");
		await page.untilSaved();
		expect(await holdsUnsavedEdits(rig.journals())).toBe(false);
		rig.failWrites(new RepldockError("disk_full", "The disk is full."));
		page.insert(4, "two\n");
		await page.until("documentNotSaved");
		page.lose();
		rig.crash();
		rig.failWrites(null);
		// A program goes on with the file meanwhile.
		await writeFile(join(rig.root, "src/a.txt"), "zero\none\n");
		expect(await holdsUnsavedEdits(rig.journals())).toBe(true);
		await rig.store().recover();
		expect(await readFile(join(rig.root, "src/a.txt"), "utf8")).toBe("zero\none\ntwo\n");
		await rig.restart();
		expect(await holdsUnsavedEdits(rig.journals())).toBe(false);
	} finally {
		await rig.release();
	}
});
