import { setTimeout as wait } from "node:timers/promises";
import { type DesiredPlacement, isDeparting, type ObservedPlacement, RepldockError } from "@repldock/protocol";
import type { ContainerStatus } from "../host.ts";
import { reconcile, type Step } from "../reconcile/reconcile.ts";
import { adoptContainers, isAlive } from "./adoption.ts";
import { createArrivals } from "./arrivals.ts";
import type { ContainerLife } from "./container-life.ts";
import { type ContainersOptions, createContainers, type RunningContainer } from "./containers.ts";
import { createDepartures, type DepartureParts } from "./departures.ts";
import { createQueues } from "./queues.ts";
import { createRetry } from "./retry.ts";
import { whileStandingStill } from "./stand-still.ts";
import { createStarts, placed } from "./starts.ts";
import { readState, writeState } from "./state-file.ts";

export interface PlacementsOptions
	extends ContainersOptions,
		Partial<Pick<DepartureParts, "forgetProject" | "leaveProject">> {
	stateFile: string;
	/** Shortest and longest time, in milliseconds, before what failed is tried again. */
	retry?: { firstMs: number; mostMs: number };
}

export interface Placements {
	/** Reads the last desired set, adopts containers that still run and removes leftovers. Call once, first. */
	recover(): Promise<void>;
	/** Takes the site's full desired set and brings the node to it. */
	apply(desired: readonly DesiredPlacement[]): Promise<void>;
	find(projectId: string): DesiredPlacement | undefined;
	/**
	 * Waits for a placement that is on its way, in this version of the site's want or a later one.
	 * @throws RepldockError `not_placed_here` after the time.
	 */
	wait(projectId: string, wantVersion: number, timeoutMs: number): Promise<DesiredPlacement>;
	life(projectId: string): ContainerLife;
	/** The container while it runs; `present` also while it is paused. */
	running(projectId: string): RunningContainer | undefined;
	present(projectId: string): RunningContainer | undefined;
	/**
	 * Makes sure that the project's container runs, be it paused or not there; many callers share one start.
	 * @throws RepldockError `not_placed_here`, `not_running` (the site wants it stopped), `container_failed`, `disk_full`.
	 */
	ensureRunning(projectId: string): Promise<RunningContainer>;
	/** Makes sure that the project's files are there, without a container. */
	ensureVolume(projectId: string): Promise<void>;
	/** Lets the programs of a running container stand still; harmless otherwise. @throws EngineError, and it runs on. */
	pause(projectId: string): Promise<void>;
	/** Does work with a project's files while none of its programs runs; see `whileStandingStill`. */
	standStill<T>(projectId: string, work: () => Promise<T>): Promise<T>;
	/** Stops it for want of use; its next start is a quick one. */
	stop(projectId: string): Promise<void>;
	/** The engine says that a container ended. */
	containerEnded(projectId: string, containerId: string): Promise<void>;
	projects(): string[];
	observed(projectIds?: readonly string[]): ObservedPlacement[];
	/**
	 * The node goes down: ends every container, and starts none from now on.
	 * @returns when all have ended, or after the time: one whose start takes long ends when that is done.
	 */
	endAll(withinMs: number): Promise<void>;
	/** Tries nothing again from now on. */
	close(): void;
}

const retryTimes = { firstMs: 1_000, mostMs: 30_000 };

/** Containers that end at a time: programs that ignore TERM take a while, and the engine can only do so much at once. */
const endAtATime = 16;

export function createPlacements(options: PlacementsOptions): Placements {
	const { engine, volumes, log } = options;
	const desired = new Map<string, DesiredPlacement>();
	const queues = createQueues();
	const answeredWants = new Map<string, number>();
	const arrivals = createArrivals();
	const find = (projectId: string) => desired.get(projectId);
	const containers = createContainers(options, { find, inTurn: queues.run });
	/** The site tells what it wants only when that changes, so what failed is tried again from here. */
	const retry = createRetry(() => void queues.run("reconcile", bringAbout), options.retry ?? retryTimes);
	const departures = createDepartures({ ...options, find, queues, containers, onGone: options.onChange, retry });
	const starts = createStarts({
		find,
		queues,
		containers,
		answered: (projectId, wantVersion) => answeredWants.set(projectId, wantVersion),
		onEnd(isWell) {
			// What a failed start could not clear away itself is removed by a look at the node.
			if (!isWell) retry.later();
			void save().catch((error: unknown) => log.error({ err: error }, "the answered wants were not kept"));
		},
	});
	let goesDown = false;
	let saving: Promise<void> = Promise.resolve();

	function save(): Promise<void> {
		saving = saving
			.catch(() => undefined)
			.then(() =>
				writeState(options.stateFile, {
					placements: [...desired.values()],
					answeredWants: Object.fromEntries(answeredWants),
				}),
			);
		return saving;
	}

	async function carryOut(step: Step): Promise<void> {
		switch (step.kind) {
			case "removeContainer":
				log.info({ projectId: step.projectId, reason: step.reason }, "container removed");
				await containers.remove(step.projectId, step.containerId);
				return;
			case "start":
				// A failed start is state that people see, not a failure of reconciling.
				await starts.ensureRunning(step.projectId).catch(() => undefined);
				return;
			case "stop":
				await queues.run(step.projectId, () => containers.stop(step.projectId));
				return;
			case "fork":
				await ensureVolume(step.projectId);
				return;
			case "depart":
				departures.begin(step.projectId);
				return;
		}
	}

	async function bringAbout(): Promise<void> {
		if (goesDown) return;
		retry.begin();
		try {
			if (await carryOutAll()) retry.succeeded();
			else retry.later();
		} catch (error) {
			log.error({ err: error }, "the node's containers and volumes could not be looked at");
			retry.later();
		}
	}

	/** Runs all steps side by side, so that one project's trouble is not the others'. @returns whether all succeeded. */
	async function carryOutEach(steps: readonly Step[]): Promise<boolean> {
		const succeeded = await Promise.all(
			steps.map((step) =>
				carryOut(step).then(
					() => true,
					(error: unknown) => {
						log.error({ err: error, projectId: step.projectId, step: step.kind }, "a step failed; it is tried again");
						return false;
					},
				),
			),
		);
		return succeeded.every(Boolean);
	}

	/** @returns whether the node is now what the site wants. */
	async function carryOutAll(): Promise<boolean> {
		starts.beginLook();
		const listed = await engine.listContainers();
		for (const container of listed) answerRunning(container);
		const steps = reconcile(desired, {
			containers: listed.map((container) => ({
				id: container.id,
				projectId: container.projectId,
				generation: container.generation,
				running: isAlive(container) || starts.isStarting(container),
				paused: container.state === "paused",
				rests: containers.rests(container.projectId, container.id),
			})),
			volumes: new Set(await volumes.list()),
			answeredWants,
		});
		// First what is in the way: a start beside it would take the old container for the new one.
		const cleared = await carryOutEach(steps.filter(({ kind }) => kind === "removeContainer"));
		const done = await carryOutEach(steps.filter(({ kind }) => kind !== "removeContainer"));
		for (const placement of desired.values()) {
			if (isDeparting(placement) && !departures.departed(placement.projectId)) departures.begin(placement.projectId);
		}
		return cleared && done;
	}

	/**
	 * A container that runs answers every want up to now. Otherwise one that is stopped for want of use would come back
	 * because the project was opened again while it ran.
	 */
	function answerRunning({ projectId, generation, state }: ContainerStatus) {
		const placement = desired.get(projectId);
		if (placement?.want !== "running" || placement.generation !== generation) return;
		if (state === "running" && containers.running(projectId)) answeredWants.set(projectId, placement.wantVersion);
	}

	async function ensureVolume(projectId: string): Promise<void> {
		await queues.run(projectId, () => containers.createVolume(placed(find(projectId))));
	}

	function tellPolicy(placement: DesiredPlacement) {
		void options.network.policyChanged(placement).catch((error: unknown) => {
			log.error({ err: error, projectId: placement.projectId }, "the network's new policy waits for the next repair");
		});
	}

	return {
		async recover() {
			const state = await readState(options.stateFile);
			for (const placement of state.placements) desired.set(placement.projectId, placement);
			for (const [projectId, version] of Object.entries(state.answeredWants)) answeredWants.set(projectId, version);
			const listed = await engine.listContainers();
			await options.homes.keepOnly(new Set(listed.flatMap(({ home }) => home ?? [])));
			await adoptContainers({ ...options, desired, queues, containers }, listed);
			await bringAbout();
		},

		async apply(placements) {
			const before = new Map([...desired].map(([projectId, placement]) => [projectId, JSON.stringify(placement)]));
			desired.clear();
			for (const placement of placements) {
				desired.set(placement.projectId, placement);
				arrivals.tell(placement.projectId);
			}
			containers.keepOnly((projectId) => desired.has(projectId));
			for (const projectId of answeredWants.keys()) if (!desired.has(projectId)) answeredWants.delete(projectId);
			departures.desiredChanged();
			// Those alone that changed: telling of thousands for each project that somebody opens would drown the site.
			for (const [projectId, placement] of desired) {
				if (before.get(projectId) === JSON.stringify(placement)) continue;
				tellPolicy(placement);
				options.onChange(projectId);
			}
			// A full disk keeps the old set in the file; the node follows the new one all the same.
			await save().catch((error: unknown) => log.error({ err: error }, "the desired placements were not kept"));
			await queues.run("reconcile", bringAbout);
		},

		find,
		async wait(projectId, wantVersion, timeoutMs) {
			const isHere = () => (desired.get(projectId)?.wantVersion ?? -1) >= wantVersion;
			await arrivals.until(projectId, isHere, timeoutMs);
			const placement = placed(find(projectId));
			if (isHere()) return placement;
			throw new RepldockError("not_placed_here", "The server has not heard of this yet. Try again in a moment.");
		},

		life: containers.life,
		running: containers.running,
		present: containers.present,
		ensureRunning: starts.ensureRunning,
		ensureVolume,

		async pause(projectId) {
			await queues.run(projectId, () => containers.pause(projectId));
		},

		standStill: (projectId, work) =>
			queues.run(projectId, () => whileStandingStill({ engine, containers, log }, projectId, work)),

		async stop(projectId) {
			await queues.run(projectId, () => containers.rest(projectId));
			// Opened in the moment in which it stopped: then it is wanted again.
			const placement = desired.get(projectId);
			if (placement?.want === "running" && (answeredWants.get(projectId) ?? -1) < placement.wantVersion) {
				await queues.run("reconcile", bringAbout);
			}
		},

		async containerEnded(projectId, containerId) {
			// The news may come before the start that it ends is done.
			await starts.settled(projectId);
			if (!containers.isPresent(projectId, containerId) || containers.life(projectId).state === "stopping") return;
			await queues.run(projectId, async () => {
				// The news may be of its last sleep: a resting container is started again under the same id.
				const status = await engine.inspectContainer(containerId);
				if (!status || !isAlive(status)) await containers.remove(projectId, containerId);
			});
		},

		async endAll(withinMs) {
			goesDown = true;
			starts.end();
			retry.close();
			const mayRun = (id: string) => containers.life(id).state !== "stopped" || starts.isUnderWay(id);
			const left = [...desired.keys()].filter(mayRun);
			const work = async () => {
				for (let id = left.pop(); id !== undefined; id = left.pop()) {
					const projectId = id;
					await queues
						.run(projectId, () => containers.stop(projectId))
						.catch((error: unknown) => log.error({ err: error, projectId }, "a container did not end"));
				}
			};
			await Promise.race([
				Promise.all(Array.from({ length: endAtATime }, work)),
				wait(withinMs, undefined, { ref: false }),
			]);
		},

		projects: () => [...desired.keys()],
		close: retry.close,

		observed(projectIds = [...desired.keys()]) {
			return projectIds.flatMap((projectId) => {
				const placement = desired.get(projectId);
				if (!placement) return [];
				const life = containers.life(projectId);
				return {
					projectId,
					generation: placement.generation,
					wantVersion: placement.wantVersion,
					state: departures.departed(projectId) ?? life.state,
					problem: life.problem,
				};
			});
		},
	};
}
