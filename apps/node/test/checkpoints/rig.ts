import { randomUUID } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ObjectStore, openFolderStore } from "@repldock/objects";
import { type Checkpoint, type CheckpointId, type DesiredPlacement, openNetwork } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { type Checkpoints, createCheckpoints } from "../../src/checkpoints/checkpoints.ts";
import { createSnapshots } from "../../src/host/snapshots.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../src/host/volume-mount.ts";
import { createVolumes } from "../../src/host/volumes.ts";
import { makeScratch } from "../host/machine.ts";

const megabyte = 1024 * 1024;
const silent = createLog("test", "error");
silent.level = "silent";

/** What a site would want of a project; a new one, unless it is said. */
export function desired(change: Partial<DesiredPlacement>): DesiredPlacement {
	return {
		projectId: randomUUID(),
		generation: 1,
		want: "running",
		wantVersion: 1,
		domains: [],
		name: "An app",
		slug: "demo",
		owner: { id: "o", name: "Owner" },
		template: "python",
		visibility: "private",
		stored: false,
		rightsVersion: 1,
		limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 200 * megabyte },
		network: openNetwork,
		alwaysOn: false,
		...change,
	};
}

/** One node's volumes on a file system of their own, and its agent's checkpoints, which can die and start anew. */
export interface CheckpointNode {
	volumes: ReturnType<typeof createVolumes>;
	snapshots: ReturnType<typeof createSnapshots>;
	checkpoints: Checkpoints;
	readonly stateFile: string;
	/** The agent died where it stood: a new one begins with what is on disk. */
	restart(): Promise<void>;
	release(): Promise<void>;
}

/** An object store and what a site would know, shared by nodes. */
export async function startCluster({ volumeBytes = 1024 * megabyte } = {}) {
	const { directory, cleanup } = await makeScratch();
	const folder = await openFolderStore(join(directory, "objects"));
	const faulty: { store: ObjectStore } = { store: folder };
	/** Stands for the site: what was reported, by project. */
	const recorded = new Map<string, Checkpoint>();
	const site = { down: false };
	/** What people typed and is not in files yet: writes it, unless it cannot. */
	const typing = new Map<string, () => Promise<boolean>>();
	/** The origin's checkpoint that is a fork's present state before it has one of its own. */
	const pinned = new Map<string, Checkpoint>();
	const placements = new Map<string, DesiredPlacement>();
	const template = join(directory, "template");
	await mkdir(template);
	await writeFile(join(template, "main.py"), "print(1)\n");

	function place(change: Partial<DesiredPlacement> = {}): DesiredPlacement {
		const placement = desired(change);
		placements.set(placement.projectId, placement);
		return placement;
	}

	/** As the site finds it: from the latest checkpoint, or this one, back to the full one. */
	function chainOf(projectId: string, version?: { generation: number; sequence: number }): Checkpoint[] {
		const own = [...recorded.values()].filter((checkpoint) => checkpoint.projectId === projectId);
		const latest = own.toSorted((a, b) => a.generation - b.generation || a.sequence - b.sequence).at(-1);
		const chain: Checkpoint[] = [];
		let current = version ? recorded.get(textOf({ projectId, ...version })) : (latest ?? pinned.get(projectId));
		while (current) {
			chain.unshift(current);
			current = current.parent ? recorded.get(textOf(current.parent)) : undefined;
		}
		return chain;
	}

	/** A project that begins as another one is. On a node with the origin's volume that is copied. */
	function placeFork(origin: string, change: Partial<DesiredPlacement> = {}): DesiredPlacement {
		const fork = place({ copyOf: origin, stored: chainOf(origin).length > 0, ...change });
		const latest = chainOf(origin).at(-1);
		if (latest) pinned.set(fork.projectId, latest);
		return fork;
	}

	async function startNode(name: string, owner = { uid: 300_000, gid: 300_001 }): Promise<CheckpointNode> {
		const mountPoint = join(directory, name);
		const place: VolumeStore = { kind: "image", file: join(directory, `${name}.img`), bytes: volumeBytes };
		await mountVolumes(place, mountPoint);
		cleanup.push(name, () => unmountVolumes(place, mountPoint));
		const nodeId = randomUUID();
		const stateFile = join(directory, `${name}.json`);

		async function start() {
			const volumes = createVolumes({ mountPoint, owner });
			await volumes.reclaim();
			const snapshots = createSnapshots(mountPoint);
			const checkpoints = await createCheckpoints({
				store: proxy(faulty),
				snapshots,
				volumes,
				stateFile,
				nodeId: () => nodeId,
				placement: (projectId) => placements.get(projectId),
				async writeDocuments(projectId) {
					return (await typing.get(projectId)?.()) ?? true;
				},
				async manifest({ projectId, version }) {
					if (site.down) throw new Error("the site does not answer");
					return chainOf(projectId, version);
				},
				report(reported) {
					if (site.down) return;
					const isOrphan = ({ parent }: Checkpoint) => parent !== null && !recorded.has(textOf(parent));
					const taken = reported.filter((one) => !isOrphan(one) && recorded.set(textOf(one), one));
					checkpoints.reports.recorded(
						taken,
						reported.filter((one) => !taken.includes(one)),
					);
				},
				onDurability: () => undefined,
				log: silent,
				retry: { firstMs: 0, mostMs: 0 },
			});
			await checkpoints.recover();
			return { volumes, snapshots, checkpoints };
		}

		const node: CheckpointNode = {
			...(await start()),
			stateFile,
			async restart() {
				Object.assign(node, await start());
			},
			async release() {
				await node.checkpoints.close();
			},
		};
		cleanup.push(`${name}'s checkpoints`, () => node.release());
		return node;
	}

	return {
		directory,
		template,
		store: folder,
		/** As nodes meet it; see `breakStore`. */
		faultyStore: proxy(faulty),
		recorded,
		placements,
		place,
		placeFork,
		/** A project begins as this checkpoint. */
		pin: (projectId: string, checkpoint: Checkpoint) => void pinned.set(projectId, checkpoint),
		site,
		typing,
		chainOf,
		startNode,
		/** What nodes meet instead of the store from now on; the store itself when it is left out. */
		breakStore(change: Partial<ObjectStore> = {}) {
			faulty.store = { ...folder, ...change };
		},
		release: () => cleanup.run(),
	};
}

const textOf = ({ projectId, generation, sequence }: CheckpointId) => `${projectId}.${generation}.${sequence}`;

export type Cluster = Awaited<ReturnType<typeof startCluster>>;

/** Goes to whatever the store is at that moment. */
function proxy(holder: { store: ObjectStore }): ObjectStore {
	return new Proxy({} as ObjectStore, { get: (_, name) => Reflect.get(holder.store, name) });
}

export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of store.list(prefix)) keys.push(key);
	return keys;
}

/** Names of a directory that may not be there. */
export async function namesIn(directory: string): Promise<string[]> {
	return (await readdir(directory).catch(() => [])).sort();
}
