import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DesiredPlacement, openNetwork } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, onTestFinished } from "vitest";
import type { ContainerStatus, Engine, HomeOfContainer, Homes, VolumeInHome } from "../../src/host.ts";
import type { Volumes } from "../../src/host-storage.ts";
import type { NetworkOfContainers } from "../../src/placements/containers.ts";
import { createPlacements } from "../../src/placements/placements.ts";

export const projectId = "0b9c7a52-1111-4222-8333-444455556666";
export const otherId = "0b9c7a52-1111-4222-8333-777788889999";
export const alive = { pid: 7, address: "10.0.0.2", hardwareAddress: "02:42:0a:00:00:02" };

export function placement(change: Partial<DesiredPlacement> = {}): DesiredPlacement {
	return {
		projectId,
		generation: 1,
		want: "running",
		wantVersion: 1,
		domains: [],
		slug: "app",
		owner: { id: "o", name: "Owner" },
		template: "node",
		visibility: "private",
		stored: false,
		rightsVersion: 1,
		limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 1 },
		network: openNetwork,
		alwaysOn: false,
		...change,
	};
}

/** Placements on an engine, homes and volumes in memory, whose calls a test holds up or lets fail. */
export async function rig() {
	const directory = await mkdtemp(join(tmpdir(), "repldock-placements-"));
	const containers = new Map<string, ContainerStatus>();
	const volumes = new Set<string>();
	/** What is mounted in each home. */
	const homes = new Map<string, string | null>();
	const before = {
		list: async () => {},
		create: async () => {},
		start: async () => {},
		attach: async () => {},
		fill: async () => {},
		adopt: async (): Promise<string[]> => [],
		inspect: async () => {},
		stop: async () => {},
		pause: async () => {},
		removeVolume: async () => {},
		forget: async () => {},
		leave: async () => {},
	};
	const changes: string[] = [];
	const attached = new Set<string>();
	const network: NetworkOfContainers = {
		async attach(_container, { projectId }) {
			await before.attach();
			attached.add(projectId);
		},
		adopt: async () => before.adopt(),
		policyChanged: async () => {},
		ending: async () => {},
		detach: async (id) => void attached.delete(id),
	};
	let created = 0;
	const engine = {
		async listContainers() {
			const listed = [...containers.values()];
			await before.list();
			return listed;
		},
		async createContainer(
			{ projectId, generation, slug }: { projectId: string; generation: number; slug: string },
			home: HomeOfContainer,
		) {
			await before.create();
			created += 1;
			const id = `c${created}`;
			const more = {
				pid: 0,
				address: null,
				hardwareAddress: null,
				image: "",
				outOfMemory: false,
				state: "created" as const,
				home: home.name,
			};
			containers.set(id, { id, projectId, generation, slug, ...more });
			return { id };
		},
		async startContainer(id: string, meanwhile?: (status: ContainerStatus) => Promise<void>) {
			await before.start();
			const container = containers.get(id);
			if (!container) throw new Error("no such container");
			containers.set(id, { ...container, state: "running", ...alive });
			const status = await engine.inspectContainer(id);
			if (status) await meanwhile?.(status);
			return status;
		},
		async inspectContainer(id: string) {
			const status = containers.get(id) ?? null;
			await before.inspect();
			return status;
		},
		async pauseContainer(id: string) {
			await before.pause();
			const container = containers.get(id);
			if (container) containers.set(id, { ...container, state: "paused" });
		},
		async unpauseContainer(id: string) {
			const container = containers.get(id);
			if (container?.state !== "paused") throw new Error("it is not paused");
			containers.set(id, { ...container, state: "running" });
		},
		async stopContainer(id: string) {
			await before.stop();
			end(id);
		},
		async removeContainer(id: string) {
			containers.delete(id);
		},
	} as unknown as Engine;
	/** By itself, as when its first process is killed. */
	function end(id: string) {
		const container = containers.get(id);
		if (container) containers.set(id, { ...container, state: "exited", pid: 0, address: null, hardwareAddress: null });
	}
	const makePlacements = () =>
		createPlacements({
			engine,
			volumes: {
				create: async (id: string) => void volumes.add(id),
				async remove(id: string) {
					await before.removeVolume();
					volumes.delete(id);
				},
				exists: async (id: string) => volumes.has(id),
				list: async () => [...volumes],
				path: (id: string) => `/volumes/${id}`,
			} as unknown as Volumes,
			homes: {
				async make() {
					const name = `home${homes.size + 1}`;
					homes.set(name, null);
					return { name, path: `/homes/${name}` };
				},
				async fill(name: string, { volumePath, slug }: VolumeInHome) {
					await before.fill();
					if (!homes.has(name)) throw new Error("no such home");
					homes.set(name, `${volumePath} as ${slug}`);
				},
				empty: async (name: string) => void homes.set(name, null),
				remove: async (name: string) => void homes.delete(name),
				async keepOnly(names: ReadonlySet<string>) {
					for (const name of homes.keys()) if (!names.has(name)) homes.delete(name);
				},
			} satisfies Homes,
			image: "image",
			templatesDirectory: "/templates",
			slots: 2,
			network,
			stateFile: join(directory, "desired.json"),
			forgetProject: () => before.forget(),
			leaveProject: () => before.leave(),
			onChange: (id) => changes.push(id),
			log: createLog("test", "silent"),
			retry: { firstMs: 1, mostMs: 1 },
		});
	const placements = makePlacements();
	onTestFinished(async () => {
		placements.close();
		// A state file may just be written.
		await rm(directory, { recursive: true, maxRetries: 10, retryDelay: 10 });
	});
	return {
		placements,
		makePlacements,
		containers,
		volumes,
		homes,
		before,
		changes,
		attached,
		end,
		created: () => created,
	};
}

/** A moment that a call waits in until the test opens it. */
export function hold() {
	const reached = Promise.withResolvers<void>();
	const gate = Promise.withResolvers<void>();
	const wait = () => {
		reached.resolve();
		return gate.promise;
	};
	return { wait, reached: reached.promise, open: gate.resolve };
}

export const until = (condition: () => boolean) => expect.poll(condition, { interval: 2 }).toBe(true);
