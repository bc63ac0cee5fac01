import { ContainerState } from "@repldock/protocol";
import type { Metric } from "@repldock/service";
import type { NodeConfig } from "../config.ts";
import type { Placements } from "../placements/placements.ts";
import { createTraffic, type Traffic, type TrafficOptions } from "./traffic.ts";

/** Measures this node's placements from `begin` to `close`. */
export async function startTraffic(
	options: Omit<TrafficOptions, "standing" | "owner" | "ceiling" | "alerts"> & {
		placements: Pick<Placements, "projects" | "find" | "present">;
		config: Pick<NodeConfig, "scanDestinations" | "stormConnections" | "miningPorts">;
	},
): Promise<Traffic & { begin(): void; close(): Promise<void> }> {
	const { placements, config, ...rest } = options;
	const ended = new AbortController();
	let running = Promise.resolve();
	const traffic = await createTraffic({
		...rest,
		standing: () =>
			placements.projects().flatMap((projectId) => {
				const container = placements.present(projectId);
				const placement = placements.find(projectId);
				if (!container || !placement) return [];
				const { containerId, address } = container;
				return { projectId, generation: placement.generation, containerId, address };
			}),
		owner: (projectId) => placements.find(projectId)?.owner.id ?? projectId,
		ceiling(projectId) {
			const policy = placements.find(projectId)?.network;
			const ceilings = [policy?.egressBitsPerSecond, policy?.restriction?.bitsPerSecond].filter((most) => most != null);
			return ceilings.length === 0 ? null : Math.min(...ceilings);
		},
		alerts: {
			scannedDestinations: config.scanDestinations,
			connections: config.stormConnections,
			miningPorts: new Set(config.miningPorts),
		},
	});
	return {
		...traffic,
		begin() {
			running = traffic.run(ended.signal);
		},
		close() {
			ended.abort();
			return running;
		},
	};
}

/** Containers by state, for metrics. */
export function containerMetrics(placements: Pick<Placements, "projects" | "life">, slots: number): Metric[] {
	const counts = new Map<string, number>(ContainerState.options.map((state) => [state, 0]));
	for (const projectId of placements.projects()) {
		const { state } = placements.life(projectId);
		counts.set(state, (counts.get(state) ?? 0) + 1);
	}
	return [
		{
			name: "repldock_node_slots",
			type: "gauge",
			help: "Containers that the node has room for.",
			values: [{ value: slots }],
		},
		{
			name: "repldock_node_projects",
			type: "gauge",
			help: "Projects of the node by the state of their container.",
			values: [...counts].map(([state, value]) => ({ labels: { state }, value })),
		},
	];
}
