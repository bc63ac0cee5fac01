import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CleanupStack, runCommand } from "@repldock/service";
import { createSnapshots } from "../../../apps/node/src/host/snapshots.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../../apps/node/src/host/volume-mount.ts";
import { createVolumes } from "../../../apps/node/src/host/volumes.ts";
import type { AgentSettings } from "./agent-messages.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

/** What a node may lose of a project: its volume, its snapshots as well, or all that its agent knew. */
export type Loss = "volume" | "snapshots" | "everything";

/** A node's disk: it outlives the agents that are killed on it. */
export interface NodeDisk {
	readonly name: string;
	readonly mountPoint: string;
	/** What the agent keeps beside the volumes. */
	readonly directory: string;
	volumePath(projectId: string): string;
	/** @param kill ends it by kill -9, however far it has come. */
	start(change?: Partial<AgentSettings>, kill?: AbortSignal): Promise<AgentProcess>;
	/** Only while no agent runs. */
	lose(projectId: string, loss: Loss): Promise<void>;
}

/** Makes and mounts a file system for volumes in a file of that many bytes. @returns the file, and where it is mounted. */
export async function mountDisk(
	place: string,
	bytes: number,
	cleanup: CleanupStack,
): Promise<{ file: string; mountPoint: string }> {
	const file = join(place, "volumes.img");
	const mountPoint = join(place, "volumes");
	const store: VolumeStore = { kind: "image", file, bytes };
	await mkdir(place);
	await mountVolumes(store, mountPoint);
	cleanup.push(place, () => unmountVolumes(store, mountPoint));
	return { file, mountPoint };
}

/** A file system of the test's own, to restore into. */
export async function mountScratch(place: string, cleanup: CleanupStack) {
	const { mountPoint } = await mountDisk(place, 512 * 1024 * 1024, cleanup);
	const volumes = createVolumes({ mountPoint, owner: { uid: 300_000, gid: 300_000 } });
	return { volumes, snapshots: createSnapshots(mountPoint) };
}

/** @param settings of every agent that is started on it. */
export async function createNodeDisk(options: {
	name: string;
	/** Where its disk is mounted. */
	place: string;
	mountPoint: string;
	settings(): Omit<AgentSettings, "name" | "mountPoint" | "directory">;
	cleanup: CleanupStack;
}): Promise<NodeDisk> {
	const { name, mountPoint } = options;
	const directory = join(options.place, "agent");
	await mkdir(directory, { recursive: true });
	const running = new Set<AgentProcess>();
	options.cleanup.push(`${name}'s agents`, async () => {
		for (const agent of running) await agent.kill();
	});
	const volumePath = (projectId: string) => join(mountPoint, projectId);

	return {
		name,
		mountPoint,
		directory,
		volumePath,
		async start(change = {}, kill) {
			const settings: AgentSettings = { name, mountPoint, directory, ...options.settings(), ...change };
			const agent = await startAgent(settings, kill);
			running.add(agent);
			return { ...agent, kill: () => agent.kill().finally(() => running.delete(agent)) };
		},
		async lose(projectId, loss) {
			const snapshots = join(mountPoint, ".checkpoints", projectId);
			const names = loss === "volume" ? [] : await readdir(snapshots).catch(() => []);
			const doomed = [volumePath(projectId), ...names.map((snapshot) => join(snapshots, snapshot))];
			await runCommand("btrfs", ["subvolume", "delete", ...doomed]);
			if (loss !== "everything") return;
			for (const known of await readdir(directory)) await rm(join(directory, known), { recursive: true });
		},
	};
}
