import { appendFile, mkdir, readdir, readFile, rename, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { documentMaxBytes, documentTextName, RepldockError } from "@repldock/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { awarenessFrame, requestFrame, updateFrame } from "../../src/workspace/documents/frames.ts";
import { journalsKeptBytes } from "../../src/workspace/documents/limits.ts";
import { holdsOpenDocuments, holdsUnsavedEdits } from "../../src/workspace/documents/recovery.ts";
import { MalformedFrameError } from "../../src/workspace/documents/yjs-update.ts";
import { createPage, type DocumentRig, startDocumentRig } from "./rig.ts";

let rig: DocumentRig;
const at = (path: string) => join(rig.root, path);
const onDisk = (path: string) => readFile(at(path), "utf8");

beforeEach(async () => {
	rig = await startDocumentRig();
});
afterEach(() => rig.release());

test("an edit reaches the file and the other page", async () => {
	await writeFile(at("main.py"), "print(1)\n");
	const [ada, ben] = [createPage("Ada"), createPage("Ben")];
	await ada.connect(rig.store(), "main.py");
	await ben.connect(rig.store(), "main.py");
	expect(ada.text()).toBe("print(1)\n");
	ada.insert(6, "2");
	expect(ben.text()).toBe("print(21)\n");
	await ada.untilSaved();
	expect(await onDisk("main.py")).toBe("print(21)\n");
});

test("a change made by a program appears in the editor and leaves unsaved edits in place", async () => {
	await writeFile(at("a.txt"), "one\ntwo\nthree\n");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	page.insert(0, "zero\n");
	await writeFile(at("a.txt"), "one\ntwo\nthree\nfour\n");
	await page.untilText((text) => text === "zero\none\ntwo\nthree\nfour\n");
	await page.untilSaved();
	expect(await onDisk("a.txt")).toBe("zero\none\ntwo\nthree\nfour\n");
});

test.each([
	["CR LF", "a\r\nb\r\nc\r\n", "Xa\r\nb\r\nc\r\n"],
	["a byte order mark", "\ufeffa\nb\n", "\ufeffXa\nb\n"],
	["mixed endings", "a\r\nb\nc\rd\r\n", "Xa\r\nb\nc\rd\r\n"],
	["no last line break", "a\nb", "Xa\nb"],
])("%s survives an edit elsewhere in the file", async (_name, before, after) => {
	await writeFile(at("a.txt"), before);
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	expect(page.text()).not.toMatch(/[\r\ufeff]/);
	page.insert(0, "X");
	await page.untilSaved();
	expect(await onDisk("a.txt")).toBe(after);
});

test("unsaved edits survive an agent that dies, and reconnecting doubles nothing", async () => {
	await writeFile(at("a.txt"), "hello\n");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	rig.failWrites(new RepldockError("disk_full", "The disk is full."));
	page.insert(5, " world");
	await page.until("documentNotSaved");
	rig.crash();
	rig.failWrites(null);
	await rig.store().recover();
	expect(await onDisk("a.txt")).toBe("hello world\n");
	page.insert(0, "> ");
	await page.connect(rig.store(), "a.txt");
	await page.untilSaved();
	expect(page.text()).toBe("> hello world\n");
	expect(await onDisk("a.txt")).toBe("> hello world\n");
});

test.each(["that is open", "that was open when its agent died"])(
	"a file %s and is put back to what it was once stays so, also over an agent's death",
	async (which) => {
		await writeFile(at("a.txt"), "");
		const page = createPage();
		await page.connect(rig.store(), "a.txt");
		for (const text of ["one\n", "two\n", "three\n"]) {
			page.insert(page.text().length, text);
			await page.untilSaved();
		}
		page.lose();
		if (which !== "that is open") {
			await vi.waitFor(async () => expect(await holdsUnsavedEdits(rig.journals())).toBe(false));
			expect(await holdsOpenDocuments(rig.journals())).toBe(true);
			rig.crash();
			await rig.store().recover();
		}
		await rig.store().withReplaced("a.txt", async () => {
			await writeFile(at("a.txt"), "one\n");
			rig.crash();
		});
		await rig.store().recover();
		await page.connect(rig.store(), "a.txt");
		expect(page.text()).toBe("one\n");
		page.insert(4, "four\n");
		await page.untilSaved();
		expect(await onDisk("a.txt")).toBe("one\nfour\n");
	},
);

test("the same history goes on after an orderly restart", async () => {
	await writeFile(at("a.txt"), "hello\n");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	const { epoch } = await page.until("documentOpened");
	await rig.restart();
	await page.connect(rig.store(), "a.txt");
	const opened = page.events.findLast((event) => event.type === "documentOpened");
	expect(opened).toMatchObject({ epoch });
	expect(page.text()).toBe("hello\n");
});

test("a file that was changed while no agent ran is merged, not replaced", async () => {
	await writeFile(at("a.txt"), "one\ntwo\n");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	await rig.restart();
	page.insert(0, "zero\n");
	await writeFile(at("a.txt"), "one\ntwo\nthree\n");
	await page.connect(rig.store(), "a.txt");
	await page.untilSaved();
	expect(await onDisk("a.txt")).toBe("zero\none\ntwo\nthree\n");
});

test("edits wait while the file cannot be written and are written when it can be", async () => {
	await writeFile(at("a.txt"), "");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	rig.failWrites(new RepldockError("quota_exceeded", "The project's disk space is used up."));
	page.insert(0, "kept");
	const { problem } = await page.until("documentNotSaved");
	expect(problem.code).toBe("quota_exceeded");
	rig.failWrites(null);
	rig.store().retry();
	await page.untilSaved();
	expect(await onDisk("a.txt")).toBe("kept");
});

test("a removed file closes its tab; an edit that was on its way writes it again", async () => {
	await writeFile(at("a.txt"), "text");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	await unlink(at("a.txt"));
	await page.until("documentMoved", (event) => event.path === null);
	page.insert(4, "!");
	await page.until("documentMoved", (event) => event.path === "a.txt");
	expect(await onDisk("a.txt")).toBe("text!");
});

test("a document in a folder that is gone keeps its edits until the folder is back", async () => {
	await mkdir(at("folder"));
	await writeFile(at("folder/a.txt"), "text");
	const page = createPage();
	await page.connect(rig.store(), "folder/a.txt");
	await rename(at("folder"), at("elsewhere"));
	page.insert(0, "more ");
	await page.until("documentNotSaved");
	await mkdir(at("folder"));
	rig.store().retry();
	await page.untilSaved();
	expect(await onDisk("folder/a.txt")).toBe("more text");
});

test("documents follow a move of their folder and are told of a removal", async () => {
	await mkdir(at("old"));
	await writeFile(at("old/a.txt"), "text");
	const page = createPage();
	await page.connect(rig.store(), "old/a.txt");
	page.insert(0, "1");
	await rig.store().withMove("old", "new", () => rig.files.move("old", "new"));
	await page.until("documentMoved", (event) => event.path === "new/a.txt");
	page.insert(0, "2");
	await page.untilSaved();
	expect(await onDisk("new/a.txt")).toBe("21text");
	await rig.store().withRemove("new", () => rig.files.remove("new"));
	await page.until("documentMoved", (event) => event.path === null);
	await expect(onDisk("new/a.txt")).rejects.toThrow("ENOENT");
});

test("a program that replaces the file by rename is followed", async () => {
	await writeFile(at("a.txt"), "old\n");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	await writeFile(at("b.tmp"), "new\n");
	await rename(at("b.tmp"), at("a.txt"));
	await page.untilText((text) => text === "new\n");
	expect(page.events.some((event) => event.type === "documentMoved")).toBe(false);
});

test.each([
	["bytes that are no text", Buffer.from([1, 0, 2]), "not_text"],
	["bytes that are no UTF-8", Buffer.from([0xff, 0xfe, 0x41]), "not_text"],
	["too many bytes", Buffer.alloc(documentMaxBytes + 1, 97), "file_too_large"],
])("a file with %s is refused", async (_name, bytes, code) => {
	await writeFile(at("a.bin"), bytes);
	const page = createPage();
	await page.connect(rig.store(), "a.bin");
	const { problem } = await page.until("documentRefused");
	expect(problem.code).toBe(code);
});

test("folders, missing files and links out of the project are refused", async () => {
	await mkdir(at("folder"));
	await symlink("/etc/passwd", at("link"));
	const page = createPage();
	for (const path of ["folder", "missing", "link"]) await page.connect(rig.store(), path);
	const refused = page.events.filter((event) => event.type === "documentRefused");
	expect(refused.map((event) => event.path)).toEqual(["folder", "missing", "link"]);
});

test("an edit never follows a link that took the file's place", async () => {
	await writeFile(at("a.txt"), "text");
	await mkdir(`${rig.root}-outside`);
	await writeFile(`${rig.root}-outside/target`, "untouched");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	await rm(at("a.txt"));
	await symlink(`${rig.root}-outside/target`, at("a.txt"));
	page.insert(0, "evil ");
	await page.until("documentNotSaved");
	expect(await readFile(`${rig.root}-outside/target`, "utf8")).toBe("untouched");
	await rm(`${rig.root}-outside`, { recursive: true });
});

test("somebody who may only look cannot change the text", async () => {
	await writeFile(at("a.txt"), "text");
	const [ada, eve] = [createPage("Ada"), createPage("Eve", false)];
	await ada.connect(rig.store(), "a.txt");
	await eve.connect(rig.store(), "a.txt");
	expect(eve.text()).toBe("text");
	eve.insert(0, "no ");
	expect((await eve.until("documentRefused")).problem.code).toBe("not_allowed");
	expect(ada.text()).toBe("text");
});

test("frames that make no sense are the client's fault, and harm nobody else", async () => {
	await writeFile(at("a.txt"), "text");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	const number = page.number();
	const map = new Y.Doc();
	map.getMap("elsewhere").set("a", "b");
	const nested = new Y.Doc();
	nested.getText(documentTextName).insertEmbed(0, new Y.Map());
	for (const frame of [
		Uint8Array.of(),
		Uint8Array.of(number, 9),
		Uint8Array.of(number, 0, 7, 0),
		updateFrame(number, Uint8Array.of(1, 2, 3)),
		updateFrame(
			number,
			Uint8Array.from({ length: 300 }, () => 255),
		),
		updateFrame(number, Y.encodeStateAsUpdate(map)),
		updateFrame(number, Y.encodeStateAsUpdate(nested)),
		requestFrame(number, Uint8Array.of(255, 255)),
		awarenessFrame(number, Uint8Array.of(1, 1, 1, 3, 1, 2, 3)),
	]) {
		expect(() => page.send(frame)).toThrow(MalformedFrameError);
	}
	page.insert(4, "!");
	await page.untilSaved();
	expect(await onDisk("a.txt")).toBe("text!");
});

test("a document does not grow over the limit, and shrinks when it is there", async () => {
	await writeFile(at("a.txt"), "x".repeat(documentMaxBytes - 10));
	const [ada, ben] = [createPage("Ada"), createPage("Ben")];
	await ada.connect(rig.store(), "a.txt");
	await ben.connect(rig.store(), "a.txt");
	ada.insert(0, "y".repeat(100));
	expect((await ada.until("documentRefused")).problem.code).toBe("file_too_large");
	ben.remove(0, 1000);
	await ben.untilSaved();
	ben.insert(0, "z".repeat(500));
	await ben.untilSaved();
	expect((await onDisk("a.txt")).length).toBe(documentMaxBytes - 510);
});

test("a journal with a torn end is read as far as it goes", async () => {
	await writeFile(at("a.txt"), "text");
	const page = createPage();
	await page.connect(rig.store(), "a.txt");
	page.insert(0, "1");
	await page.untilSaved();
	rig.crash();
	const [file = ""] = await readdir(rig.journals());
	await appendFile(join(rig.journals(), file), Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 2, 9, 9]));
	await page.connect(rig.store(), "a.txt");
	page.insert(0, "2");
	await page.untilSaved();
	expect(await onDisk("a.txt")).toBe("21text");
});

test("journals of closed documents stay within bounds, whatever is made, opened and removed", async () => {
	const text = "0123456789abcde\n".repeat(documentMaxBytes / 16);
	const rounds = Math.ceil(journalsKeptBytes / documentMaxBytes) + 3;
	for (let round = 0; round < rounds; round += 1) {
		await writeFile(at(`${round}.txt`), text);
		const page = createPage();
		await page.connect(rig.store(), `${round}.txt`);
		page.disconnect();
		await expect.poll(() => rig.store().isBusy(), { interval: 2 }).toBe(false);
		await rm(at(`${round}.txt`));
	}
	const journalBytes = async () => {
		const files = (await readdir(rig.journals())).map((name) => stat(join(rig.journals(), name)));
		return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
	};
	await expect.poll(journalBytes).toBeLessThanOrEqual(journalsKeptBytes);
});
