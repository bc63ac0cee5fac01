// One file, though a long one: the tests share one engine that is played, on which every order of events can be made.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DesiredPlacement, openNetwork } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, onTestFinished, test } from "vitest";
import type { ContainerStatus, Engine, HomeOfContainer, Homes, VolumeInHome, Volumes } from "../../src/host.ts";
import type { NetworkOfContainers } from "../../src/placements/containers.ts";
import { createPlacements } from "../../src/placements/placements.ts";

const projectId = "0b9c7a52-1111-4222-8333-444455556666";
const otherId = "0b9c7a52-1111-4222-8333-777788889999";
const alive = { pid: 7, address: "10.0.0.2", hardwareAddress: "02:42:0a:00:00:02" };

function placement(change: Partial<DesiredPlacement> = {}): DesiredPlacement {
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
async function rig() {
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
function hold() {
	const reached = Promise.withResolvers<void>();
	const gate = Promise.withResolvers<void>();
	const wait = () => {
		reached.resolve();
		return gate.promise;
	};
	return { wait, reached: reached.promise, open: gate.resolve };
}

const until = (condition: () => boolean) => expect.poll(condition, { interval: 2 }).toBe(true);

test("a project that is stopped while it starts does not run afterwards", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	// The one that rests does not fit any more.
	await placements.apply([placement({ slug: "renamed" })]);
	const held = hold();
	before.create = held.wait;
	const started = placements.ensureRunning(projectId);
	await held.reached;
	// The engine shows no container of it yet.
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	held.open();
	await expect(started).rejects.toMatchObject({ code: "not_running" });
	expect(containers.size).toBe(0);
	expect(placements.life(projectId).state).toBe("stopped");
});

test("a project that is taken away while somebody starts it leaves no container", async () => {
	const { placements, containers, before } = await rig();
	const held = hold();
	await placements.apply([placement({ want: "stopped" })]);
	before.inspect = held.wait;
	const started = placements.apply([placement({ wantVersion: 2 })]);
	await held.reached;
	const opened = placements.ensureRunning(projectId);
	const gone = placements.apply([]);
	held.open();
	await expect(opened).rejects.toMatchObject({ code: "not_running" });
	await Promise.all([started, gone]);
	expect(containers.size).toBe(0);
});

test("a stop that the engine refuses is tried again, and other projects do not wait for it", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	let refusals = 2;
	before.stop = async () => {
		refusals -= 1;
		if (refusals >= 0) throw new Error("the engine is busy");
	};
	await placements.apply([placement({ want: "stopped", wantVersion: 2 }), placement({ projectId: otherId })]);
	expect(placements.life(otherId).state).toBe("running");
	await until(() => placements.life(projectId).state === "stopped");
	expect([...containers.values()].map((container) => container.projectId)).toEqual([otherId]);
});

test("a volume that cannot be removed does not keep the agent from starting", async () => {
	const { placements, volumes, before } = await rig();
	await placements.apply([placement({ want: "stopped" })]);
	volumes.add(projectId);
	let refusals = 1;
	before.removeVolume = async () => {
		refusals -= 1;
		if (refusals >= 0) throw new Error("busy");
	};
	await placements.apply([placement({ want: "purged", wantVersion: 2 })]);
	await until(() => placements.observed()[0]?.state === "purged");
	expect(volumes.size).toBe(0);
	await expect(placements.ensureVolume(projectId)).rejects.toMatchObject({ code: "not_placed_here" });
	expect(volumes.size).toBe(0);
});

test("a project counts as gone for good only when all that the node has of it is forgotten, and others do not wait for that", async () => {
	const { placements, volumes, before } = await rig();
	volumes.add(projectId);
	let refusals = 2;
	const held = hold();
	before.forget = async () => {
		refusals -= 1;
		if (refusals >= 0) throw new Error("busy");
		expect(volumes.has(projectId)).toBe(true);
		await held.wait();
	};
	await placements.apply([placement({ want: "purged", wantVersion: 2 }), placement({ projectId: otherId })]);
	await held.reached;
	expect(placements.life(otherId).state).toBe("running");
	expect(placements.observed([projectId])[0]?.state).not.toBe("purged");
	held.open();
	await until(() => placements.observed([projectId])[0]?.state === "purged");
	expect(volumes.has(projectId)).toBe(false);
});

test("a container whose stop failed half-way is cleared away when the project is opened", async () => {
	const { placements, before, created } = await rig();
	await placements.apply([placement()]);
	before.stop = () => Promise.reject(new Error("the engine is busy"));
	await expect(placements.stop(projectId)).rejects.toThrow("busy");
	expect(placements.life(projectId).state).toBe("stopping");
	before.stop = async () => {};
	await placements.ensureRunning(projectId);
	expect(placements.life(projectId).state).toBe("running");
	expect(created()).toBe(2);
});

test("a container that ends before its start is done does not stay as running", async () => {
	const { placements, before, end } = await rig();
	await placements.apply([placement({ want: "stopped" })]);
	const held = hold();
	before.inspect = held.wait;
	const started = placements.apply([placement({ wantVersion: 2 })]);
	await held.reached;
	end("c1");
	const ended = placements.containerEnded(projectId, "c1");
	held.open();
	await Promise.all([started, ended]);
	expect(placements.life(projectId).state).toBe("stopped");
});

test("a project that was opened twice stays stopped once nobody uses it", async () => {
	const { placements, created } = await rig();
	await placements.apply([placement()]);
	await placements.apply([placement({ wantVersion: 2 })]);
	await placements.stop(projectId);
	await placements.apply([placement({ wantVersion: 2 }), placement({ projectId: otherId, want: "stopped" })]);
	expect(placements.life(projectId).state).toBe("stopped");
	expect(created()).toBe(1);
});

test("a change of one project is not told of all the others", async () => {
	const { placements, changes } = await rig();
	const other = placement({ projectId: otherId, want: "stopped" });
	await placements.apply([placement({ want: "stopped" }), other]);
	changes.length = 0;
	await placements.apply([placement({ want: "stopped", visibility: "public" }), other]);
	expect(changes).toEqual([projectId]);
});

test("what was stopped for want of use starts again as it was made, and one that an owner stops is removed", async () => {
	const { placements, containers, created } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	expect(placements.life(projectId).state).toBe("stopped");
	expect(containers.get("c1")?.state).toBe("exited");
	// A look at the node leaves it alone.
	await placements.apply([placement({ visibility: "public" })]);
	expect((await placements.ensureRunning(projectId)).containerId).toBe("c1");
	expect(created()).toBe(1);
	await placements.stop(projectId);
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	expect(containers.size).toBe(0);
});

test("what rests is not started again when it would be made otherwise now, or cannot be started", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	const renamed = { slug: "renamed" };
	await placements.apply([placement(renamed)]);
	expect((await placements.ensureRunning(projectId)).slug).toBe("renamed");
	expect([...containers.keys()]).toEqual(["c2"]);
	await placements.stop(projectId);
	let failures = 0;
	before.start = async () => {
		failures += 1;
		if (failures === 1) throw new Error("it does not start");
	};
	await placements.ensureRunning(projectId);
	expect([...containers.keys()]).toEqual(["c3"]);
	await placements.stop(projectId);
	await placements.apply([placement({ ...renamed, generation: 2 })]);
	expect(containers.size).toBe(0);
});

test("late news of the sleep of a container does not end it when it runs again", async () => {
	const { placements } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	await placements.ensureRunning(projectId);
	await placements.containerEnded(projectId, "c1");
	expect(placements.running(projectId)?.containerId).toBe("c1");
});

test.each([
	["made anew", "renamed"],
	["at rest", "app"],
])(
	"a start that is done while the node is looked at is not taken for a container that ended: one %s",
	async (_, slug) => {
		const { placements, before } = await rig();
		await placements.apply([placement()]);
		await placements.stop(projectId);
		await placements.apply([placement({ slug })]);
		const [starting, look] = [hold(), hold()];
		before.start = starting.wait;
		const started = placements.ensureRunning(projectId);
		await starting.reached;
		before.list = look.wait;
		const looked = placements.apply([placement({ slug, visibility: "public" })]);
		await look.reached;
		starting.open();
		const { containerId } = await started;
		look.open();
		await looked;
		expect(placements.running(projectId)?.containerId).toBe(containerId);
	},
);

test("a full node, or a person who may have no more, gets room from what has been paused the longest", async () => {
	const { placements, containers } = await rig();
	const thirdId = "0b9c7a52-1111-4222-8333-999999999999";
	const all = (mostRunning?: number) =>
		[projectId, otherId, thirdId].map((id) =>
			placement({ projectId: id, owner: { id: "o", name: "Owner", mostRunning } }),
		);
	const states = () => [projectId, otherId, thirdId].map((id) => placements.life(id).state);
	await placements.apply(all().slice(0, 2));
	await placements.pause(otherId);
	await placements.pause(projectId);
	await placements.apply(all());
	expect(states()).toEqual(["paused", "stopped", "running"]);
	await placements.ensureRunning(otherId);
	expect(states()).toEqual(["stopped", "running", "running"]);
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "no_node" });

	await placements.stop(thirdId);
	await placements.apply(all(1));
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "limit_reached" });
	await placements.pause(otherId);
	await placements.ensureRunning(projectId);
	expect(states()).toEqual(["running", "stopped", "stopped"]);
	expect([...containers.values()].filter(({ state }) => state === "running")).toHaveLength(1);
	// Another person's, and one that its owner stops in the same moment, take nobody's place.
	const stranger = placement({ projectId: thirdId, owner: { id: "p", name: "Else", mostRunning: 1 } });
	const [first, second] = all(1) as [DesiredPlacement, DesiredPlacement];
	await placements.apply([{ ...first, want: "stopped", wantVersion: 2 }, { ...second, wantVersion: 2 }, stranger]);
	await placements.ensureRunning(thirdId);
	expect(states()).toEqual(["stopped", "running", "running"]);
});

test("a node that is full starts no further container until one ends", async () => {
	const { placements, containers } = await rig();
	const third = "0b9c7a52-1111-4222-8333-999999999999";
	await placements.apply([placement(), placement({ projectId: otherId }), placement({ projectId: third })]);
	const states = [projectId, otherId, third].map((id) => placements.life(id).state).sort();
	expect(states).toEqual(["failed", "running", "running"]);
	expect(containers.size).toBe(2);
	const waiting = [projectId, otherId, third].find((id) => placements.life(id).state === "failed") ?? "";
	await expect(placements.ensureRunning(waiting)).rejects.toMatchObject({ code: "no_node" });
	await placements.stop(waiting === projectId ? otherId : projectId);
	await placements.ensureRunning(waiting);
	expect(placements.life(waiting).state).toBe("running");
});

test("a paused container goes on when somebody needs it, or opens the project anew", async () => {
	const { placements, containers, created } = await rig();
	await placements.apply([placement()]);
	await placements.pause(projectId);
	expect(placements.life(projectId).state).toBe("paused");
	expect(placements.running(projectId)).toBeUndefined();
	expect(placements.present(projectId)?.containerId).toBe("c1");
	// The same want again wakes nothing.
	await placements.apply([placement()]);
	expect(placements.life(projectId).state).toBe("paused");
	await Promise.all([placements.ensureRunning(projectId), placements.ensureRunning(projectId)]);
	expect(placements.running(projectId)?.containerId).toBe("c1");
	await placements.pause(projectId);
	await placements.apply([placement({ wantVersion: 2 })]);
	expect(placements.life(projectId).state).toBe("running");
	expect(containers.get("c1")?.state).toBe("running");
	expect(created()).toBe(1);
});

test("whoever needs a container in the moment in which it is paused gets it running", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	const held = hold();
	before.pause = held.wait;
	const paused = placements.pause(projectId);
	await held.reached;
	const needed = placements.ensureRunning(projectId);
	held.open();
	await Promise.all([paused, needed]);
	expect(containers.get("c1")?.state).toBe("running");
	expect(placements.life(projectId).state).toBe("running");
});

test("a container that the engine cannot pause runs on", async () => {
	const { placements, before } = await rig();
	await placements.apply([placement()]);
	before.pause = () => Promise.reject(new Error("it does not freeze"));
	await expect(placements.pause(projectId)).rejects.toThrow("freeze");
	expect(placements.running(projectId)?.containerId).toBe("c1");
});

test("a paused container is stopped, and ends by itself, like one that runs", async () => {
	const { placements, containers, end } = await rig();
	await placements.apply([placement()]);
	await placements.pause(projectId);
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	expect(containers.size).toBe(0);
	await placements.apply([placement({ wantVersion: 3 })]);
	await placements.pause(projectId);
	end("c2");
	await placements.containerEnded(projectId, "c2");
	expect(placements.life(projectId).state).toBe("stopped");
});

test("an agent that starts anew takes over a paused container as it is", async () => {
	const { placements, makePlacements, containers, created } = await rig();
	await placements.apply([placement()]);
	await placements.pause(projectId);
	// Once more, so that the file is written.
	await placements.apply([placement()]);
	placements.close();
	const next = makePlacements();
	onTestFinished(() => next.close());
	await next.recover();
	expect(next.life(projectId).state).toBe("paused");
	expect(containers.get("c1")?.state).toBe("paused");
	expect((await next.ensureRunning(projectId)).containerId).toBe("c1");
	expect(created()).toBe(1);
});

test("a container that cannot be attached to the network does not run, and its address is nobody's", async () => {
	const { placements, containers, before, attached } = await rig();
	before.attach = async () => {
		throw new Error("no cable");
	};
	await placements.apply([placement()]);
	expect(placements.life(projectId)).toMatchObject({ state: "failed", problem: { code: "container_failed" } });
	expect(containers.size).toBe(0);
	expect(attached.size).toBe(0);
	before.attach = async () => {};
	await placements.ensureRunning(projectId);
	expect([...attached]).toEqual([projectId]);
	await placements.stop(projectId);
	expect(attached.size).toBe(0);
});

test("an adopted container whose network cannot be had is ended", async () => {
	const { placements, makePlacements, containers, before } = await rig();
	await placements.apply([placement()]);
	placements.close();
	expect([...containers.keys()]).toEqual(["c1"]);
	before.adopt = async () => [projectId];
	const next = makePlacements();
	await next.recover();
	next.close();
	// It may be started anew, with all that belongs to a start.
	expect(containers.has("c1")).toBe(false);
});

test("a container gets its volume when it runs and before anybody may use it, loses it at rest, and has a home no longer than it lives", async () => {
	const { placements, homes, before, created } = await rig();
	const held = hold();
	before.fill = held.wait;
	const applied = placements.apply([placement()]);
	await held.reached;
	expect(placements.running(projectId)).toBeUndefined();
	expect([...homes.values()]).toEqual([null]);
	held.open();
	await applied;
	expect(placements.running(projectId)).toBeDefined();
	expect([...homes.values()]).toEqual([`/volumes/${projectId} as app`]);
	await placements.stop(projectId);
	expect([...homes.values()]).toEqual([null]);
	await placements.ensureRunning(projectId);
	expect([...homes.values()]).toEqual([`/volumes/${projectId} as app`]);
	expect(created()).toBe(1);
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	expect(homes.size).toBe(0);
});

test("a container that cannot have its volume does not run, and leaves neither home nor network", async () => {
	const { placements, containers, homes, attached, before } = await rig();
	before.fill = async () => {
		throw new Error("mount failed");
	};
	await placements.apply([placement()]);
	expect(placements.life(projectId)).toMatchObject({ state: "failed", problem: { code: "container_failed" } });
	expect([containers.size, homes.size, attached.size]).toEqual([0, 0, 0]);
	before.fill = async () => {};
	before.create = async () => {
		throw new Error("no space");
	};
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "container_failed" });
	expect([containers.size, homes.size]).toEqual([0, 0]);
});

test("a new agent gives running containers their volumes again, ends those that cannot have one, and clears away homes", async () => {
	const { placements, makePlacements, homes, before, containers } = await rig();
	await placements.apply([placement(), placement({ projectId: otherId })]);
	for (const [name, mounted] of homes) if (mounted?.includes(projectId)) homes.set(name, null);
	homes.set("left", "/volumes/gone");
	const again = makePlacements();
	await again.recover();
	expect(again.running(projectId)).toBeDefined();
	expect([...homes.values()].sort()).toEqual([`/volumes/${otherId} as app`, `/volumes/${projectId} as app`].sort());
	before.fill = async () => {
		throw new Error("the container does not see it");
	};
	const third = makePlacements();
	await third.recover();
	expect([containers.size, homes.size]).toEqual([0, 0]);
	expect(third.life(projectId).state).toBe("stopped");
	for (const one of [again, third]) one.close();
});

test("work for which programs stand still has them paused, goes on whatever becomes of it, and nobody wakes or stops them meanwhile", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	const states = () => [...containers.values()].map(({ state }) => state);
	const held = hold();
	const still = placements.standStill(projectId, async () => {
		await held.wait();
		return states();
	});
	await held.reached;
	// To everybody else it runs; what would change that waits for its turn.
	expect(placements.life(projectId).state).toBe("running");
	const paused = placements.pause(projectId);
	held.open();
	expect(await still).toEqual(["paused"]);
	await paused;
	// What sleeps is left asleep.
	expect(await placements.standStill(projectId, async () => states())).toEqual(["paused"]);
	expect(placements.life(projectId).state).toBe("paused");
	await placements.ensureRunning(projectId);
	await expect(placements.standStill(projectId, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
	expect(states()).toEqual(["running"]);
	before.pause = () => Promise.reject(new Error("the engine refuses"));
	let done = false;
	const refused = placements.standStill(projectId, async () => {
		done = true;
	});
	await expect(refused).rejects.toThrow("the engine refuses");
	expect(done).toBe(false);
});
