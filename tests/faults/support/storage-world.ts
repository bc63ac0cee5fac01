import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ObjectStore, openS3Store, type S3Options } from "@repldock/objects";
import type { Checkpoint } from "@repldock/protocol";
import { createCleanupStack, createLog, runCommand } from "@repldock/service";
import { createSnapshots } from "../../../apps/node/src/host/snapshots.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../../apps/node/src/host/volume-mount.ts";
import { createVolumes } from "../../../apps/node/src/host/volumes.ts";
import { findLeftovers } from "../../../apps/node/test/host/machine.ts";
import { createWorld, type Instance, type World } from "../../../apps/site/test/support/site.ts";
import { type ObjectServer, startObjectServer } from "../../support/object-server.ts";
import type { AgentSettings } from "./agent-messages.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

const megabyte = 1024 * 1024;

/** A node's disk: it outlives the agents that are killed on it. */
export interface NodeDisk {
	readonly name: string;
	readonly mountPoint: string;
	/** What the agent keeps beside the volumes. */
	readonly directory: string;
	volumePath(projectId: string): string;
	/** @param kill ends it by kill -9, however far it has come. */
	start(change?: Partial<AgentSettings>, kill?: AbortSignal): Promise<AgentProcess>;
}

/** A site on a real PostgreSQL, an object store that fails on command, and disks for agents. */
export interface StorageWorld {
	readonly server: ObjectServer;
	/** The store as one without a fault in between sees it, once `server.recover()` was called. */
	readonly store: ObjectStore;
	readonly site: World;
	instance(): Instance;
	/** Ends the site and starts it anew at the same address. */
	restartSite(): Promise<void>;
	disk(name: string): Promise<NodeDisk>;
	/** A volume store of the test's own, to restore into. */
	readonly scratch: { volumes: ReturnType<typeof createVolumes>; snapshots: ReturnType<typeof createSnapshots> };
	/** Makes a project and places it on a node. */
	makeProject(nodeId: string): Promise<string>;
	/** Takes a project to another node, as the site does when it believes the first one lost. */
	move(projectId: string, nodeId: string): Promise<void>;
	removeProject(projectId: string): Promise<void>;
	/** Every version that the site has recorded, the newest first. */
	versions(projectId: string): Promise<{ generation: number; sequence: number; recovered: boolean }[]>;
	chain(projectId: string, version?: { generation: number; sequence: number }): Promise<Checkpoint[]>;
	unnamed(keys: readonly string[]): Promise<string[]>;
	release(): Promise<void>;
}

export async function startStorageWorld(): Promise<StorageWorld> {
	const log = createLog("test", "error");
	const cleanup = createCleanupStack(log);
	try {
		return await start(cleanup);
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

async function start(cleanup: ReturnType<typeof createCleanupStack>): Promise<StorageWorld> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-faults-"));
	await chmod(directory, 0o711);
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	// Rounds wait for commits of file systems all the time: in memory they are many times as fast.
	const inMemory = join(directory, "disks");
	await mkdir(inMemory);
	await runCommand("mount", ["-t", "tmpfs", "-o", "size=2G,mode=711", "repldock-faults", inMemory]);
	cleanup.push("disks", async () => void (await runCommand("umount", [inMemory])));
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
		times: { answerTimeoutMs: 600, stallTimeoutMs: 600, retryBudgetMs: 900, firstRetryMs: 5, mostRetryMs: 50 },
	};

	const site = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "100ms" });
	cleanup.push("site", () => site.stop());
	let instance = await site.startInstance();
	const owner = await instance.signedUp("Owner");
	const nodeToken = (await readFile(join(site.secretsDirectory, "node-token"), "utf8")).trim();

	async function mounted(name: string): Promise<string> {
		const mountPoint = join(inMemory, name, "volumes");
		const place: VolumeStore = { kind: "image", file: join(inMemory, `${name}.img`), bytes: 512 * megabyte };
		await mkdir(join(inMemory, name));
		await mountVolumes(place, mountPoint);
		cleanup.push(name, () => unmountVolumes(place, mountPoint));
		return mountPoint;
	}

	const scratchMount = await mounted("scratch");
	const volumes = createVolumes({ mountPoint: scratchMount, owner: { uid: 300_000, gid: 300_000 } });

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
		store: openS3Store({ ...storeOptions, times: {} }),
		site,
		instance: () => instance,
		async restartSite() {
			const { listensOn } = instance;
			await instance.close();
			instance = await site.startInstance({ REPLDOCK_SITE_PORT: String(listensOn) });
		},
		async disk(name) {
			const mountPoint = await mounted(name);
			const own = join(inMemory, name, "agent");
			await mkdir(own, { recursive: true });
			const running = new Set<AgentProcess>();
			cleanup.push(`${name}'s agents`, async () => {
				for (const agent of running) await agent.kill();
			});
			return {
				name,
				mountPoint,
				directory: own,
				volumePath: (projectId) => join(mountPoint, projectId),
				async start(change = {}, kill) {
					const settings: AgentSettings = {
						name,
						mountPoint,
						directory: own,
						templatesDirectory: join(directory, "templates"),
						siteUrl: instance.url,
						nodeToken,
						store: storeOptions,
						checkpointEveryMs: 150,
						clockAheadMs: 0,
						...change,
					};
					const agent = await startAgent(settings, kill);
					running.add(agent);
					return { ...agent, kill: () => agent.kill().finally(() => running.delete(agent)) };
				},
			};
		},
		scratch: { volumes, snapshots: createSnapshots(scratchMount) },
		async makeProject(nodeId) {
			const { status, body } = await owner.post("/api/v1/projects", { template: "python", name: randomUUID() });
			if (status !== 201) throw new Error(`no project: ${status} ${JSON.stringify(body)}`);
			const { id } = body as { id: string };
			await place(id, nodeId, 0);
			return id;
		},
		move: (projectId, nodeId) => place(projectId, nodeId, 1),
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
