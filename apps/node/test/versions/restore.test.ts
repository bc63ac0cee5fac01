// One file, though a long one: every restore is tried on the same node, whose start takes longer than the tests.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
	link,
	lstat,
	mkdir,
	open,
	readdir,
	readFile,
	readlink,
	rm,
	stat,
	symlink,
	utimes,
	writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { ObjectStoreError } from "@repldock/objects";
import { documentTextName, type VersionRestored } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import * as Y from "yjs";
import { compareTrees } from "../../src/host/files/compare.ts";
import { openStaging } from "../../src/host/files/staging.ts";
import { settleStagings } from "../../src/host/files/staging-moves.ts";
import type { Staging } from "../../src/host.ts";
import { type CheckpointNode, type Cluster, namesIn, startCluster } from "../checkpoints/rig.ts";
import { findLeftovers } from "../host/machine.ts";
import { createPage, type Page } from "../workspace/rig.ts";
import { startVersionRig, type VersionRig } from "./rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let cluster: Cluster;
let node: CheckpointNode;
let mountPoint: string;
let rig: VersionRig;
const rigs: VersionRig[] = [];
const pages: Page[] = [];
const megabyte = 1024 * 1024;

beforeAll(async () => {
	cluster = await startCluster();
	node = await cluster.startNode("one");
	mountPoint = join(cluster.directory, "one");
});
beforeEach(async () => {
	cluster.breakStore();
	rig = await start();
});
afterEach(async () => {
	vi.restoreAllMocks();
	for (const page of pages.splice(0)) page.disconnect();
	for (const one of rigs.splice(0)) await one.release();
});
afterAll(async () => {
	await cluster.release();
	expect(await findLeftovers(cluster.directory)).toEqual([]);
});

async function start(options: Parameters<typeof startVersionRig>[3] = {}): Promise<VersionRig> {
	const started = await startVersionRig(cluster, node, mountPoint, options);
	rigs.push(started);
	return started;
}

const at = (path: string) => join(rig.root, path);
const read = (path: string) => readFile(at(path), "utf8");

const restore = (id: string, path?: string) =>
	rig.project("POST", `/versions/${id}/restore`, path === undefined ? {} : { path });

async function restored(id: string, path?: string): Promise<string> {
	const answer = await restore(id, path);
	expect([answer.status, answer.body.toString()]).toMatchObject([200, expect.anything()]);
	return (answer.json() as VersionRestored).undo.id;
}

/** Everything below a folder, with what it holds. */
async function tree(root = rig.root): Promise<Record<string, string>> {
	const found: Record<string, string> = {};
	for (const name of (await readdir(root, { recursive: true })).sort()) {
		const stats = await lstat(join(root, name));
		if (stats.isSymbolicLink()) found[name] = `-> ${await readlink(join(root, name))}`;
		else if (stats.isFile()) found[name] = await readFile(join(root, name), "latin1");
		else found[name] = stats.isDirectory() ? "/" : "other";
	}
	return found;
}

/** A page that has the file open. */
async function openPage(path: string, name = "Ada"): Promise<Page> {
	const page = createPage(name);
	pages.push(page);
	await page.connect((await rig.workspaces.open(rig.projectId)).documents, path);
	return page;
}

test("a whole project is restored while programs run in its folder, and back again: the restore can be undone", async () => {
	await mkdir(at("src/deep"), { recursive: true });
	await writeFile(at("src/deep/a.txt"), "a");
	await symlink("../main.py", at("src/link"));
	await link(at("main.py"), at("again.py"));
	await runCommand("chmod", ["750", at("main.py")]);
	await writeFile(at(".replit"), 'run = "x"\n');
	const before = await tree();
	const id = await rig.keep();
	// As a container: it has the folder itself open, and sees what is in it.
	await rm(at("src"), { recursive: true });
	await rm(at("again.py"));
	await writeFile(at("main.py"), "changed");
	await writeFile(at("src"), "a file now");
	await runCommand("mkfifo", [at("fifo")]);
	const after = await tree();
	const inode = (await stat(rig.root)).ino;
	const undo = await restored(id);
	expect(await tree()).toEqual(before);
	expect((await stat(rig.root)).ino).toBe(inode);
	expect((await stat(at("main.py"))).mode & 0o777).toBe(0o750);
	expect(await stat(at("again.py"))).toMatchObject({ nlink: 2, uid: 300_000, gid: 300_001 });
	expect(cluster.chainOf(rig.projectId).at(-1)).toMatchObject({ kind: "before-restore", name: null });
	await restored(undo);
	// A FIFO is no file of anybody's.
	const { fifo: _fifo, ...files } = after;
	expect(await tree()).toEqual(files);
});

test("a single file is not unwrapped, and an empty project can be restored", async () => {
	await rm(at("main.py"));
	const empty = await rig.keep();
	await mkdir(at("only"));
	await writeFile(at("only/file"), "x");
	const wrapped = await rig.keep();
	await restored(empty);
	expect(await tree()).toEqual({});
	await restored(wrapped);
	expect(await tree()).toEqual({ only: "/", "only/file": "x" });
});

test("a file is restored alone, whatever has its place now; so is a link, and a folder with all that it held", async () => {
	await mkdir(at("src/deep"), { recursive: true });
	await writeFile(at("src/a"), "a");
	await writeFile(at("src/deep/b"), "b");
	await symlink("src/a", at("link"));
	const id = await rig.keep();
	await writeFile(at("kept"), "kept");
	await rm(at("src"), { recursive: true });
	await restored(id, "src/deep/b");
	expect(await tree()).toMatchObject({ src: "/", "src/deep": "/", "src/deep/b": "b", kept: "kept" });
	expect((await stat(at("src/deep"))).uid).toBe(300_000);
	await writeFile(at("src/new"), "made since");
	await restored(id, "src");
	expect(await tree()).toEqual({
		"main.py": "print(1)\n",
		kept: "kept",
		link: "-> src/a",
		src: "/",
		"src/a": "a",
		"src/deep": "/",
		"src/deep/b": "b",
	});
	await rm(at("link"));
	await mkdir(at("link/full"), { recursive: true });
	const undo = await restored(id, "link");
	expect(await readlink(at("link"))).toBe("src/a");
	await restored(undo, "link");
	expect(await readdir(at("link"))).toEqual(["full"]);
	expect((await restore(id, "missing")).json()).toMatchObject({ code: "file_not_found" });
	expect((await restore(id, ".repldock-import-0123456789abcdef/new")).json()).toMatchObject({ code: "invalid_path" });
	await writeFile(at("blocked"), "a file");
	await rm(at("src"), { recursive: true });
	await writeFile(at("src"), "a file");
	expect((await restore(id, "src/a")).json()).toMatchObject({ code: "file_not_found" });
	expect((await readdir(rig.root)).filter((name) => name.startsWith(".repldock"))).toEqual([]);
});

test("a hostile project cannot make a restore write outside of it", async () => {
	const outside = join(cluster.directory, "outside");
	await mkdir(outside, { recursive: true });
	await mkdir(at("src"));
	await writeFile(at("src/a"), "a");
	await runCommand("mkfifo", [at("src/fifo")]);
	const id = await rig.keep();
	await rm(at("src"), { recursive: true });
	await symlink(outside, at("src"));
	expect((await restore(id, "src/a")).json()).toMatchObject({ code: "invalid_path" });
	expect(await readdir(outside)).toEqual([]);
	expect((await restore(id, "src/fifo")).json()).toMatchObject({ code: "invalid_path" });
	await restored(id);
	expect(await tree()).toEqual({ "main.py": "print(1)\n", src: "/", "src/a": "a" });
	expect(await readdir(outside)).toEqual([]);
});

test("when the object store is down nothing is restored, and a sentence says why", async () => {
	const id = await rig.keep();
	await writeFile(at("main.py"), "mine");
	cluster.breakStore({
		put: () => Promise.reject(new ObjectStoreError("unavailable", "The object store does not answer.")),
	});
	for (const path of [undefined, "main.py"]) {
		expect((await restore(id, path)).json()).toMatchObject({
			status: 504,
			code: "timed_out",
			detail: expect.stringMatching(/^Nothing was restored: .*object store/),
		});
	}
	expect(await tree()).toEqual({ "main.py": "mine" });
	cluster.breakStore();
	const undo = await restored(id);
	expect(await read("main.py")).toBe("print(1)\n");
	await restored(undo);
	expect(await read("main.py")).toBe("mine");
});

test("a restore takes no space for what it shares, goes beyond a quota that is half used, and keeps the quota afterwards", async () => {
	rig = await start({ diskBytes: 100 * megabyte });
	await writeFile(at("noise"), randomBytes(60 * megabyte));
	await mkdir(at("small"));
	for (let number = 0; number < 400; number += 1) await writeFile(at(`small/${number}`), randomBytes(1_000));
	const id = await rig.keep();
	await rm(at("noise"));
	await rm(at("small"), { recursive: true });
	await writeFile(at("other"), randomBytes(60 * megabyte));
	const used = async () =>
		Number((await runCommand("btrfs", ["filesystem", "usage", "-b", mountPoint])).match(/Used:\s+(\d+)/)?.[1]);
	const held = await rig.versions.open(rig.projectId, id, { id: "u1", mayEdit: true });
	await rig.keep();
	const before = await used();
	// Other projects' checkpoints bring what is half done to the disk, where it is counted.
	let done = false;
	const others = (async () => {
		while (!done) await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	})();
	await restored(id);
	done = true;
	await others;
	expect((await stat(at("noise"))).size).toBe(60 * megabyte);
	expect(await readdir(at("small"))).toHaveLength(400);
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	expect((await used()) - before).toBeLessThan(20 * megabyte);
	held.release();
	expect(await node.volumes.measure(rig.projectId)).toMatchObject({ limitBytes: 100 * megabyte });
	await expect(writeFile(at("more"), randomBytes(60 * megabyte))).rejects.toMatchObject({ errno: -122 });
});

test("after a restore of a whole project the next checkpoint holds what has changed alone", async () => {
	await writeFile(at("noise"), randomBytes(8 * megabyte));
	await writeFile(at("tricky"), "12345678");
	await utimes(at("tricky"), 1, 1);
	const id = await rig.keep();
	await writeFile(at("main.py"), "changed");
	// Looks the same, and is not.
	await writeFile(at("tricky"), "87654321");
	await utimes(at("tricky"), 1, 1);
	await rig.keep();
	await restored(id);
	expect([await read("main.py"), await read("tricky")]).toEqual(["print(1)\n", "12345678"]);
	await rig.keep();
	const last = cluster.chainOf(rig.projectId).at(-1);
	expect(last).toMatchObject({ kind: "change", parent: expect.anything() });
	expect(last?.bytes).toBeLessThan(megabyte / 4);
});

test("what needs more than the quota is not restored: not all, and not a part beside what is there", async () => {
	rig = await start({ diskBytes: 100 * megabyte });
	await mkdir(at("large"));
	await writeFile(at("large/noise"), randomBytes(70 * megabyte));
	const id = await rig.keep();
	await rm(at("large"), { recursive: true });
	await writeFile(at("other"), randomBytes(50 * megabyte));
	expect((await restore(id, "large")).json()).toMatchObject({ code: "quota_exceeded" });
	expect((await readdir(rig.root)).sort()).toEqual(["main.py", "other"]);
	const placement = cluster.placements.get(rig.projectId);
	if (placement) placement.limits.diskBytes = 60 * megabyte;
	expect((await restore(id)).json()).toMatchObject({ code: "quota_exceeded" });
	expect((await readdir(rig.root)).sort()).toEqual(["main.py", "other"]);
});

test("a crash in the middle of a restore leaves all as it was, or all as it is restored", async () => {
	await writeFile(at("old"), "old");
	const id = await rig.keep();
	await rm(at("old"));
	await writeFile(at("new"), "new");
	const now = await tree();
	const version = await rig.versions.freeze(rig.projectId, id, { id: "u1", mayEdit: true });
	const stagings: Staging[] = [];
	/** The agent died once the version's files were in the project's hidden folder. */
	const stage = async () => {
		const staging = await openStaging(rig.root, { uid: 300_000, gid: 300_001 });
		stagings.push(staging);
		for await (const entry of version.walk(() => false)) await staging.addClone([entry.path], entry);
		return at(staging.path);
	};
	await stage();
	expect(await settleStagings(rig.root)).toBe(true);
	expect(await tree()).toEqual(now);
	// Once the project's files were on their way out of it.
	let hidden = await stage();
	await mkdir(join(hidden, "old"));
	await runCommand("mv", [at("new"), join(hidden, "old")]);
	await settleStagings(rig.root);
	expect(await tree()).toEqual(now);
	// Once the version's files were on their way into it.
	hidden = await stage();
	await mkdir(join(hidden, "old"));
	await runCommand("mv", [at("new"), at("main.py"), join(hidden, "old")]);
	await runCommand("mv", [join(hidden, "new"), join(hidden, "ready")]);
	await runCommand("mv", [join(hidden, "ready/old"), rig.root]);
	await settleStagings(rig.root);
	expect(await tree()).toEqual({ "main.py": "print(1)\n", old: "old" });
	expect(await settleStagings(rig.root)).toBe(false);
	// Lets go of what a dead agent would not hold.
	for (const staging of stagings) await staging.discard();
	await version.release();
});

test("an open document takes a restore in as an edit: everybody sees it, what is typed meanwhile stays, and undo works", async () => {
	await writeFile(at("main.py"), "one\ntwo\nthree\n");
	const id = await rig.keep();
	const [ada, eve] = [await openPage("main.py"), await openPage("main.py", "Eve")];
	await ada.untilText((text) => text === "one\ntwo\nthree\n");
	const undo = new Y.UndoManager(ada.doc.getText(documentTextName), {
		captureTimeout: 0,
		trackedOrigins: new Set([null]),
	});
	ada.insert(0, "typed\n");
	await ada.untilSaved();
	const undoId = await restored(id, "main.py");
	for (const page of [ada, eve]) await page.untilText((text) => text === "one\ntwo\nthree\n");
	eve.insert(4, "more\n");
	await ada.untilText((text) => text === "one\nmore\ntwo\nthree\n");
	await eve.untilSaved();
	expect(await read("main.py")).toBe("one\nmore\ntwo\nthree\n");
	undo.undo();
	expect(ada.text()).toContain("two\nthree\n");
	await restored(undoId);
	await ada.untilText((text) => text === "typed\none\ntwo\nthree\n");
	await expect.poll(() => read("main.py")).toBe("typed\none\ntwo\nthree\n");
});

test("a document whose file the restored version does not have is closed, and comes back with the undo", async () => {
	const id = await rig.keep();
	await mkdir(at("src"));
	await writeFile(at("src/new.py"), "new\n");
	const page = await openPage("src/new.py");
	await page.untilText((text) => text === "new\n");
	const undo = await restored(id);
	await page.until("documentMoved", ({ path }) => path === null);
	expect(await tree()).toEqual({ "main.py": "print(1)\n" });
	await restored(undo, "src");
	expect(await read("src/new.py")).toBe("new\n");
});

test("one restore or import of a project at a time: the others are refused, and nothing is mixed", async () => {
	const id = await rig.keep();
	await writeFile(at("main.py"), "changed");
	const answers = await Promise.all(Array.from({ length: 6 }, () => restore(id)));
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
	const importing = rig.ask("POST", `/projects/${rig.projectId}/import?into=project`, {
		token: await rig.enter(),
		body: source,
	});
	await once(source, "readable");
	await expect.poll(async () => (await restore(id)).status).toBe(429);
	go();
	await importing;
	await restored(id);
	expect(await tree()).toEqual({ "main.py": "print(1)\n" });
});

test("what has changed since a version is told by path, with what people have typed and without what only looks changed", async () => {
	await mkdir(at("same/deep"), { recursive: true });
	await writeFile(at("same/deep/a"), "a");
	await mkdir(at("gone/inner"), { recursive: true });
	await writeFile(at("gone/inner/file"), "x");
	for (const name of ["touched", "same-size", "becomes-folder", "large"]) await writeFile(at(name), "12345678");
	await writeFile(at("large"), Buffer.alloc(2 * megabyte, 1));
	await symlink("a", at("link"));
	const id = await rig.keep();
	expect(await rig.changes(id)).toEqual([]);
	await rm(at("gone"), { recursive: true });
	await mkdir(at("new/inner"), { recursive: true });
	await writeFile(at("new/inner/file"), "x");
	await writeFile(at("same-size"), "87654321");
	const later = new Date(Date.now() + 60_000);
	await utimes(at("touched"), later, later);
	await writeFile(at("large"), Buffer.alloc(2 * megabyte, 2));
	await rm(at("becomes-folder"));
	await mkdir(at("becomes-folder"));
	await rm(at("link"));
	await symlink("b", at("link"));
	await runCommand("mkfifo", [at("fifo")]);
	const page = await openPage("main.py");
	await page.untilText((text) => text === "print(1)\n");
	page.insert(0, "# typed just now\n");
	const expected = [
		"removed file becomes-folder",
		"added directory becomes-folder",
		"added other fifo",
		"removed directory gone",
		"modified file large",
		"modified link link",
		"modified file main.py",
		"added directory new",
		"modified file same-size",
	];
	expect(await rig.changes(id)).toEqual(expected);
	await restored(id);
	expect(await rig.changes(id)).toEqual([]);
	expect((await readdir(mountPoint)).filter((name) => name.endsWith(".snapshot"))).toEqual([]);
});

test("a file that was changed without changing its size and its time is told, whether the version is the node's own or fetched", async () => {
	// The node keeps the first one's snapshot, for the next rest to build on.
	await rig.keep();
	const moment = new Date("2026-01-02T03:04:05.678Z");
	for (const name of ["hidden", "untouched", "large"]) {
		await writeFile(at(name), Buffer.alloc(name === "large" ? 3 * megabyte : 8, "1"));
		await utimes(at(name), moment, moment);
	}
	const own = await rig.keep();
	expect(await rig.changes(own)).toEqual([]);
	for (const name of ["hidden", "large"]) {
		const file = await open(at(name), "r+");
		await file.write("2", (await file.stat()).size - 1);
		await file.close();
		await utimes(at(name), moment, moment);
	}
	const expected = ["modified file hidden", "modified file large"];
	expect(await rig.changes(own)).toEqual(expected);
	await rig.keep();
	await rig.restartVersions();
	await rig.versions.forget(rig.projectId);
	expect(await rig.changes(own)).toEqual(expected);
	expect(await namesIn(join(mountPoint, ".checkpoints", rig.projectId))).not.toContain(own);
});

test("changes are bounded: in what is told, in what is looked at, and in what is read", async () => {
	const [one, two] = [join(cluster.directory, "a"), join(cluster.directory, "b")];
	await mkdir(join(one, "d"), { recursive: true });
	await mkdir(join(two, "d"), { recursive: true });
	for (let number = 0; number < 20; number += 1) {
		await writeFile(join(one, `d/${number + 10}`), "1");
		await utimes(join(one, `d/${number + 10}`), 1, 1);
		await writeFile(join(two, `d/${number + 10}`), "2");
	}
	const limits = {
		changes: 100,
		entries: 100,
		entriesOfOneDirectory: 100,
		levels: 10,
		bytesOfOneFile: 100,
		bytes: 100,
		bytesOfSameTime: 100,
	};
	const count = async (change: Partial<typeof limits>) => {
		const { changes, truncated } = await compareTrees(one, two, { ...limits, ...change });
		return [changes.length, truncated];
	};
	expect(await count({})).toEqual([20, false]);
	expect(await count({ changes: 20 })).toEqual([20, false]);
	expect(await count({ changes: 7 })).toEqual([7, true]);
	expect(await count({ entries: 11 })).toEqual([10, true]);
	expect(await count({ entriesOfOneDirectory: 19 })).toEqual([0, true]);
	expect(await count({ levels: 1 })).toEqual([0, true]);
	for (let number = 0; number < 20; number += 1) await writeFile(join(two, `d/${number + 10}`), "1");
	// What is not read counts as modified.
	expect(await count({})).toEqual([0, false]);
	expect(await count({ bytes: 5 })).toEqual([15, false]);
	expect(await count({ bytesOfOneFile: 0 })).toEqual([20, false]);
	for (let number = 0; number < 20; number += 1) {
		await writeFile(join(two, `d/${number + 10}`), "2");
		await utimes(join(two, `d/${number + 10}`), 1, 1);
	}
	expect(await count({})).toEqual([20, false]);
	expect(await compareTrees(one, two, { ...limits, bytesOfSameTime: 5 })).toMatchObject({
		unread: 15,
		truncated: false,
	});
	expect(await count({ bytesOfSameTime: 5 })).toEqual([5, false]);
});

/** As the program of the flow's test: it says a number once that is on the disk under its name. */
const writeNumbers = `import itertools, os
os.chdir(os.environ["ROOT"])
for n in itertools.count(1):
    while True:
        fd = os.open("numbers.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(fd, b"%d\\n" % n)
        os.fsync(fd)
        kept = os.path.exists("numbers.txt") and os.stat("numbers.txt").st_ino == os.fstat(fd).st_ino
        os.close(fd)
        if kept: break
    print(n, flush=True)
`;

test("what programs write while a restore begins is in the version before it: they stand still until the files are there", async () => {
	const isStopped = async (pid: number) => / T /.test(await readFile(`/proc/${pid}/stat`, "utf8"));
	let writer: ChildProcess | undefined;
	const own = await start({
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
	writer = spawn("python3", ["-c", writeNumbers], { env: { ROOT: own.root }, stdio: ["ignore", "pipe", "inherit"] });
	onTestFinished(() => void writer?.kill("SIGKILL"));
	let said = "";
	writer.stdout?.on("data", (chunk: Buffer) => {
		said += chunk.toString();
	});
	const lines = () => said.split("\n").length;
	await vi.waitFor(() => expect(lines()).toBeGreaterThan(50), 20_000);
	const undos: string[] = [];
	for (let round = 0; round < 3; round += 1) {
		const answer = await own.project("POST", `/versions/${first}/restore`, {});
		undos.push((answer.json() as VersionRestored).undo.id);
		const since = lines();
		await vi.waitFor(() => expect(lines()).toBeGreaterThan(since + 50), 20_000);
	}
	writer.kill("SIGKILL");
	const texts = [await readFile(join(own.root, "numbers.txt"), "utf8")];
	for (const id of undos) {
		texts.push((await own.project("GET", `/versions/${id}/content?path=numbers.txt`)).body.toString());
	}
	const there = new Set(texts.flatMap((text) => text.split("\n")));
	// The last line may be cut where the program was ended.
	expect(
		said
			.split("\n")
			.slice(0, -1)
			.filter((number) => !there.has(number)),
	).toEqual([]);
});
