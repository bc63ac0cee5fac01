import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type DesiredPlacement, documentTextName, openNetwork, type WorkspaceEvent } from "@repldock/protocol";
import { type CleanupStack, runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as Y from "yjs";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import { openStaging } from "../../src/host/files/staging.ts";
import { settleStagings } from "../../src/host/files/staging-moves.ts";
import { walkTree } from "../../src/host/files/walk.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../src/host/volume-mount.ts";
import { createVolumes } from "../../src/host/volumes.ts";
import type { Engine, Homes } from "../../src/host.ts";
import type { NetworkOfContainers } from "../../src/placements/containers.ts";
import { createPlacements } from "../../src/placements/placements.ts";
import { createExports } from "../../src/transfer/exports.ts";
import { readFrame, updateFrame } from "../../src/workspace/documents/frames.ts";
import { createDocumentStore } from "../../src/workspace/documents/store.ts";
import { findLeftovers, log, makeScratch } from "../host/machine.ts";

const owner = { uid: 300_000, gid: 300_001 };
const reader = { id: "u1", mayEdit: true };
const megabyte = 1024 * 1024;
let directory: string;
let mountPoint: string;
let templates: string;
let store: VolumeStore;
let volumes: ReturnType<typeof createVolumes>;
let cleanup: CleanupStack;

beforeAll(async () => {
	({ directory, cleanup } = await makeScratch());
	mountPoint = join(directory, "volumes");
	store = { kind: "image", file: join(directory, "volumes.img"), bytes: 600 * megabyte };
	await mountVolumes(store, mountPoint);
	cleanup.push("volumes", () => unmountVolumes(store, mountPoint));
	volumes = createVolumes({ mountPoint, owner });
	templates = join(directory, "templates");
	await mkdir(join(templates, "bash"), { recursive: true });
	await writeFile(join(templates, "bash/main.sh"), "echo hi\n");
});

afterAll(async () => {
	await cleanup.run();
	expect(await findLeftovers(directory)).toEqual([]);
});

const hidden = async () => (await readdir(mountPoint)).filter((name) => name.startsWith("."));

function exportsOf() {
	return createExports({
		async freeze(projectId) {
			const { path, release } = await volumes.snapshot(projectId);
			return { walk: (skips) => walkTree(path, skips), release };
		},
		describe: () => ({ name: "my-app", diskBytes: 50 * megabyte }),
		log,
	});
}

test("an export is the files of one moment, whatever programs write meanwhile, and leaves no snapshot", async () => {
	const id = randomUUID();
	await volumes.create(id, join(templates, "bash"), 50 * megabyte);
	const exports = exportsOf();
	const { path } = await exports.prepare(id, { format: "tar.zst", dependencies: true }, reader);
	await writeFile(join(volumes.path(id), "main.sh"), "changed afterwards\n");
	await writeFile(join(volumes.path(id), "later.sh"), "made afterwards\n");
	expect(await hidden()).toHaveLength(1);
	const { content } = exports.fetch(path.split("/").at(-1) ?? "");
	const archive = join(directory, "archive.tar.zst");
	await writeFile(archive, await buffer(content));
	expect((await runCommand("tar", ["--zstd", "-tf", archive])).trim()).toBe("main.sh");
	expect(await runCommand("tar", ["--zstd", "-xOf", archive, "main.sh"])).toBe("echo hi\n");
	await exports.close();
	expect(await hidden()).toEqual([]);
});

test("an export that is broken off, one that nobody fetches, and one that a crash left behind let go of their snapshots", async () => {
	const id = randomUUID();
	await volumes.create(id, join(templates, "bash"), 50 * megabyte);
	await writeFile(join(volumes.path(id), "large"), Buffer.alloc(5 * megabyte, "abc"));
	const exports = exportsOf();
	const { path } = await exports.prepare(id, { format: "zip", dependencies: true }, reader);
	await exports.prepare(id, { format: "zip", dependencies: true }, reader);
	const { content } = exports.fetch(path.split("/").at(-1) ?? "");
	await once(content, "readable");
	content.destroy();
	await once(content, "close");
	await exports.close();
	expect(await hidden()).toEqual([]);
	await volumes.snapshot(id);
	await createVolumes({ mountPoint, owner }).reclaim();
	expect(await hidden()).toEqual([]);
	expect(await volumes.exists(id)).toBe(true);
});

test("an import is taken back after a crash in its middle, and carried on after one at its end", async () => {
	const id = randomUUID();
	await volumes.create(id, join(templates, "bash"), 50 * megabyte);
	const root = volumes.path(id);
	const content = (text: string) =>
		(async function* () {
			yield Buffer.from(text);
		})();
	const file = { mode: 0o644, modifiedAtMs: 0, size: 3, stretches: [{ start: 0, end: 3 }] };
	// Still being filled.
	const half = await openStaging(root, owner);
	await half.addFile([Buffer.from("new.sh")], file, content("new"));
	await settleStagings(root);
	expect(await readdir(root)).toEqual(["main.sh"]);
	// The project's files were on their way out.
	const leaving = await openStaging(root, owner);
	await leaving.addFile([Buffer.from("new.sh")], file, content("new"));
	await mkdir(join(root, leaving.path, "old"));
	await runCommand("mv", [join(root, "main.sh"), join(root, leaving.path, "old")]);
	await settleStagings(root);
	expect(await readdir(root)).toEqual(["main.sh"]);
	// The imported ones were on their way in.
	const coming = await openStaging(root, owner);
	await coming.addFile([Buffer.from("new.sh")], file, content("new"));
	await mkdir(join(root, coming.path, "old"));
	await runCommand("mv", [join(root, "main.sh"), join(root, coming.path, "old")]);
	await runCommand("mv", [join(root, coming.path, "new"), join(root, coming.path, "ready")]);
	await settleStagings(root);
	expect(await readdir(root)).toEqual(["new.sh"]);
	// Lets go of what a dead agent would not hold.
	for (const staging of [half, leaving, coming]) await staging.discard();
	expect(await readdir(root)).toEqual(["new.sh"]);
});

test("an import that the quota has no room for leaves the project as it was", async () => {
	const id = randomUUID();
	await volumes.create(id, join(templates, "bash"), 10 * megabyte);
	const staging = await openStaging(volumes.path(id), owner);
	const size = 30 * megabyte;
	async function* noise() {
		for (let count = 0; count < 30; count += 1) yield randomMegabyte();
	}
	const file = { mode: 0o644, modifiedAtMs: 0, size, stretches: [{ start: 0, end: size }] };
	await expect(staging.addFile([Buffer.from("noise")], file, noise())).rejects.toMatchObject({
		code: "quota_exceeded",
	});
	await staging.discard();
	expect(await readdir(volumes.path(id))).toEqual(["main.sh"]);
	expect(await readFile(join(volumes.path(id), "main.sh"), "utf8")).toBe("echo hi\n");
});

test("rescue mode: files of a project whose container does not start are read, changed and exported", async () => {
	const refuse = async (): Promise<never> => {
		throw new Error("No such image");
	};
	const engine = { createContainer: refuse, listContainers: async () => [] } as unknown as Engine;
	const placements = createPlacements({
		engine,
		volumes,
		homes: { make: async () => ({ name: "", path: "" }), remove: async () => {} } as unknown as Homes,
		image: "missing",
		templatesDirectory: templates,
		slots: 10,
		network: noNetwork,
		stateFile: join(directory, "desired.json"),
		onChange: () => undefined,
		log,
	});
	const id = randomUUID();
	await placements.apply([placementOf(id)]);
	expect(placements.life(id)).toMatchObject({ state: "failed", problem: { code: "container_failed" } });
	await placements.ensureVolume(id);
	const files = openProjectFiles(volumes.path(id), owner);
	expect((await files.list("", 10)).entries.map(({ name }) => name)).toEqual(["main.sh"]);
	await files.writeFile("main.sh", "mended\n");
	const exports = exportsOf();
	const { path, files: count } = await exports.prepare(id, { format: "zip", dependencies: true }, reader);
	expect(count).toBe(1);
	const archive = join(directory, "rescued.zip");
	await writeFile(archive, await buffer(exports.fetch(path.split("/").at(-1) ?? "").content));
	expect(await runCommand("unzip", ["-p", archive, "main.sh"])).toBe("mended\n");
	await exports.close();
	placements.close();
});

test("edits into a full project are kept, told as not saved with what to do, and saved when there is room again", async () => {
	const id = randomUUID();
	await volumes.create(id, join(templates, "bash"), 8 * megabyte);
	const files = openProjectFiles(volumes.path(id), owner);
	const documents = createDocumentStore({
		files,
		directory: join(directory, "documents", id),
		log,
		onDirectories: () => undefined,
		onSettled: () => undefined,
		onEntryChanged: () => undefined,
	});
	const events: WorkspaceEvent[] = [];
	const mine = new Y.Doc();
	const client = {
		name: "Ada",
		canEdit: true,
		send: (event: WorkspaceEvent) => events.push(event),
		sendFrame: (frame: Uint8Array) => void readFrame(frame),
	};
	await documents.open(client, "main.sh");
	const opened = events.find((event) => event.type === "documentOpened");
	if (opened?.type !== "documentOpened") throw new Error("The document was not opened.");
	for (let count = 0; ; count += 1) {
		const full = await files.writeFile(`fill${count}`, randomMegabyte()).then(
			() => false,
			() => true,
		);
		if (full) break;
	}
	for (let count = 0; count < 200; count += 1)
		await files.writeFile(`small${count}`, Buffer.alloc(8_000, 1)).catch(() => undefined);
	mine.getText(documentTextName).insert(0, noiseText());
	documents.receive(client, updateFrame(opened.document, Y.encodeStateAsUpdate(mine)));
	const notSaved = () => events.find((event) => event.type === "documentNotSaved");
	await expect.poll(notSaved, { timeout: 30_000 }).toMatchObject({ problem: { code: "quota_exceeded" } });
	expect((await readFile(join(volumes.path(id), "main.sh"), "utf8")).length).toBeLessThan(10);
	for (const { name } of (await files.list("", 1_000)).entries)
		if (/^(?:fill|small)/.test(name)) await files.remove(name);
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	documents.retry();
	await expect
		.poll(() => readFile(join(volumes.path(id), "main.sh"), "utf8"), { timeout: 30_000 })
		.toContain(mine.getText(documentTextName).toString().slice(0, 1_000));
	await documents.dispose();
});

const noNetwork: NetworkOfContainers = {
	attach: async () => {},
	adopt: async () => [],
	policyChanged: async () => {},
	ending: async () => {},
	detach: async () => {},
};

function placementOf(projectId: string): DesiredPlacement {
	return {
		projectId,
		generation: 1,
		want: "running",
		wantVersion: 1,
		slug: "my-app",
		domains: [],
		owner: { id: "u1", name: "Ada" },
		template: "bash",
		visibility: "private",
		rightsVersion: 1,
		limits: { memoryBytes: 1, cpus: 1, pids: 1, diskBytes: 50 * megabyte },
		network: openNetwork,
		stored: false,
		alwaysOn: false,
	};
}

function randomMegabyte(): Buffer {
	const chunk = Buffer.alloc(megabyte);
	for (let at = 0; at < megabyte; at += 65_536) crypto.getRandomValues(chunk.subarray(at, at + 65_536));
	return chunk;
}

/** A text that no compression makes small. */
function noiseText(): string {
	return Buffer.concat([randomMegabyte(), randomMegabyte()]).toString("base64");
}
