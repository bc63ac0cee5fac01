import { execFileSync } from "node:child_process";
import { chmod, link, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExportReady } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type GatewayRig, startGatewayRig } from "../gateway/rig.ts";

let rig: GatewayRig;
let out: string;
const at = (path: string) => join(rig.root, path);

beforeEach(async () => {
	rig = await startGatewayRig();
	rig.placement.limits.diskBytes = 1024 ** 3;
	out = await mkdtemp(join(tmpdir(), "repldock-export-"));
});
afterEach(async () => {
	await rig.release();
	await rm(out, { recursive: true, force: true });
});

/** Fetches an archive and unpacks it by a program that is not ours. @returns the folder that it is in. */
async function unpacked(format: "zip" | "tar.zst", rest: { dependencies?: boolean } = {}): Promise<string> {
	const ready = await rig.project("POST", "/export", { format, ...rest });
	expect(ready.status, ready.body.toString()).toBe(200);
	const answer = await rig.ask("GET", (ready.json() as ExportReady).path);
	expect(answer.headers["content-disposition"]).toContain(`my-app.${format}`);
	const archive = join(out, `archive.${format}`);
	await writeFile(archive, answer.body);
	const folder = join(out, "unpacked");
	await mkdir(folder);
	if (format === "zip") await runCommand("python3", ["-c", unzip, archive, folder]);
	else await runCommand("tar", ["--zstd", "-xpf", archive, "-C", folder]);
	return folder;
}

/** Python's own, with modes and links, which its `extractall` leaves out. */
const unzip = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for item in archive.infolist():
        path = os.path.join(sys.argv[2], item.filename)
        mode = item.external_attr >> 16
        if mode & 0o170000 == 0o120000:
            os.symlink(archive.read(item), path)
        else:
            archive.extract(item, sys.argv[2])
            os.chmod(path, mode & 0o7777)
`;

const listing = (folder: string) =>
	execFileSync("find", [folder, "-mindepth", "1", "-printf", "%P %y %m %l\\n"], { encoding: "utf8" })
		.split("\n")
		.filter((line) => line !== "")
		.sort();

test.each(["zip", "tar.zst"] as const)(
	"a %s holds every file, folder and link under its own name, and no right that a stranger could use",
	async (format) => {
		await mkdir(at("empty folder"));
		await mkdir(at("src/日本語"), { recursive: true });
		await writeFile(at("src/日本語/🦀.txt"), "crab");
		await writeFile(at(`${"n".repeat(250)}.txt`), "long");
		await writeFile(at("run.sh"), "#!/bin/sh\n");
		await chmod(at("run.sh"), 0o4755);
		await symlink("/etc/passwd", at("away"));
		await symlink("src", at("link to src"));
		await writeFile(at("large.bin"), Buffer.alloc(3_000_000, "abc"));
		await runCommand("mkfifo", [at("pipe")]);
		const folder = await unpacked(format);
		const expected = listing(rig.root)
			.filter((line) => !line.startsWith("pipe "))
			.map((line) => line.replace("run.sh f 4755", "run.sh f 755"));
		expect(listing(folder)).toEqual(expected);
		expect(await readFile(join(folder, "src/日本語/🦀.txt"), "utf8")).toBe("crab");
		expect((await readFile(join(folder, "large.bin"))).equals(await readFile(at("large.bin")))).toBe(true);
	},
);

test("without dependencies, what package managers bring back stays out, wherever it is", async () => {
	await mkdir(at("web/node_modules/left-pad"), { recursive: true });
	await writeFile(at("web/node_modules/left-pad/index.js"), "x");
	await mkdir(at(".pythonlibs"));
	await writeFile(at(".pythonlibs/a"), "x");
	await writeFile(at("web/index.js"), "x");
	expect(listing(await unpacked("zip", { dependencies: false })).map((line) => line.split(" ")[0])).toEqual([
		"web",
		"web/index.js",
	]);
});

test("a file with a terabyte of holes is a few bytes in a tar, and refused as a zip with a sentence that says so", async () => {
	await writeFile(at("sparse"), "begin");
	await truncate(at("sparse"), 1024 ** 4);
	const refused = await rig.project("POST", "/export", { format: "zip" });
	expect(refused.json()).toMatchObject({
		code: "file_too_large",
		detail: expect.stringContaining("tar.zst") as string,
	});
	const folder = await unpacked("tar.zst");
	expect(execFileSync("stat", ["-c", "%s", join(folder, "sparse")], { encoding: "utf8" }).trim()).toBe(
		String(1024 ** 4),
	);
	expect(execFileSync("head", ["-c", "5", join(folder, "sparse")], { encoding: "utf8" })).toBe("begin");
	expect((await readFile(join(out, "archive.tar.zst"))).length).toBeLessThan(10_000);
});

test("a thousand names of one file are one file in a tar, and too many copies for a zip are refused", async () => {
	rig.placement.limits.diskBytes = 1024 * 1024;
	await writeFile(at("one"), Buffer.alloc(500_000, "x"));
	for (let copy = 0; copy < 100; copy += 1) await link(at("one"), at(`name${copy}`));
	expect((await rig.project("POST", "/export", { format: "zip" })).json()).toMatchObject({ code: "file_too_large" });
	const folder = await unpacked("tar.zst");
	expect(execFileSync("stat", ["-c", "%h", join(folder, "name7")], { encoding: "utf8" }).trim()).toBe("101");
});

test("an archive is given once, to nobody without its address, and not to those who may not see the project", async () => {
	await writeFile(at("a"), "x");
	const viewer = await rig.enter({ rights: "view" });
	const ready = await rig.ask("POST", `/projects/${rig.projectId}/export`, {
		token: viewer,
		body: JSON.stringify({ format: "zip" }),
	});
	const { path, files } = ready.json() as ExportReady;
	expect(files).toBe(1);
	expect((await rig.ask("GET", `${path}x`)).status).toBe(404);
	expect((await rig.ask("GET", path)).status).toBe(200);
	expect((await rig.ask("GET", path)).status).toBe(404);
	const stranger = await rig.ask("POST", `/projects/${rig.projectId}/export`, { body: '{"format":"zip"}' });
	expect(stranger.status).toBe(401);
});

test("exports that nobody fetches do not pile up", async () => {
	const statuses: number[] = [];
	for (let round = 0; round < 4; round += 1) {
		statuses.push((await rig.project("POST", "/export", { format: "zip" })).status);
	}
	expect(statuses).toEqual([200, 200, 200, 429]);
});
