import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { countOperations, openFolderStore } from "@repldock/objects";
import { type Checkpoint, type DesiredPlacement, openNetwork } from "@repldock/protocol";
import { type CleanupStack, createCleanupStack, createLog } from "@repldock/service";
import { type Checkpoints, createCheckpoints } from "../../apps/node/src/checkpoints/checkpoints.ts";
import { createSnapshots } from "../../apps/node/src/host/snapshots.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../apps/node/src/host/volume-mount.ts";
import { createVolumes } from "../../apps/node/src/host/volumes.ts";

const imageBytes = 8 * 1024 ** 3;
const quotaBytes = 1024 ** 3;

/** A node's volumes in a loop file of their own, and its checkpoints: the agent's parts, without the agent. */
export interface StorageNode {
	mountPoint: string;
	volumes: ReturnType<typeof createVolumes>;
	checkpoints: Checkpoints;
	release(): Promise<void>;
}

/** A folder as the object store, and what a site would know of it. */
export interface StorageLab {
	directory: string;
	store: ReturnType<typeof countOperations>;
	/** All that nodes made durable, oldest first. */
	recorded: Checkpoint[];
	startNode(): Promise<StorageNode>;
	/** A new project that nodes may have. */
	place(): DesiredPlacement;
	cleanup: CleanupStack;
}

export async function openLab(): Promise<StorageLab> {
	const log = createLog("bench", "error");
	const cleanup = createCleanupStack(log);
	const directory = await mkdtemp("/var/tmp/repldock-bench-");
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	const store = countOperations(await openFolderStore(join(directory, "objects")));
	const recorded: Checkpoint[] = [];
	const placements = new Map<string, DesiredPlacement>();
	let nodes = 0;

	async function startNode(): Promise<StorageNode> {
		nodes += 1;
		const name = `node${nodes}`;
		const mountPoint = join(directory, name);
		const place: VolumeStore = { kind: "image", file: join(directory, `${name}.img`), bytes: imageBytes };
		await mountVolumes(place, mountPoint);
		const nodeId = randomUUID();
		const volumes = createVolumes({ mountPoint, owner: { uid: 300_000, gid: 300_000 } });
		const checkpoints: Checkpoints = await createCheckpoints({
			store,
			snapshots: createSnapshots(mountPoint),
			volumes,
			stateFile: join(directory, `${name}.json`),
			nodeId: () => nodeId,
			placement: (projectId) => placements.get(projectId),
			writeDocuments: async () => true,
			manifest: async ({ projectId }) => chainOf(projectId),
			report(reported) {
				recorded.push(...reported);
				checkpoints.reports.recorded(reported);
			},
			onDurability: () => undefined,
			log,
		});
		let released: Promise<void> | undefined;
		const node: StorageNode = {
			mountPoint,
			volumes,
			checkpoints,
			release() {
				released ??= checkpoints
					.close()
					.then(() => unmountVolumes(place, mountPoint))
					.then(() => rm(place.kind === "image" ? place.file : "", { force: true }));
				return released;
			},
		};
		cleanup.push(name, () => node.release());
		return node;
	}

	/** From the latest checkpoint back to the full one. */
	function chainOf(projectId: string): Checkpoint[] {
		const chain: Checkpoint[] = [];
		for (let next = recorded.findLast((one) => one.projectId === projectId); next; ) {
			chain.unshift(next);
			const sequence = next.parent?.sequence;
			next = recorded.find((one) => one.projectId === projectId && one.sequence === sequence);
		}
		return chain;
	}

	return {
		directory,
		store,
		recorded,
		startNode,
		cleanup,
		place() {
			const placement: DesiredPlacement = {
				projectId: randomUUID(),
				generation: 1,
				want: "running",
				wantVersion: 1,
				domains: [],
				slug: "app",
				owner: { id: "bench", name: "Bench" },
				template: "python",
				visibility: "private",
				stored: true,
				rightsVersion: 1,
				limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: quotaBytes },
				network: openNetwork,
				alwaysOn: false,
			};
			placements.set(placement.projectId, placement);
			return placement;
		},
	};
}

/** A directory with one small program, as templates are. */
export async function makeTemplate(lab: StorageLab): Promise<string> {
	const template = join(lab.directory, "template");
	await mkdir(template, { recursive: true });
	await writeFile(join(template, "main.py"), 'print("Hello")\n');
	await writeFile(join(template, ".replit"), 'run = "python3 main.py"\n');
	return template;
}
