import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { RepldockError } from "@repldock/protocol";
import type { CleanupStack } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import type { ProjectFiles } from "../../src/host-files.ts";
import { makeScratch } from "./machine.ts";

const owner = { uid: 300_000, gid: 300_001 };
let directory: string;
let root: string;
let outside: string;
let files: ProjectFiles;
let cleanup: CleanupStack;

beforeEach(async () => {
	({ directory, cleanup } = await makeScratch());
	root = join(directory, "project");
	outside = join(directory, "outside");
	mkdirSync(root);
	mkdirSync(outside);
	writeFileSync(join(outside, "secret"), "secret");
	files = openProjectFiles(root, owner);
});

afterEach(() => cleanup.run());

async function codeOf(job: Promise<unknown>): Promise<string> {
	const error = await job.then(
		() => "no error",
		(reason: unknown) => reason,
	);
	return error instanceof RepldockError ? error.code : String(error);
}

test("what is written can be read, listed, told and belongs to the project's user", async () => {
	const entry = await files.writeFile("main.py", "print(1)\n");
	expect(entry).toMatchObject({ name: "main.py", kind: "file", size: 9 });
	await files.makeDirectory("a/b");
	await files.receive("a/b/c/data.bin", Readable.from([Buffer.alloc(100_000, 7)]), { overwrite: false });
	expect(await files.readFile("main.py", { maxBytes: 100 })).toEqual(Buffer.from("print(1)\n"));
	expect((await files.list("", 10)).entries.map(({ name, kind }) => [name, kind])).toEqual([
		["a", "directory"],
		["main.py", "file"],
	]);
	expect(await files.stat("a/b/c/data.bin")).toMatchObject({ size: 100_000, kind: "file" });
	for (const path of ["main.py", "a", "a/b", "a/b/c", "a/b/c/data.bin"]) {
		expect(lstatSync(join(root, path))).toMatchObject(owner);
	}
	expect(statSync(join(root, "a/b")).mode & 0o777).toBe(0o755);
});

test("a range of a file is streamed", async () => {
	await files.writeFile("digits", "0123456789");
	const file = await files.openFile("digits");
	expect(file.entry.size).toBe(10);
	expect((await buffer(file.createReadStream({ start: 2, end: 4 }))).toString()).toBe("234");
});

test("nothing outside is read, written, listed, moved or removed through links or dots", async () => {
	symlinkSync(outside, join(root, "absolute"));
	symlinkSync("../outside", join(root, "relative"));
	symlinkSync("../outside/secret", join(root, "file"));
	symlinkSync("../outside/new", join(root, "dangling"));
	symlinkSync("/proc/self/root/etc/passwd", join(root, "magic"));
	await files.writeFile("own", "own");
	for (const path of ["absolute/secret", "relative/secret", "file", "magic"]) {
		expect(await codeOf(files.readFile(path, { maxBytes: 1000 }))).toBe("invalid_path");
		expect(await codeOf(files.writeFile(path, "changed"))).toBe("invalid_path");
		expect(await codeOf(files.openFile(path))).toBe("invalid_path");
	}
	for (const path of ["absolute", "relative"]) {
		expect(await codeOf(files.list(path, 10))).toBe("invalid_path");
		expect(await codeOf(files.makeDirectory(`${path}/made`))).toBe("invalid_path");
		expect(await codeOf(files.move("own", `${path}/own`))).toBe("invalid_path");
		expect(await codeOf(files.remove(`${path}/secret`))).toBe("invalid_path");
		expect(await codeOf(files.receive(`${path}/x`, Readable.from(["x"]), { overwrite: true }))).toBe("invalid_path");
		expect(await codeOf(files.watchDirectory(path, () => undefined))).toBe("invalid_path");
	}
	for (const path of ["../outside/secret", "/etc/passwd", "a/../../outside/secret", "./own", "a//b", "a\0b"]) {
		expect(await codeOf(files.readFile(path, { maxBytes: 1000 }))).toBe("invalid_path");
	}
	expect(await codeOf(files.writeFile("dangling", "x"))).toBe("invalid_path");
	expect(await codeOf(files.remove(""))).toBe("invalid_path");
	for (const link of ["absolute", "relative", "file", "dangling"]) await files.remove(link);
	expect(readdirSync(outside)).toEqual(["secret"]);
	expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
});

test("links inside the project are followed when a file is saved, and the file keeps its mode", async () => {
	mkdirSync(join(root, "bin"));
	writeFileSync(join(root, "bin/tool"), "old");
	chmodSync(join(root, "bin/tool"), 0o751);
	symlinkSync("bin/tool", join(root, "shortcut"));
	linkSync(join(root, "bin/tool"), join(root, "second-name"));
	await files.writeFile("shortcut", "new");
	expect(lstatSync(join(root, "shortcut")).isSymbolicLink()).toBe(true);
	expect(readFileSync(join(root, "bin/tool"), "utf8")).toBe("new");
	expect(statSync(join(root, "bin/tool")).mode & 0o777).toBe(0o751);
	expect(readFileSync(join(root, "second-name"), "utf8")).toBe("old");
	expect(readdirSync(join(root, "bin"))).toEqual(["tool"]);
});

test("FIFOs, sockets and folders are refused as files at once", async () => {
	execFileSync("mkfifo", [join(root, "pipe")]);
	mkdirSync(join(root, "folder"));
	for (const path of ["pipe", "folder"]) {
		expect(await codeOf(files.readFile(path, { maxBytes: 10 }))).toBe("invalid_path");
		expect(await codeOf(files.writeFile(path, "x"))).toBe("invalid_path");
		expect(await codeOf(files.openFile(path))).toBe("invalid_path");
	}
	expect((await files.stat("pipe")).kind).toBe("other");
	await files.remove("pipe");
});

test("nothing is replaced unless asked for, and sizes are limited", async () => {
	await files.writeFile("a", "a");
	await files.writeFile("b", "b");
	await files.makeDirectory("folder/inner");
	expect(await codeOf(files.move("a", "b"))).toBe("already_exists");
	expect(await codeOf(files.move("folder", "folder/inner/x"))).toBe("invalid_path");
	expect(await codeOf(files.makeDirectory("folder"))).toBe("already_exists");
	expect(await codeOf(files.receive("a", Readable.from(["new"]), { overwrite: false }))).toBe("already_exists");
	const large = Readable.from([Buffer.alloc(2000)]);
	expect(await codeOf(files.receive("a", large, { overwrite: true, maxBytes: 1000 }))).toBe("file_too_large");
	expect(await codeOf(files.readFile("a", { maxBytes: 0 }))).toBe("file_too_large");
	expect(await codeOf(files.stat("missing"))).toBe("file_not_found");
	expect(await codeOf(files.stat("a/b"))).toBe("file_not_found");
	expect(await codeOf(files.writeFile("x".repeat(256), ""))).toBe("invalid_path");
	await files.receive("a", Readable.from(["new"]), { overwrite: true });
	expect(readFileSync(join(root, "a"), "utf8")).toBe("new");
	await files.move("a", "folder/inner/a");
	expect(readdirSync(root).sort()).toEqual(["b", "folder"]);
});

test("an upload that breaks off leaves no trace", async () => {
	await files.writeFile("kept", "old");
	const broken = new Readable({
		read() {
			this.push("half");
			this.destroy(new Error("the line broke"));
		},
	});
	await expect(files.receive("kept", broken, { overwrite: true })).rejects.toThrow("the line broke");
	expect(readFileSync(join(root, "kept"), "utf8")).toBe("old");
	expect(readdirSync(root)).toEqual(["kept"]);
});

test("names with spaces, emoji, line breaks and dashes are names like others", async () => {
	const names = ["-rf", "a b", "line\nbreak", "🙂.py", "'\"$(id)`", "\\", "…"];
	for (const name of names) {
		await files.receive(`${name}/${name}`, Readable.from([name]), { overwrite: false });
		expect((await files.readFile(`${name}/${name}`, { maxBytes: 100 })).toString()).toBe(name);
	}
	expect((await files.list("", 100)).entries.map((entry) => entry.name).sort()).toEqual(names.toSorted());
	for (const name of names) await files.remove(name);
	expect(readdirSync(root)).toEqual([]);
});

test("20,000 entries are listed up to the limit and removed", async () => {
	mkdirSync(join(root, "many"));
	for (let i = 0; i < 20_000; i += 1) writeFileSync(join(root, "many", `f${i}`), "");
	for (let i = 0; i < 300; i += 1) mkdirSync(join(root, "many", `d${i}`, "inner"), { recursive: true });
	const listing = await files.list("many", 500);
	expect(listing.entries).toHaveLength(500);
	expect(listing.truncated).toBe(true);
	expect(listing.entries[0]?.kind).toBe("directory");
	await files.remove("many");
	expect(readdirSync(root)).toEqual([]);
});

test("a tree of 5,000 levels is removed without running out of stack or descriptors", async () => {
	const script = 'for (1..5000) { mkdir "d" x 100 or die; chdir "d" x 100 or die; } open F, ">", "leaf\\xff" or die;';
	execFileSync("/usr/bin/perl", ["-e", script], { cwd: root });
	const open = () => readdirSync("/proc/self/fd").length;
	const before = open();
	await files.remove("d".repeat(100));
	expect(readdirSync(root)).toEqual([]);
	expect(open()).toBeLessThanOrEqual(before);
});

test("a program that swaps folders for links meanwhile leads nothing outside", async () => {
	for (let i = 0; i < 50; i += 1) writeFileSync(join(outside, `keep${i}`), "keep");
	const swapping = spawn("/usr/bin/perl", [
		"-e",
		`chdir $ARGV[0]; mkdir "d"; symlink "../outside", "l"; $| = 1; print "x";
		while (1) { rename "d", "t"; rename "l", "d"; rename "d", "l"; rename "t", "d"; }`,
		root,
	]);
	try {
		await once(swapping.stdout, "data");
		const secrets: string[] = [];
		for (let i = 0; i < 400; i += 1) {
			const known = ["invalid_path", "file_not_found", "no error", "already_exists", "not_allowed"];
			const read = files.readFile("d/keep0", { maxBytes: 100 }).then((bytes) => secrets.push(bytes.toString()));
			expect(known).toContain(await codeOf(read));
			expect(known).toContain(await codeOf(files.writeFile("d/planted", "planted")));
			expect(known).toContain(await codeOf(files.remove("d")));
			if (!existsSync(join(root, "d"))) await files.makeDirectory("d/again").catch(() => undefined);
		}
		expect(secrets).toEqual([]);
	} finally {
		swapping.kill("SIGKILL");
		await once(swapping, "close");
	}
	expect(readdirSync(outside)).toHaveLength(51);
});

test("a watch tells of changes by others, also after the folder moved, and not of our own passing names", async () => {
	mkdirSync(join(root, "watched"));
	writeFileSync(join(root, "watched/old"), "");
	const names = new Set<string | null>();
	let wake = () => {};
	const until = async (name: string | null) => {
		while (!names.has(name)) {
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
	};
	const stop = await files.watchDirectory("watched", (name) => {
		names.add(name);
		wake();
	});
	await files.writeFile("watched/old", "new");
	await until("old");
	renameSync(join(root, "watched"), join(root, "moved"));
	await until(null);
	writeFileSync(join(root, "moved/later"), "");
	await until("later");
	stop();
	expect([...names].filter((name) => name?.startsWith(".repldock-"))).toEqual([]);
});
