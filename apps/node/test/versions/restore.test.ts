import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { link, mkdir, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ObjectStoreError } from "@repldock/objects";
import { documentTextName, type VersionRestored } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { expect, onTestFinished, test, vi } from "vitest";
import * as Y from "yjs";
import { writeNumbers } from "../../../../tests/support/numbers-program.ts";
import { openStaging } from "../../src/host/files/staging.ts";
import { settleStagings } from "../../src/host/files/staging-moves.ts";
import type { Staging } from "../../src/host-files.ts";
import { openWorld, tree } from "./world.ts";

const world = openWorld();
const megabyte = 1024 * 1024;

const read = (path: string) => readFile(world.at(path), "utf8");

test("a whole project is restored while programs run in its folder, and back again: the restore can be undone", async () => {
	await mkdir(world.at("src/deep"), { recursive: true });
	await writeFile(world.at("src/deep/a.txt"), "a");
	await symlink("../main.py", world.at("src/link"));
	await link(world.at("main.py"), world.at("again.py"));
	await runCommand("chmod", ["750", world.at("main.py")]);
	await writeFile(world.at(".replit"), 'run = "x"\n');
	const before = await tree(world.rig.root);
	const id = await world.rig.keep();
	// As a container: it has the folder itself open, and sees what is in it.
	await rm(world.at("src"), { recursive: true });
	await rm(world.at("again.py"));
	await writeFile(world.at("main.py"), "changed");
	await writeFile(world.at("src"), "a file now");
	await runCommand("mkfifo", [world.at("fifo")]);
	const after = await tree(world.rig.root);
	const inode = (await stat(world.rig.root)).ino;
	const undo = await world.restored(id);
	expect(await tree(world.rig.root)).toEqual(before);
	expect((await stat(world.rig.root)).ino).toBe(inode);
	expect((await stat(world.at("main.py"))).mode & 0o777).toBe(0o750);
	expect(await stat(world.at("again.py"))).toMatchObject({ nlink: 2, uid: 300_000, gid: 300_001 });
	expect(world.cluster.chainOf(world.rig.projectId).at(-1)).toMatchObject({ kind: "before-restore", name: null });
	await world.restored(undo);
	// A FIFO is no file of anybody's.
	const { fifo: _fifo, ...files } = after;
	expect(await tree(world.rig.root)).toEqual(files);
});

test("a single file is not unwrapped, and an empty project can be restored", async () => {
	await rm(world.at("main.py"));
	const empty = await world.rig.keep();
	await mkdir(world.at("only"));
	await writeFile(world.at("only/file"), "x");
	const wrapped = await world.rig.keep();
	await world.restored(empty);
	expect(await tree(world.rig.root)).toEqual({});
	await world.restored(wrapped);
	expect(await tree(world.rig.root)).toEqual({ only: "/", "only/file": "x" });
});

test("a file is restored alone, whatever has its place now; so is a link, and a folder with all that it held", async () => {
	await mkdir(world.at("src/deep"), { recursive: true });
	await writeFile(world.at("src/a"), "a");
	await writeFile(world.at("src/deep/b"), "b");
	await symlink("src/a", world.at("link"));
	const id = await world.rig.keep();
	await writeFile(world.at("kept"), "kept");
	await rm(world.at("src"), { recursive: true });
	await world.restored(id, "src/deep/b");
	expect(await tree(world.rig.root)).toMatchObject({ src: "/", "src/deep": "/", "src/deep/b": "b", kept: "kept" });
	expect((await stat(world.at("src/deep"))).uid).toBe(300_000);
	await writeFile(world.at("src/new"), "made since");
	await world.restored(id, "src");
	expect(await tree(world.rig.root)).toEqual({
		"main.py": "print(1)\n",
		kept: "kept",
		link: "-> src/a",
		src: "/",
		"src/a": "a",
		"src/deep": "/",
		"src/deep/b": "b",
	});
	await rm(world.at("link"));
	await mkdir(world.at("link/full"), { recursive: true });
	const undo = await world.restored(id, "link");
	expect(await readlink(world.at("link"))).toBe("src/a");
	await world.restored(undo, "link");
	expect(await readdir(world.at("link"))).toEqual(["full"]);
	expect((await world.restore(id, "missing")).json()).toMatchObject({ code: "file_not_found" });
	expect((await world.restore(id, ".repldock-import-0123456789abcdef/new")).json()).toMatchObject({
		code: "invalid_path",
	});
	await writeFile(world.at("blocked"), "a file");
	await rm(world.at("src"), { recursive: true });
	await writeFile(world.at("src"), "a file");
	expect((await world.restore(id, "src/a")).json()).toMatchObject({ code: "file_not_found" });
	expect((await readdir(world.rig.root)).filter((name) => name.startsWith(".repldock"))).toEqual([]);
});

test("a hostile project cannot make a restore write outside of it", async () => {
	const outside = join(world.cluster.directory, "outside");
	await mkdir(outside, { recursive: true });
	await mkdir(world.at("src"));
	await writeFile(world.at("src/a"), "a");
	await runCommand("mkfifo", [world.at("src/fifo")]);
	const id = await world.rig.keep();
	await rm(world.at("src"), { recursive: true });
	await symlink(outside, world.at("src"));
	expect((await world.restore(id, "src/a")).json()).toMatchObject({ code: "invalid_path" });
	expect(await readdir(outside)).toEqual([]);
	expect((await world.restore(id, "src/fifo")).json()).toMatchObject({ code: "invalid_path" });
	await world.restored(id);
	expect(await tree(world.rig.root)).toEqual({ "main.py": "print(1)\n", src: "/", "src/a": "a" });
	expect(await readdir(outside)).toEqual([]);
});

test("when the object store is down nothing is restored, and a sentence says why", async () => {
	const id = await world.rig.keep();
	await writeFile(world.at("main.py"), "mine");
	world.cluster.breakStore({
		put: () => Promise.reject(new ObjectStoreError("unavailable", "The object store does not answer.")),
	});
	for (const path of [undefined, "main.py"]) {
		expect((await world.restore(id, path)).json()).toMatchObject({
			status: 504,
			code: "timed_out",
			detail: expect.stringMatching(/^Nothing was restored: .*object store/),
		});
	}
	expect(await tree(world.rig.root)).toEqual({ "main.py": "mine" });
	world.cluster.breakStore();
	const undo = await world.restored(id);
	expect(await read("main.py")).toBe("print(1)\n");
	await world.restored(undo);
	expect(await read("main.py")).toBe("mine");
});

test("a restore takes no space for what it shares, goes beyond a quota that is half used, and keeps the quota afterwards", async () => {
	world.rig = await world.start({ diskBytes: 100 * megabyte });
	await writeFile(world.at("noise"), randomBytes(60 * megabyte));
	await mkdir(world.at("small"));
	for (let number = 0; number < 400; number += 1) await writeFile(world.at(`small/${number}`), randomBytes(1_000));
	const id = await world.rig.keep();
	await rm(world.at("noise"));
	await rm(world.at("small"), { recursive: true });
	await writeFile(world.at("other"), randomBytes(60 * megabyte));
	const used = async () =>
		Number((await runCommand("btrfs", ["filesystem", "usage", "-b", world.mountPoint])).match(/Used:\s+(\d+)/)?.[1]);
	const held = await world.rig.versions.open(world.rig.projectId, id, { id: "u1", mayEdit: true });
	await world.rig.keep();
	const before = await used();
	// Other projects' checkpoints bring what is half done to the disk, where it is counted.
	let done = false;
	const others = (async () => {
		while (!done) await runCommand("btrfs", ["filesystem", "sync", world.mountPoint]);
	})();
	await world.restored(id).finally(() => {
		done = true;
		return others;
	});
	expect((await stat(world.at("noise"))).size).toBe(60 * megabyte);
	expect(await readdir(world.at("small"))).toHaveLength(400);
	await runCommand("btrfs", ["filesystem", "sync", world.mountPoint]);
	expect((await used()) - before).toBeLessThan(20 * megabyte);
	held.release();
	expect(await world.node.volumes.measure(world.rig.projectId)).toMatchObject({ limitBytes: 100 * megabyte });
	await expect(writeFile(world.at("more"), randomBytes(60 * megabyte))).rejects.toMatchObject({ errno: -122 });
});

test("after a restore of a whole project the next checkpoint holds what has changed alone", async () => {
	await writeFile(world.at("noise"), randomBytes(8 * megabyte));
	await writeFile(world.at("tricky"), "12345678");
	await utimes(world.at("tricky"), 1, 1);
	const id = await world.rig.keep();
	await writeFile(world.at("main.py"), "changed");
	// Looks the same, and is not.
	await writeFile(world.at("tricky"), "87654321");
	await utimes(world.at("tricky"), 1, 1);
	await world.rig.keep();
	await world.restored(id);
	expect([await read("main.py"), await read("tricky")]).toEqual(["print(1)\n", "12345678"]);
	await world.rig.keep();
	const last = world.cluster.chainOf(world.rig.projectId).at(-1);
	expect(last).toMatchObject({ kind: "change", parent: expect.anything() });
	expect(last?.bytes).toBeLessThan(megabyte / 4);
});

test("what needs more than the quota is not restored: not all, and not a part beside what is there", async () => {
	world.rig = await world.start({ diskBytes: 100 * megabyte });
	await mkdir(world.at("large"));
	await writeFile(world.at("large/noise"), randomBytes(70 * megabyte));
	const id = await world.rig.keep();
	await rm(world.at("large"), { recursive: true });
	await writeFile(world.at("other"), randomBytes(50 * megabyte));
	expect((await world.restore(id, "large")).json()).toMatchObject({ code: "quota_exceeded" });
	expect((await readdir(world.rig.root)).sort()).toEqual(["main.py", "other"]);
	const placement = world.cluster.placements.get(world.rig.projectId);
	if (placement) placement.limits.diskBytes = 60 * megabyte;
	expect((await world.restore(id)).json()).toMatchObject({ code: "quota_exceeded" });
	expect((await readdir(world.rig.root)).sort()).toEqual(["main.py", "other"]);
});

test("a crash in the middle of a restore leaves all as it was, or all as it is restored", async () => {
	await writeFile(world.at("old"), "old");
	const id = await world.rig.keep();
	await rm(world.at("old"));
	await writeFile(world.at("new"), "new");
	const now = await tree(world.rig.root);
	const version = await world.rig.versions.freeze(world.rig.projectId, id, { id: "u1", mayEdit: true });
	const stagings: Staging[] = [];
	/** The agent died once the version's files were in the project's hidden folder. */
	const stage = async () => {
		const staging = await openStaging(world.rig.root, { uid: 300_000, gid: 300_001 });
		stagings.push(staging);
		for await (const entry of version.walk(() => false)) await staging.addClone([entry.path], entry);
		return world.at(staging.path);
	};
	await stage();
	expect(await settleStagings(world.rig.root)).toBe(true);
	expect(await tree(world.rig.root)).toEqual(now);
	// Once the project's files were on their way out of it.
	let hidden = await stage();
	await mkdir(join(hidden, "old"));
	await runCommand("mv", [world.at("new"), join(hidden, "old")]);
	await settleStagings(world.rig.root);
	expect(await tree(world.rig.root)).toEqual(now);
	// Once the version's files were on their way into it.
	hidden = await stage();
	await mkdir(join(hidden, "old"));
	await runCommand("mv", [world.at("new"), world.at("main.py"), join(hidden, "old")]);
	await runCommand("mv", [join(hidden, "new"), join(hidden, "ready")]);
	await runCommand("mv", [join(hidden, "ready/old"), world.rig.root]);
	await settleStagings(world.rig.root);
	expect(await tree(world.rig.root)).toEqual({ "main.py": "print(1)\n", old: "old" });
	expect(await settleStagings(world.rig.root)).toBe(false);
	// Lets go of what a dead agent would not hold.
	for (const staging of stagings) await staging.discard();
	await version.release();
});

test("an open document takes a restore in as an edit: everybody sees it, what is typed meanwhile stays, and undo works", async () => {
	await writeFile(world.at("main.py"), "one\ntwo\nthree\n");
	const id = await world.rig.keep();
	const [ada, eve] = [await world.openPage("main.py"), await world.openPage("main.py", "Eve")];
	await ada.untilText((text) => text === "one\ntwo\nthree\n");
	const undo = new Y.UndoManager(ada.doc.getText(documentTextName), {
		captureTimeout: 0,
		trackedOrigins: new Set([null]),
	});
	ada.insert(0, "typed\n");
	await ada.untilSaved();
	const undoId = await world.restored(id, "main.py");
	for (const page of [ada, eve]) await page.untilText((text) => text === "one\ntwo\nthree\n");
	eve.insert(4, "more\n");
	await ada.untilText((text) => text === "one\nmore\ntwo\nthree\n");
	await eve.untilSaved();
	expect(await read("main.py")).toBe("one\nmore\ntwo\nthree\n");
	undo.undo();
	expect(ada.text()).toContain("two\nthree\n");
	await world.restored(undoId);
	await ada.untilText((text) => text === "typed\none\ntwo\nthree\n");
	await expect.poll(() => read("main.py")).toBe("typed\none\ntwo\nthree\n");
});

test("a document whose file the restored version does not have is closed, and comes back with the undo", async () => {
	const id = await world.rig.keep();
	await mkdir(world.at("src"));
	await writeFile(world.at("src/new.py"), "new\n");
	const page = await world.openPage("src/new.py");
	await page.untilText((text) => text === "new\n");
	const undo = await world.restored(id);
	await page.until("documentMoved", ({ path }) => path === null);
	expect(await tree(world.rig.root)).toEqual({ "main.py": "print(1)\n" });
	await world.restored(undo, "src");
	expect(await read("src/new.py")).toBe("new\n");
});

test("one restore or import of a project at a time: the others are refused, and nothing is mixed", async () => {
	const id = await world.rig.keep();
	await writeFile(world.at("main.py"), "changed");
	const answers = await Promise.all(Array.from({ length: 6 }, () => world.restore(id)));
	const codes = answers.map(({ status }) => status).sort();
	expect(codes.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1);
	expect(codes.every((status) => status === 200 || status === 429)).toBe(true);
	expect(codes).toContain(429);
	// An import that is under way holds it up as well.
	let go = () => {};
	const gate = new Promise<void>((resolve) => {
		go = resolve;
	});
	const { Readable } = await import("node:stream");
	const source = Readable.from(
		(async function* () {
			yield Buffer.alloc(512);
			await gate;
		})(),
		{ objectMode: false },
	);
	const importing = world.rig.ask("POST", `/projects/${world.rig.projectId}/import?into=project`, {
		token: await world.rig.enter(),
		body: source,
	});
	await once(source, "readable");
	await expect.poll(async () => (await world.restore(id)).status).toBe(429);
	go();
	await importing;
	await world.restored(id);
	expect(await tree(world.rig.root)).toEqual({ "main.py": "print(1)\n" });
});

test("what programs write while a restore begins is in the version before it: they stand still until the files are there", async () => {
	const isStopped = async (pid: number) => / T /.test(await readFile(`/proc/${pid}/stat`, "utf8"));
	let writer: ChildProcess | undefined;
	const own = await world.start({
		// Signals stand for the engine's pause, which the flow's test has.
		async standStill(work) {
			const pid = writer?.pid;
			if (pid === undefined) return work();
			process.kill(pid, "SIGSTOP");
			await vi.waitFor(async () => expect(await isStopped(pid)).toBe(true), 10_000);
			return work().finally(() => process.kill(pid, "SIGCONT"));
		},
	});
	await writeFile(join(own.root, "numbers.txt"), "");
	const first = await own.keep();
	writer = spawn("python3", ["-c", writeNumbers], { cwd: own.root, stdio: ["ignore", "pipe", "inherit"] });
	onTestFinished(() => void writer?.kill("SIGKILL"));
	let said = "";
	writer.stdout?.on("data", (chunk: Buffer) => {
		said += chunk.toString();
	});
	/** What it printed; the last line may be cut where the program was ended. */
	const kept = () => [...said.matchAll(/^kept (\d+)\n/gm)].map(([, number = ""]) => number);
	await vi.waitFor(() => expect(kept().length).toBeGreaterThan(50), 20_000);
	const undos: string[] = [];
	for (let round = 0; round < 3; round += 1) {
		const answer = await own.project("POST", `/versions/${first}/restore`, {});
		undos.push((answer.json() as VersionRestored).undo.id);
		const since = kept().length;
		await vi.waitFor(() => expect(kept().length).toBeGreaterThan(since + 50), 20_000);
	}
	writer.kill("SIGKILL");
	const texts = [await readFile(join(own.root, "numbers.txt"), "utf8")];
	for (const id of undos) {
		texts.push((await own.project("GET", `/versions/${id}/content?path=numbers.txt`)).body.toString());
	}
	const there = new Set(texts.flatMap((text) => text.split("\n")));
	expect(kept().filter((number) => !there.has(number))).toEqual([]);
});
