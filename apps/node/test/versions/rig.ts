import { join } from "node:path";
import type { VersionChanges } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import type { ShelfLimits } from "../../src/versions/limits.ts";
import type { Reader } from "../../src/versions/shelf.ts";
import { startVersions } from "../../src/versions/start.ts";
import type { Versions } from "../../src/versions/versions.ts";
import { type CheckpointNode, type Cluster, namesIn } from "../checkpoints/rig.ts";
import { type GatewayRig, startGatewayRig } from "../gateway/rig.ts";

const log = createLog("test", process.env.REPLDOCK_TEST_LOG ?? "silent");

export const owner = { id: "u1", mayEdit: true };
export const stranger = (name: string): Reader => ({ id: name, mayEdit: false });

/** One project on real btrfs with its checkpoints, versions, documents and gateway. */
export interface VersionRig extends GatewayRig {
	node: CheckpointNode;
	versions: Versions;
	/** Makes what is there now durable. @returns the version's id. */
	keep(): Promise<string>;
	changes(id: string): Promise<string[]>;
	/** What is at hand of all versions. */
	onShelf(): Promise<string[]>;
	/** The agent died: a new one begins with what is on disk. */
	restartVersions(): Promise<Versions>;
}

export async function startVersionRig(
	cluster: Cluster,
	node: CheckpointNode,
	mountPoint: string,
	options: {
		diskBytes?: number;
		limits?: Partial<ShelfLimits>;
		standStill?<T>(work: () => Promise<T>): Promise<T>;
	} = {},
): Promise<VersionRig> {
	const placement = cluster.place();
	const { projectId } = placement;
	if (options.diskBytes !== undefined) placement.limits.diskBytes = options.diskBytes;
	await node.volumes.create(projectId, cluster.template, placement.limits.diskBytes);
	let begin: () => Promise<Versions> = () => Promise.reject(new Error("not yet"));
	const late = new Proxy({} as Versions, {
		get:
			(_, name) =>
			(...given: unknown[]) =>
				Reflect.get(rig.versions, name)(...given),
	});
	const gateway = await startGatewayRig({
		root: node.volumes.path(projectId),
		projectId,
		versions(workspaces, turns) {
			begin = () =>
				startVersions({
					store: cluster.faultyStore,
					mountPoint,
					volumes: node.volumes,
					owner: { uid: 300_000, gid: 300_001 },
					checkpoints: {
						save: (...given) => node.checkpoints.save(...given),
						bringUpToDate: (...given) => node.checkpoints.bringUpToDate(...given),
						isKept: (id) => node.checkpoints.isKept(id),
						reports: { ...node.checkpoints.reports, unreported: () => node.checkpoints.reports.unreported() },
					},
					manifest: async ({ projectId: of, version }) => cluster.chainOf(of, version),
					workspaces,
					ensureVolume: async () => undefined,
					standStill: (_, work) => options.standStill?.(work) ?? work(),
					writeDocuments: async (id) => (await workspaces.present(id)?.documents.saveAll()) ?? true,
					quota: (id) => cluster.placements.get(id)?.limits.diskBytes ?? 0,
					turns,
					limits: options.limits ?? {},
					log,
				});
			return late;
		},
	});
	const rig: VersionRig = {
		...gateway,
		node,
		versions: await begin(),

		async keep() {
			await node.checkpoints.round();
			const last = cluster.chainOf(projectId).at(-1);
			return `${last?.generation}.${last?.sequence}`;
		},

		async changes(id) {
			const answer = await gateway.project("GET", `/versions/${id}/changes`);
			const { changes } = answer.json() as VersionChanges;
			return changes.map(({ path, change, kind }) => `${change} ${kind} ${path}`);
		},

		async onShelf() {
			const directory = join(mountPoint, ".versions");
			const projects = await namesIn(directory);
			const names = await Promise.all(projects.map((project) => namesIn(join(directory, project))));
			return names.flat();
		},

		async restartVersions() {
			rig.versions.close();
			rig.versions = await begin();
			return rig.versions;
		},

		async release() {
			rig.versions.close();
			await gateway.release();
		},
	};
	return rig;
}
