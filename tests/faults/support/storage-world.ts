import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ObjectStore, openFolderStore, openS3Store, type S3Options } from "@repldock/objects";
import type { Checkpoint } from "@repldock/protocol";
import { type CleanupStack, createCleanupStack, createLog, runCommand } from "@repldock/service";
import { findLeftovers } from "../../../apps/node/test/host/machine.ts";
import { createWorld, type Instance, type World } from "../../../apps/site/test/support/site.ts";
import { type ObjectServer, startObjectServer } from "../../support/object-server.ts";
import { createNodeDisk, mountDisk, mountScratch, type NodeDisk } from "./node-disk.ts";

const megabyte = 1024 * 1024;

/**
 * Volumes of this many bytes, which may grow to as many, in a file on a disk of this many; all that the agent keeps and the
 * objects are on the same one, as they are by default.
 */
export interface SmallMachine {
	readonly diskBytes: number;
	readonly volumesBytes: number;
	readonly mostVolumesBytes: number;
}

/** A site on a real PostgreSQL, an object store that fails on command, and disks for agents. */
export interface StorageWorld {
	readonly server: ObjectServer;
	/** The store as one without a fault in between sees it, once `server.recover()` was called. */
	readonly store: ObjectStore;
	/** Whether large objects are stored in parts. */
	readonly storesInParts: boolean;
	/** Names of what was begun to be stored and is not whole. */
	unfinished(): Promise<string[]>;
	readonly site: World;
	instance(): Instance;
	/** Ends the site and starts it anew at the same address. */
	restartSite(): Promise<void>;
	disk(name: string): Promise<NodeDisk>;
	/** A volume store of the test's own, to restore into. */
	readonly scratch: Awaited<ReturnType<typeof mountScratch>>;
	/** Makes a project and places it on a node. */
	makeProject(nodeId: string): Promise<string>;
	/** Takes a project to another node, as the site does when it believes the first one lost. */
	move(projectId: string, nodeId: string): Promise<void>;
	/** Forks a version of a project. @returns the fork's id. */
	fork(projectId: string, versionId: string): Promise<string>;
	removeProject(projectId: string): Promise<void>;
	/** Every version that the site has recorded, the newest first. */
	versions(projectId: string): Promise<{ generation: number; sequence: number; recovered: boolean }[]>;
	chain(projectId: string, version?: { generation: number; sequence: number }): Promise<Checkpoint[]>;
	unnamed(keys: readonly string[]): Promise<string[]>;
	release(): Promise<void>;
}

/** @param small where there is one small machine, whose objects are in a folder; else a store that fails on command. */
export async function startStorageWorld(small?: SmallMachine): Promise<StorageWorld> {
	const log = createLog("test", "error");
	const cleanup = createCleanupStack(log);
	try {
		return await start(cleanup, small);
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

async function start(cleanup: CleanupStack, small: SmallMachine | undefined): Promise<StorageWorld> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-faults-"));
	await chmod(directory, 0o711);
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	// Rounds wait for commits of file systems all the time: in memory they are many times as fast.
	const inMemory = await mountMemory(join(directory, "disks"), 2 * 1024 * megabyte, cleanup);
	const machine = small ? await mountMemory(join(directory, "machine"), small.diskBytes, cleanup) : inMemory;
	const template = join(directory, "templates/python");
	await mkdir(template, { recursive: true });
	for (const name of ["main.py", "notes.txt"]) await writeFile(join(template, name), "");

	const server = await startObjectServer();
	cleanup.push("object server", () => server.close());
	const storeOptions: S3Options = {
		...server.credentials,
		endpoint: server.url,
		bucket: server.bucket,
		style: "path",
		times: {
			answerTimeoutMs: 600,
			// A part that hangs is given up after 5 s.
			leastUplinkBytesPerMs: 2 * 1024,
			stallTimeoutMs: 600,
			retryBudgetMs: 900,
			firstRetryMs: 5,
			mostRetryMs: 50,
		},
	};
	const folder = join(machine, "objects");
	const store = small ? await openFolderStore(folder) : openS3Store({ ...storeOptions, times: {} });

	const site = await createWorld({
		REPLDOCK_JANITOR_INTERVAL: "100ms",
		REPLDOCK_FORK_PATIENCE: "500ms",
		// Looking at a version leaves a quota free, and the disks are small.
		REPLDOCK_PROJECT_DISK: "200M",
	});
	cleanup.push("site", () => site.stop());
	let instance = await site.startInstance();
	const owner = await instance.signedUp("Owner");
	const nodeToken = (await readFile(join(site.secretsDirectory, "node-token"), "utf8")).trim();

	const scratch = await mountScratch(join(inMemory, "scratch"), cleanup);

	async function ask<T>(path: string, question: object): Promise<T> {
		const answer = await fetch(instance.url + path, {
			method: "POST",
			headers: { authorization: `Bearer ${nodeToken}` },
			body: JSON.stringify(question),
		});
		if (!answer.ok) throw new Error(`the site answered ${answer.status} to ${path}: ${await answer.text()}`);
		return (await answer.json()) as T;
	}

	async function place(projectId: string, nodeId: string, generations: number) {
		const values = [projectId, nodeId, generations];
		const change = "UPDATE placements SET node_id = $2, generation = generation + $3 WHERE project_id = $1";
		await site.query(change, values);
		// What nodes are told follows from what people do.
		const { status } = await owner.patch(`/api/v1/projects/${projectId}`, { slug: `moved-${randomUUID()}` });
		if (status !== 200) throw new Error(`the site answered ${status} to a new address of a project`);
	}

	const world: StorageWorld = {
		server,
		store,
		storesInParts: small === undefined,
		unfinished: async () => (small ? readdir(join(folder, ".incoming")) : [...server.state.uploads.keys()]),
		site,
		instance: () => instance,
		async restartSite() {
			const { listensOn } = instance;
			await instance.close();
			instance = await site.startInstance({ REPLDOCK_SITE_PORT: String(listensOn) });
		},
		async disk(name) {
			const place = join(machine, name);
			const { file, mountPoint } = await mountDisk(place, small?.volumesBytes ?? 512 * megabyte, cleanup);
			return createNodeDisk({
				name,
				place,
				mountPoint,
				cleanup,
				settings: () => ({
					templatesDirectory: join(directory, "templates"),
					siteUrl: instance.url,
					nodeToken,
					store: small ? { folder } : storeOptions,
					...(small ? { growth: { file, bytes: small.mostVolumesBytes } } : {}),
					checkpointEveryMs: 150,
					clockAheadMs: 0,
				}),
			});
		},
		scratch,
		async makeProject(nodeId) {
			const { status, body } = await owner.post("/api/v1/projects", { template: "python", name: randomUUID() });
			if (status !== 201) throw new Error(`no project: ${status} ${JSON.stringify(body)}`);
			const { id } = body as { id: string };
			await place(id, nodeId, 0);
			return id;
		},
		move: (projectId, nodeId) => place(projectId, nodeId, 1),
		async fork(projectId, version) {
			const { status, body } = await owner.post(`/api/v1/projects/${projectId}/fork`, { version });
			if (status !== 201) throw new Error(`no fork: ${status} ${JSON.stringify(body)}`);
			return (body as { id: string }).id;
		},
		async removeProject(projectId) {
			await site.query("DELETE FROM projects WHERE id = $1", [projectId]);
		},
		async versions(projectId) {
			const rows = await site.query(
				`SELECT generation, sequence::text, recovered FROM checkpoints WHERE project_id = $1
				ORDER BY checkpoints.generation DESC, checkpoints.sequence DESC`,
				[projectId],
			);
			return rows.map(({ generation, sequence, recovered }) => ({
				generation: Number(generation),
				sequence: Number(sequence),
				recovered: recovered === true,
			}));
		},
		async chain(projectId, version) {
			const question = { projectId, ...(version ? { version } : {}) };
			return (await ask<{ chain: Checkpoint[] }>("/api/node/manifests", question)).chain;
		},
		async unnamed(keys) {
			return (await ask<{ unnamed: string[] }>("/api/node/objects", { keys })).unnamed;
		},
		async release() {
			await cleanup.run();
			const left = await findLeftovers(directory);
			if (left.length > 0) throw new Error(`left behind: ${left.join("\n")}`);
		},
	};
	return world;
}

async function mountMemory(place: string, bytes: number, cleanup: CleanupStack): Promise<string> {
	await mkdir(place);
	await runCommand("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=711`, "repldock-faults", place]);
	cleanup.push(place, async () => void (await runCommand("umount", [place])));
	return place;
}
