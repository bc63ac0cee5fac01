import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ImportDone } from "@repldock/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, type GatewayRig, startGatewayRig } from "../gateway/rig.ts";

let rig: GatewayRig;
let scratch: string;
const at = (path: string) => join(rig.root, path);

beforeEach(async () => {
	rig = await startGatewayRig();
	rig.placement.limits.diskBytes = 64 * 1024 * 1024;
	scratch = await mkdtemp(join(tmpdir(), "repldock-import-"));
	await writeFile(at("before.txt"), "was here");
});
afterEach(async () => {
	await rig.release();
	await rm(scratch, { recursive: true, force: true });
});

/** Runs a Python program that writes an archive to `path`; `add` puts one raw tar entry into `tar`. */
function pack(name: string, program: string): string {
	const path = join(scratch, name);
	const head = `
import io, tarfile, zipfile, sys, os
path = sys.argv[1]
def add(tar, name, data=b"x", **fields):
    item = tarfile.TarInfo(name)
    item.size = len(data)
    for key, value in fields.items(): setattr(item, key, value)
    tar.addfile(item, io.BytesIO(data))
`;
	execFileSync("python3", ["-c", head + program, path]);
	return path;
}

async function bring(archive: string | Buffer, query = "into=project"): Promise<Answer> {
	const body = typeof archive === "string" ? await readFile(archive) : archive;
	return rig.project("POST", `/import?${query}`, body);
}

async function expectRefused(archive: string | Buffer, sentence: string, code = "invalid_archive") {
	const answer = await bring(archive);
	expect(answer.json()).toMatchObject({ code, detail: expect.stringContaining(sentence) as string });
	expect(await readdir(rig.root)).toEqual(["before.txt"]);
	expect(await readFile(at("before.txt"), "utf8")).toBe("was here");
}

const good = {
	zip: 'z = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED); z.writestr("top/a/b.txt", "hello"); z.writestr("top/.replit", "run = \\"x\\""); z.close()',
	tar: 't = tarfile.open(path, "w"); add(t, "top/a/b.txt", b"hello"); add(t, "top/.replit"); t.close()',
	"tar.gz": 't = tarfile.open(path, "w:gz"); add(t, "./top/a/b.txt", b"hello"); add(t, "./top/.replit"); t.close()',
};

test.each(Object.entries(good))(
	"a %s takes the place of all files, its only folder unwrapped",
	async (kind, program) => {
		const answer = await bring(pack(`a.${kind}`, program));
		expect(answer.json()).toEqual({ path: "", entries: 2 } satisfies ImportDone);
		expect((await readdir(rig.root)).sort()).toEqual([".replit", "a"]);
		expect(await readFile(at("a/b.txt"), "utf8")).toBe("hello");
	},
);

test("a tar.zst with modes, links, hard links, long and non-ASCII names comes in as it was", async () => {
	await mkdir(join(scratch, "src/empty"), { recursive: true });
	await writeFile(join(scratch, "src/run"), "x", { mode: 0o755 });
	execFileSync("ln", [join(scratch, "src/run"), join(scratch, "src/same")]);
	execFileSync("ln", ["-s", "/usr/bin/python3", join(scratch, "src/python")]);
	const long = `${"d".repeat(120)}/${"é".repeat(100)}`;
	await mkdir(join(scratch, "src", long), { recursive: true });
	await writeFile(join(scratch, "src/holes"), "");
	await truncate(join(scratch, "src/holes"), 3 * 1024 ** 3);
	execFileSync("tar", [
		"--zstd",
		"-S",
		"--format=posix",
		"-cf",
		join(scratch, "a.tar.zst"),
		"-C",
		join(scratch, "src"),
		".",
	]);
	expect((await bring(join(scratch, "a.tar.zst"))).status).toBe(200);
	expect((await stat(at("run"))).mode & 0o777).toBe(0o755);
	expect((await stat(at("same"))).ino).toBe((await stat(at("run"))).ino);
	expect(await readlink(at("python"))).toBe("/usr/bin/python3");
	expect((await stat(at(long))).isDirectory()).toBe(true);
	expect(await readdir(at("empty"))).toEqual([]);
	expect(await stat(at("holes"))).toMatchObject({ size: 3 * 1024 ** 3, blocks: 0 });
});

test("what was exported comes in again as it was, holes and shared files included", async () => {
	await writeFile(at("a"), "x");
	execFileSync("ln", [at("a"), at("b")]);
	await writeFile(at("holes"), "");
	await truncate(at("holes"), 1024 ** 4);
	execFileSync("sh", ["-c", 'cd "$1" && printf "name\\351" | xargs touch', "sh", rig.root]);
	for (const format of ["tar.zst", "zip"] as const) {
		if (format === "zip") await rm(at("holes"));
		const ready = (await rig.project("POST", "/export", { format })).json() as { path: string };
		const archive = (await rig.ask("GET", ready.path)).body;
		const names = await readdir(rig.root, { encoding: "buffer" });
		expect((await bring(archive)).status).toBe(200);
		if (format === "tar.zst") expect(await readdir(rig.root, { encoding: "buffer" })).toEqual(names);
		expect(await readFile(at("before.txt"), "utf8")).toBe("was here");
	}
});

const replitFiles = [
	".replit",
	"replit.nix",
	".config/a",
	".cache/pip/a",
	".upm/store.json",
	".pythonlibs/lib/a",
	"src/.cache/a",
];

/** A zip of these names, each of one byte, beside a cache that is larger than the project's disk. */
function packReplit(name: string, names: readonly string[], folder = ""): string {
	const files = names.map((path) => `z.writestr(${JSON.stringify(folder + path)}, "x")`).join("; ");
	const cache = `z.writestr("${folder}.cache/huge", bytes(70 << 20))`;
	return pack(name, `z = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED); ${files}; ${cache}; z.close()`);
}

test("of a zip of Replit's the project comes in, without caches and without packages that work on its machines alone", async () => {
	const names = async () => (await readdir(rig.root)).sort();
	const project = [".config", ".replit", "replit.nix", "src"];
	for (const folder of ["", "my-repl/"]) {
		const made = packReplit("a.zip", [...replitFiles, ".pythonlibs/pyvenv.cfg"], folder);
		expect((await bring(made)).json()).toEqual({ path: "", entries: 4 } satisfies ImportDone);
		expect(await names()).toEqual(project);
		expect(await readdir(at("src/.cache"))).toEqual(["a"]);
	}
	// Packages that were installed here are the project's.
	expect((await bring(packReplit("b.zip", replitFiles))).status).toBe(200);
	expect(await names()).toEqual([...project, ".pythonlibs"].sort());
});

test("what is no project, or is unpacked beside others, comes in with all that is in it", async () => {
	const small = (names: string[]) =>
		`z = zipfile.ZipFile(path, "w"); ${names.map((name) => `z.writestr("${name}", "x")`).join("; ")}; z.close()`;
	expect((await bring(pack("a.zip", small([".cache/a", "b"])))).status).toBe(200);
	expect((await readdir(rig.root)).sort()).toEqual([".cache", "b"]);
	const project = pack("b.zip", small([".cache/a", ".replit"]));
	expect((await bring(project, "into=folder&folder=&name=lib")).json()).toMatchObject({ path: "lib", entries: 2 });
	expect((await readdir(at("lib"))).sort()).toEqual([".cache", ".replit"]);
});

test("an archive becomes a folder beside others, under a name that is free", async () => {
	const archive = pack("a.zip", good.zip);
	await mkdir(at("sub"));
	const query = "into=folder&folder=sub&name=lib";
	expect((await bring(archive, query)).json()).toMatchObject({ path: "sub/lib" });
	expect((await bring(archive, query)).json()).toMatchObject({ path: "sub/lib 2" });
	expect((await readdir(at("sub/lib 2"))).sort()).toEqual([".replit", "a"]);
	await writeFile(at("sub/again.zip"), await readFile(archive));
	const unpacked = await rig.project("POST", "/import/unpack", { path: "sub/again.zip" });
	expect(unpacked.json()).toMatchObject({ path: "sub/again" });
	expect((await readdir(rig.root)).sort()).toEqual(["before.txt", "sub"]);
});

test.each([
	["../", '"../outside"', "leads out"],
	["an absolute path", '"/etc/planted"', "leads out"],
	["dots inside", '"a/../../b"', "leads out"],
	["a name of 256 bytes", '"n" * 256', "255 bytes"],
	["a path of 5,000 bytes", '"d/" * 2500 + "f"', "4,000 bytes"],
])("a tar and a zip with %s are refused", async (_what, name, sentence) => {
	await expectRefused(
		pack("a.tar", `t = tarfile.open(path, "w"); add(t, "fine"); add(t, ${name}); t.close()`),
		sentence,
	);
	const program = `z = zipfile.ZipFile(path, "w"); z.writestr("fine", "x"); i = zipfile.ZipInfo("q"); i.filename = ${name}; z.writestr(i, "x"); z.close()`;
	await expectRefused(pack("a.zip", program), sentence);
});

test.each([
	[
		"a link that leads out and a file through it",
		'add(t, "l", b"", type=tarfile.SYMTYPE, linkname="/tmp"); add(t, "l/planted")',
		"twice",
	],
	[
		"a link to a link and a folder through it",
		'add(t, "l", b"", type=tarfile.SYMTYPE, linkname="m"); add(t, "m", b"", type=tarfile.SYMTYPE, linkname="/"); add(t, "l", b"", type=tarfile.DIRTYPE)',
		"twice",
	],
	["a hard link to what is not in it", 'add(t, "h", b"", type=tarfile.LNKTYPE, linkname="etc/passwd")', "not in it"],
	["a hard link that leads out", 'add(t, "h", b"", type=tarfile.LNKTYPE, linkname="../../etc/passwd")', "leads out"],
	[
		"a hard link through a link",
		'add(t, "l", b"", type=tarfile.SYMTYPE, linkname="/etc"); add(t, "h", b"", type=tarfile.LNKTYPE, linkname="l/passwd")',
		"not in it",
	],
	["a device", 'add(t, "null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)', "neither"],
	["a FIFO", 'add(t, "pipe", b"", type=tarfile.FIFOTYPE)', "neither"],
	["a folder and a file of one name", 'add(t, "a/b"); add(t, "a")', "twice"],
	["no files", "pass", "no files"],
])("a tar with %s is refused, and nothing of it stays", async (_what, program, sentence) => {
	await expectRefused(
		pack("a.tar", `t = tarfile.open(path, "w")\n${program.replaceAll("; ", "\n")}\nt.close()`),
		sentence,
	);
	expect(await readdir("/tmp")).not.toContain("planted");
});

test("later entries of one name win, and names that differ in case alone are two", async () => {
	const program = 't = tarfile.open(path, "w"); add(t, "a", b"1"); add(t, "a", b"2"); add(t, "A", b"3"); t.close()';
	expect((await bring(pack("a.tar", program))).status).toBe(200);
	expect([await readFile(at("a"), "utf8"), await readFile(at("A"), "utf8")]).toEqual(["2", "3"]);
});

test("names of 255 bytes, a thousand folders deep, no UTF-8 and DOS code page come in", async () => {
	const program = `
t = tarfile.open(path, "w", encoding="latin-1", format=tarfile.GNU_FORMAT)
add(t, "n" * 255); add(t, "d/" * 1000 + "f"); add(t, "caf\\xe9")
t.close()`;
	expect((await bring(pack("a.tar", program))).status).toBe(200);
	expect((await readdir(rig.root, { encoding: "latin1" })).sort()).toEqual(["caf\xe9", "d", "n".repeat(255)]);
	expect((await stat(at(`${"d/".repeat(1000)}f`))).size).toBe(1);
	const dos =
		'z = zipfile.ZipFile(path, "w"); z.writestr("cafXe", "x"); z.close(); b = open(path, "rb").read().replace(b"cafXe", b"caf\\x82e"); open(path, "wb").write(b)';
	expect((await bring(pack("dos.zip", dos))).status).toBe(200);
	expect(await readdir(rig.root)).toEqual(["cafée"]);
});

test("bombs are cut off early: by what a zip states, by what it holds, and by what a tar unpacks to", async () => {
	const zeros =
		'z = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)\nfor i in range(5): z.writestr(str(i), bytes(20 << 20))\nz.close()';
	const honest = pack("a.zip", zeros);
	await expectRefused(honest, "larger than the project's disk", "file_too_large");
	const lying = `${zeros}\nb = open(path, "rb").read().replace((20 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")); open(path, "wb").write(b)`;
	await expectRefused(pack("b.zip", lying), "damaged");
	const tar = 't = tarfile.open(path, "w:gz"); add(t, "zeros", bytes(100 << 20)); t.close()';
	await expectRefused(pack("c.tar.gz", tar), "larger than the project's disk", "file_too_large");
});

test("an archive that is cut off anywhere, damaged, or none is refused with a sentence", async () => {
	for (const kind of ["zip", "tar", "tar.gz"] as const) {
		const whole = await readFile(pack(`a.${kind}`, good[kind]));
		const ends = kind === "tar" ? [600, 1024, 1536] : [20, whole.length - 30];
		for (const end of ends) {
			const answer = await bring(whole.subarray(0, end));
			expect([kind, end, answer.status]).toEqual([kind, end, 422]);
		}
		if (kind === "tar") continue;
		const broken = Buffer.from(whole);
		broken.fill(0xaa, 60, 75);
		expect((await bring(broken)).status, `damaged ${kind}`).toBe(422);
	}
	await expectRefused(Buffer.from("hello"), "no archive");
	await expectRefused(Buffer.alloc(0), "no archive");
	await expectRefused(Buffer.from("BZh91AY"), "tar.zst");
	// An extended header of 8 GB must not be waited for.
	const huge =
		't = tarfile.open(path, "w"); i = tarfile.TarInfo("x"); i.type = b"x"; i.size = (8 << 30) - 1; open(path, "wb").write(i.tobuf(tarfile.USTAR_FORMAT))';
	await expectRefused(pack("huge.tar", huge), "damaged");
	expect(await readdir(rig.root)).toEqual(["before.txt"]);
});

test("an upload that breaks off leaves the project as it was", async () => {
	const whole = await readFile(pack("a.tar", 't = tarfile.open(path, "w"); add(t, "big", bytes(9 << 20)); t.close()'));
	const token = await rig.enter();
	const broken = new Readable({ read() {} });
	broken.push(whole.subarray(0, 1 << 20));
	const asked = rig.ask("POST", `/projects/${rig.projectId}/import?into=project`, { token, body: broken });
	const failed = expect(asked).rejects.toThrow();
	expect((await rig.ask("GET", "/healthz")).status).toBe(200);
	broken.destroy();
	await failed;
	await expect.poll(() => readdir(rig.root), { timeout: 20_000 }).toEqual(["before.txt"]);
});

test("who may only look imports nothing, and a git address must be https without a password", async () => {
	const token = await rig.enter({ rights: "view" });
	const viewed = await rig.ask("POST", `/projects/${rig.projectId}/import?into=project`, { token, body: "x" });
	expect(viewed.status).toBe(403);
	for (const url of ["http://h/x", "file:///etc", "ext::sh -c id", "--upload-pack=x", "https://a:b@h/x", "ssh://h/x"]) {
		const answer = await rig.project("POST", "/import/git", { url, target: { into: "project" } });
		expect([url, answer.status]).toEqual([url, 400]);
	}
	expect(await readdir(rig.root)).toEqual(["before.txt"]);
});
