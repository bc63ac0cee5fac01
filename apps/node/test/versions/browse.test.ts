import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ObjectStoreError } from "@repldock/objects";
import type { Checkpoint, DirectoryListing, ExportReady, Version } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { expect, test, vi } from "vitest";
import { owner, stranger } from "./rig.ts";
import { openWorld } from "./world.ts";

const world = openWorld();

/** Versions of a file that says which one it is, the first one first. */
async function makeVersions(count: number): Promise<string[]> {
	const ids: string[] = [];
	for (let number = 1; number <= count; number += 1) {
		await writeFile(world.at("main.py"), `print(${number})\n`);
		ids.push(await world.rig.keep());
	}
	return ids;
}

async function read(id: string, path: string, headers?: Record<string, string>) {
	return world.rig.project("GET", `/versions/${id}/content?path=${encodeURIComponent(path)}`, undefined, headers);
}

const text = async (id: string, path: string) => (await read(id, path)).body.toString();

/** Counts what is asked of the object store. */
function countGets(): { gets: number } {
	const counted = { gets: 0 };
	world.cluster.breakStore({
		get(key, options) {
			counted.gets += 1;
			return world.cluster.store.get(key, options);
		},
	});
	return counted;
}

test("any version is listed and read as it was, with ranges, whatever happened to the files since", async () => {
	await mkdir(world.at("deep/er"), { recursive: true });
	await writeFile(world.at("deep/er/ü n\n.txt"), "first");
	const [first = "", second = "", third = ""] = await makeVersions(3);
	await writeFile(world.at("deep/er/ü n\n.txt"), "changed");
	await rm(world.at("main.py"));
	await world.rig.keep();
	const listing = (await world.rig.project("GET", `/versions/${first}/files?path=`)).json() as DirectoryListing;
	expect(listing.entries.map(({ name, kind }) => [name, kind])).toEqual([
		["deep", "directory"],
		["main.py", "file"],
	]);
	expect([await text(first, "main.py"), await text(second, "main.py"), await text(third, "main.py")]).toEqual([
		"print(1)\n",
		"print(2)\n",
		"print(3)\n",
	]);
	expect(await text(third, "deep/er/ü n\n.txt")).toBe("first");
	const part = await read(second, "main.py", { range: "bytes=6-6" });
	expect([part.status, part.body.toString(), part.headers["content-range"]]).toEqual([206, "2", "bytes 6-6/9"]);
	expect((await read(second, "main.py", { range: "bytes=99-" })).status).toBe(416);
	expect((await read(second, "missing.py")).json()).toMatchObject({ code: "file_not_found" });
});

test("a version is saved under its name, each its own, and can be read before the site knows of it", async () => {
	await writeFile(world.at("main.py"), "named\n");
	const saved = await Promise.all(
		["One", "Two"].map(async (name) => (await world.rig.project("POST", "/versions", { name })).json() as Version),
	);
	expect(saved.map(({ name, kind, current }) => [name, kind, current])).toEqual([
		["One", "named", true],
		["Two", "named", true],
	]);
	// Whichever came first.
	const stored = world.cluster.chainOf(world.rig.projectId).slice(-2);
	const named = stored.map(({ generation, sequence, name }) => [`${generation}.${sequence}`, name]);
	expect(Object.fromEntries(named)).toEqual(Object.fromEntries(saved.map(({ id, name }) => [id, name])));
	for (const name of ["", "  ", "x".repeat(101)]) {
		expect((await world.rig.project("POST", "/versions", { name })).json()).toMatchObject({ code: "invalid_input" });
	}
	// The site has recorded nothing of what follows.
	vi.spyOn(world.node.checkpoints.reports, "unreported").mockReturnValue([...world.cluster.recorded.values()]);
	const kept = new Map(world.cluster.recorded);
	world.cluster.recorded.clear();
	try {
		await writeFile(world.at("main.py"), "later\n");
		await world.node.checkpoints.round();
		expect(await text(saved[0]?.id ?? "", "main.py")).toBe("named\n");
	} finally {
		for (const [key, checkpoint] of kept) world.cluster.recorded.set(key, checkpoint);
		vi.restoreAllMocks();
	}
});

test("what the volume's own snapshot holds is not fetched; else those who ask at once share one fetch of each part", async () => {
	const [own = ""] = await makeVersions(1);
	const counted = countGets();
	expect(await text(own, "main.py")).toBe("print(1)\n");
	expect(counted.gets).toBe(0);
	// A copy of the node's own cannot be built on: it is another subvolume than the one that was sent.
	const ids = await makeVersions(4);
	await world.node.snapshots.remove([{ projectId: world.rig.projectId, name: own }]);
	await world.node.restart();
	expect(await text(ids[3] ?? "", "main.py")).toBe("print(4)\n");
	expect(counted.gets).toBe(0);
	const all = await Promise.all(Array.from({ length: 8 }, () => text(ids[1] ?? "", "main.py")));
	expect(new Set(all)).toEqual(new Set(["print(2)\n"]));
	expect(counted.gets).toBe(3);
	// The next one builds on what is here.
	expect(await text(ids[2] ?? "", "main.py")).toBe("print(3)\n");
	expect(counted.gets).toBe(4);
	expect(await world.rig.onShelf()).toHaveLength(4);
});

test("what the node keeps by itself of a chain is not fetched, and fetched after all when it goes in this moment", async () => {
	const removal = vi.spyOn(world.node.snapshots, "remove").mockResolvedValue(undefined);
	const ids = await makeVersions(4);
	removal.mockRestore();
	const drop = (...names: string[]) =>
		world.node.snapshots.remove(names.map((name) => ({ projectId: world.rig.projectId, name })));
	await drop(ids[1] ?? "", ids[2] ?? "");
	const counted = countGets();
	expect(await text(ids[1] ?? "", "main.py")).toBe("print(2)\n");
	expect(counted.gets).toBe(1);
	await world.rig.restartVersions();
	world.cluster.breakStore({
		async get(key, options) {
			await drop(ids[0] ?? "");
			return world.cluster.store.get(key, options);
		},
	});
	expect(await text(ids[2] ?? "", "main.py")).toBe("print(3)\n");
	expect(await world.rig.onShelf()).toEqual([`${ids[2]}.whole`]);
});

test("of the versions at hand the longest unused goes first, one that is being read stays, and none is left after a crash", async () => {
	world.rig = await world.start({ limits: { perPerson: 2 } });
	const [one = "", two = "", three = "", four = ""] = await makeVersions(5);
	await world.rig.versions.open(world.rig.projectId, one, owner);
	await text(two, "main.py");
	await text(three, "main.py");
	expect(await world.rig.onShelf()).toEqual([`${one}.whole`, `${three}.whole`].sort());
	const second = await world.rig.versions.open(world.rig.projectId, three, owner);
	await expect(world.rig.versions.open(world.rig.projectId, four, owner)).rejects.toMatchObject({
		code: "too_many_requests",
	});
	second.release();
	second.release();
	expect(await text(four, "main.py")).toBe("print(4)\n");
	expect(await world.rig.onShelf()).toEqual([`${one}.whole`, `${four}.whole`].sort());
	// An agent died in the middle of a fetch.
	await runCommand("btrfs", ["subvolume", "create", join(world.mountPoint, ".versions", world.rig.projectId, "1.77")]);
	await world.rig.restartVersions();
	expect(await world.rig.onShelf()).toEqual([]);
	expect(await text(one, "main.py")).toBe("print(1)\n");
});

test("one that nobody reads is removed after a while, and all of a project with the project", async () => {
	world.rig = await world.start({ limits: { idleMs: 50 } });
	const [one = "", two = ""] = await makeVersions(3);
	const held = await world.rig.versions.open(world.rig.projectId, one, owner);
	await text(two, "main.py");
	await expect.poll(world.rig.onShelf).toEqual([`${one}.whole`]);
	held.release();
	await expect.poll(world.rig.onShelf).toEqual([]);
	const file = await (await world.rig.versions.open(world.rig.projectId, one, owner)).files.openFile("main.py");
	await world.rig.versions.forget(world.rig.projectId);
	expect(await world.rig.onShelf()).toEqual([]);
	// What is open is read to its end.
	const parts = await file.createReadStream().toArray();
	expect(Buffer.concat(parts as Buffer[]).toString()).toBe("print(1)\n");
});

test("strangers who look at a public project fill neither its places nor the disk, and never keep its owner out", async () => {
	world.rig = await world.start({ limits: { viewersPerProject: 2, perProject: 4, perPerson: 4 } });
	const ids = await makeVersions(6);
	const open = (id = "", reader = owner) => world.rig.versions.open(world.rig.projectId, id, reader);
	await Promise.all([open(ids[0], stranger("a")), open(ids[1], stranger("b"))]);
	await expect(open(ids[2], stranger("c"))).rejects.toMatchObject({ code: "too_many_requests" });
	// What is here already costs nothing more.
	await open(ids[0], stranger("d"));
	await Promise.all([open(ids[2]), open(ids[3])]);
	await expect(open(ids[4])).rejects.toMatchObject({ code: "too_many_requests" });
	// A hundred of them at once ask for the same.
	expect(await world.rig.onShelf()).toHaveLength(4);
});

test("versions take no more than their share of the disk; where there is no room at all they are refused", async () => {
	// 340 MB: two versions of 90 MB and what a third one may take, which is its quota of 200 MB, do not fit together.
	world.rig = await world.start({ limits: { shareOfDisk: 0.32, idleMs: 600_000, shareLeftFree: 0 } });
	const ids: string[] = [];
	for (let number = 0; number < 4; number += 1) {
		await writeFile(world.at("noise"), randomBytes(90 * 1024 * 1024));
		ids.push(await world.rig.keep());
	}
	for (const id of ids.slice(0, 3)) expect((await read(id, "main.py")).status).toBe(200);
	expect(await world.rig.onShelf()).toEqual([`${ids[1]}.whole`, `${ids[2]}.whole`].sort());
	world.rig = await world.start({ limits: { shareLeftFree: 1 } });
	// The first one and the last are the node's own anyway.
	const [, second = ""] = await makeVersions(3);
	expect((await read(second, "main.py")).json()).toMatchObject({ status: 507, code: "disk_full" });
	expect(await world.rig.onShelf()).not.toContain(`${second}.whole`);
});

test("when the store fails, is damaged or has lost a part, a sentence says so, nothing half is left, and the next try works", async () => {
	await writeFile(world.at("noise"), randomBytes(3_000_000));
	const [, second = ""] = await makeVersions(3);
	const failing = (error: Error) => world.cluster.breakStore({ get: () => Promise.reject(error) });
	failing(new ObjectStoreError("unavailable", "The object store does not answer."));
	expect((await read(second, "main.py")).json()).toMatchObject({
		code: "node_unreachable",
		detail: expect.stringContaining("object store"),
	});
	failing(new ObjectStoreError("not_found", "The object store has no such object."));
	expect((await read(second, "main.py")).json()).toMatchObject({ code: "not_found" });
	world.cluster.breakStore({
		async get(key, options) {
			const bytes = Buffer.concat(await (await world.cluster.store.get(key, options)).toArray());
			// Near the end, so that most of it is received.
			bytes[bytes.length - 9] = (bytes.at(-9) ?? 0) ^ 1;
			const { Readable } = await import("node:stream");
			return Readable.from([bytes]);
		},
	});
	expect((await read(second, "main.py")).json()).toMatchObject({ code: "node_unreachable" });
	expect(await world.rig.onShelf()).toEqual([]);
	world.cluster.breakStore();
	expect(await text(second, "main.py")).toBe("print(2)\n");
});

test("a version that is thinned out while it is open can be read on, and is not found once it is gone", async () => {
	const [, second = ""] = await makeVersions(3);
	const held = await world.rig.versions.open(world.rig.projectId, second, owner);
	const mine = [...world.cluster.recorded].filter(([key]) => key.startsWith(world.rig.projectId));
	for (const [key] of mine) world.cluster.recorded.delete(key);
	expect(await text(second, "main.py")).toBe("print(2)\n");
	held.release();
	await world.rig.restartVersions();
	expect((await read(second, "main.py")).json()).toMatchObject({ status: 404, code: "not_found" });
});

test("names that are no version's, versions of other projects, and paths that lead out are refused", async () => {
	const [mine = ""] = await makeVersions(2);
	const other = await world.start();
	const theirs = await other.keep();
	await other.keep();
	const wrong = ["0.1", "1.1", "x", "1.9999999999999999", "1.1%2f..%2f1.2", theirs, "99.99"];
	for (const id of wrong) {
		for (const [method, path] of [
			["GET", "files?path="],
			["GET", "content?path=main.py"],
			["GET", "changes"],
			["POST", "restore"],
		] as const) {
			const answer = await world.rig.project(method, `/versions/${id}/${path}`);
			expect([id, path, answer.status]).toEqual([id, path, 404]);
		}
	}
	for (const path of ["../main.py", "/etc/passwd", "a//b", "./main.py", "a\0b"]) {
		expect((await read(mine, path)).status).toBe(400);
		expect((await world.rig.project("POST", `/versions/${mine}/restore`, { path })).status).toBe(400);
	}
	expect((await read(mine, "")).json()).toMatchObject({ code: "invalid_path" });
});

test("a hostile tree is as harmless in a version as in the project: links out, FIFOs, sockets, huge folders", async () => {
	await symlink("/etc/passwd", world.at("absolute"));
	await symlink("../../../../../../../../etc/passwd", world.at("relative"));
	await symlink("loop", world.at("loop"));
	await symlink("/proc/self/root", world.at("root"));
	await symlink("main.py", world.at("inside"));
	await runCommand("mkfifo", [world.at("fifo")]);
	await mkdir(world.at("many"));
	const names = Array.from({ length: 5_100 }, (_, number) => `f${number}`);
	await Promise.all(names.map((name) => writeFile(world.at(`many/${name}`), "")));
	await link(world.at("main.py"), world.at("hard"));
	const id = await world.rig.keep();
	await writeFile(world.at("main.py"), "next");
	await world.rig.keep();
	for (const path of ["absolute", "relative", "loop", "root/etc/passwd", "fifo", "many"]) {
		expect([path, (await read(id, path)).json()]).toMatchObject([path, { code: "invalid_path" }]);
	}
	expect(await text(id, "inside")).toBe("print(1)\n");
	const many = (await world.rig.project("GET", `/versions/${id}/files?path=many`)).json() as DirectoryListing;
	expect([many.entries.length, many.truncated]).toEqual([5_000, true]);
	// No container sees it: it is beside the volumes, for root alone, and cannot be written.
	const place = join(world.mountPoint, ".versions", world.rig.projectId);
	expect((await runCommand("stat", ["-c", "%a %u", place])).trim()).toBe("700 0");
	await expect(writeFile(join(place, `${id}.whole/new`), "x")).rejects.toMatchObject({ code: "EROFS" });
	expect(await readdir(world.rig.root)).not.toContain(".versions");
});

test("who may view may browse, compare and export; saving and restoring need the right to edit", async () => {
	const [first = ""] = await makeVersions(2);
	const token = await world.rig.enter({ rights: "view", sub: "viewer" });
	const ask = (method: string, path: string, body?: object) =>
		world.rig.ask(method, `/projects/${world.rig.projectId}${path}`, {
			token,
			...(body ? { body: JSON.stringify(body) } : {}),
		});
	expect((await ask("GET", `/versions/${first}/files?path=`)).status).toBe(200);
	expect((await ask("GET", `/versions/${first}/content?path=main.py`)).body.toString()).toBe("print(1)\n");
	expect((await ask("GET", `/versions/${first}/changes`)).status).toBe(200);
	for (const [path, body] of [
		["/versions", { name: "mine" }],
		[`/versions/${first}/restore`, {}],
		[`/versions/${first}/restore`, { path: "main.py" }],
	] as const) {
		expect((await ask("POST", path, body)).json()).toMatchObject({ code: "not_allowed" });
	}
	const noToken = await world.rig.ask("GET", `/projects/${world.rig.projectId}/versions/${first}/files?path=`);
	expect(noToken.status).toBe(401);
});

test("a version is exported under its time, while the project goes on", async () => {
	const [first = ""] = await makeVersions(2);
	const answer = await world.rig.project("POST", "/export", { format: "tar.zst", version: first });
	const ready = answer.json() as ExportReady;
	expect(ready).toMatchObject({
		files: 1,
		name: expect.stringMatching(/^my-app-\d{4}-\d\d-\d\d-\d\d-\d\d\.tar\.zst$/),
	});
	const archive = join(world.cluster.directory, "version.tar.zst");
	await writeFile(archive, (await world.rig.ask("GET", ready.path)).body);
	expect(await runCommand("tar", ["--zstd", "-xOf", archive, "main.py"])).toBe("print(1)\n");
	const wrong = await world.rig.project("POST", "/export", { format: "zip", version: "1.1" });
	expect(wrong.json()).toMatchObject({ code: "not_found" });
});

test("a reference, which has no bytes of its own, is read as what it stands for", async () => {
	const [first = ""] = await makeVersions(2);
	const { projectId } = world.rig.placement;
	const referred = world.cluster.recorded.get(`${projectId}.${first}`) as Checkpoint;
	const { generation, sequence } = referred;
	const reference = { ...referred, sequence: sequence + 1, parent: { projectId, generation, sequence }, bytes: 0 };
	world.cluster.recorded.set(`${projectId}.${generation}.${sequence + 1}`, reference);
	expect(await text(`${generation}.${sequence + 1}`, "main.py")).toBe("print(1)\n");
	expect(await text(first, "main.py")).toBe("print(1)\n");
	world.cluster.recorded.delete(`${projectId}.${generation}.${sequence + 1}`);
});
