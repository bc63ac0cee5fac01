import { statfs } from "node:fs/promises";
import type { Metric } from "@repldock/service";
import type { Lag } from "./checkpoints/lag.ts";

/**
 * How storing stands, for metrics: no project has a label of its own.
 * @param mountPoint of the volumes' file system.
 */
export async function storageMetrics({ volumes, waitedMs, storeFailure }: Lag, mountPoint: string): Promise<Metric[]> {
	const { bsize, bavail, blocks } = await statfs(mountPoint);
	return [
		gauge(
			"repldock_node_checkpoint_lag_seconds",
			"How long the oldest change that is not durable waits.",
			waitedMs / 1000,
		),
		gauge("repldock_node_volumes_not_durable", "Volumes that hold what is not in the object store.", volumes),
		gauge(
			"repldock_node_object_store_failing",
			"Whether the object store refused what it was given last.",
			storeFailure === null ? 0 : 1,
		),
		gauge("repldock_node_volumes_free_bytes", "Free in the volumes' file system.", bavail * bsize),
		gauge("repldock_node_volumes_size_bytes", "Size of the volumes' file system.", blocks * bsize),
	];
}

function gauge(name: string, help: string, value: number): Metric {
	return { name, type: "gauge", help, values: [{ value }] };
}
