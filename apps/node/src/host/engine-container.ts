import { z } from "zod";
import type { ContainerSpecification, ContainerStatus, HomeOfContainer } from "../host.ts";
import { homeInContainer } from "./homes.ts";

/** Labels by which our containers are known among others. */
export const labels = {
	project: "repldock.project",
	generation: "repldock.generation",
	slug: "repldock.slug",
	home: "repldock.home",
} as const;

/** The container's user: `runner` of the toolchain image, mapped to a nameless user of the host. */
const runner = "1000:1000";
const temporaryBytes = 256 * 1024 * 1024;
const sharedMemoryBytes = 64 * 1024 * 1024;

/** Cannot be above the engine's own hard limit: it is set from inside the user namespace, where nothing is raised. */
const openFiles = 16_384;
const pendingSignals = 1_024;

/**
 * Programs of containers are the first to go when the machine runs out of memory. The placeholder is put back below
 * them by `protectPlaceholder`.
 */
const outOfMemoryScore = 500;

/** The engine's description of a container. `runtime` undefined means the engine's default. */
export function containerBody(
	specification: ContainerSpecification,
	home: HomeOfContainer,
	runtime: string | undefined,
) {
	const { projectId, generation, slug, image, environment, limits } = specification;
	return {
		Image: image,
		Hostname: slug,
		User: runner,
		// Programs are told theirs. The sleeper is there before the project's folder, and holds no volume.
		WorkingDir: "/",
		Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
		// The engine's own init (below) reaps what programs leave behind; the sleeper holds the container open.
		Entrypoint: ["sleep", "infinity"],
		Cmd: [],
		Labels: {
			[labels.project]: projectId,
			[labels.generation]: String(generation),
			[labels.slug]: slug,
			[labels.home]: home.name,
		},
		HostConfig: {
			...(runtime === undefined ? {} : { Runtime: runtime }),
			Init: true,
			ReadonlyRootfs: true,
			CapDrop: ["ALL"],
			SecurityOpt: ["no-new-privileges"],
			PidsLimit: limits.pids,
			Memory: limits.memoryBytes,
			// The same figure again: memory and swap together, so no swap.
			MemorySwap: limits.memoryBytes,
			NanoCpus: Math.round(limits.cpus * 1e9),
			// Pages of these count as the container's memory.
			Tmpfs: { "/tmp": `rw,exec,nosuid,nodev,mode=1777,size=${temporaryBytes}` },
			ShmSize: sharedMemoryBytes,
			Ulimits: [
				{ Name: "nofile", Soft: openFiles, Hard: openFiles },
				{ Name: "core", Soft: 0, Hard: 0 },
				// Signals that wait in a queue count as root's: all containers and the machine share one limit.
				{ Name: "sigpending", Soft: pendingSignals, Hard: pendingSignals },
			],
			RestartPolicy: { Name: "no" },
			LogConfig: { Type: "none" },
			OomScoreAdj: outOfMemoryScore,
			NetworkMode: "bridge",
			IpcMode: "private",
			CgroupnsMode: "private",
			Mounts: [
				// What is mounted in it later appears in the container; what is mounted in the container stays there.
				{ Type: "bind", Source: home.path, Target: homeInContainer, BindOptions: { Propagation: "rslave" } },
			],
		},
	};
}

const State = z.enum(["created", "running", "paused", "restarting", "removing", "exited", "dead"]);

const Inspected = z.object({
	Id: z.string(),
	Config: z.object({ Image: z.string(), Labels: z.record(z.string(), z.string()).nullable() }),
	State: z.object({ Status: State, Pid: z.int(), OOMKilled: z.boolean() }),
	NetworkSettings: z.object({
		Networks: z.record(z.string(), z.object({ IPAddress: z.string(), MacAddress: z.string() })),
	}),
});

/** @returns null when the container does not carry our labels. */
export function readStatus(json: unknown): ContainerStatus | null {
	const inspected = Inspected.parse(json);
	const given = inspected.Config.Labels ?? {};
	const projectId = given[labels.project];
	const generation = Number(given[labels.generation]);
	if (projectId === undefined || !Number.isSafeInteger(generation)) return null;
	const running = inspected.State.Status === "running" || inspected.State.Status === "paused";
	const [network] = Object.values(inspected.NetworkSettings.Networks);
	return {
		id: inspected.Id,
		projectId,
		generation,
		slug: given[labels.slug] ?? "",
		state: readState(inspected.State.Status),
		pid: running ? inspected.State.Pid : 0,
		address: running ? network?.IPAddress || null : null,
		hardwareAddress: running ? network?.MacAddress || null : null,
		image: inspected.Config.Image,
		outOfMemory: inspected.State.OOMKilled,
		home: given[labels.home] ?? null,
	};
}

/** The engine's in-between states are told by what they lead to. */
function readState(state: z.infer<typeof State>): ContainerStatus["state"] {
	if (state === "restarting") return "running";
	return state === "removing" ? "dead" : state;
}
