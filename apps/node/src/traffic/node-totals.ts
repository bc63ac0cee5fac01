import type { Metric } from "@repldock/service";
import type { RefusalReason } from "../network/parts.ts";
import type { ConnectionCount } from "./connections.ts";
import type { LedgerRise } from "./ledger.ts";
import type { TrafficSources } from "./sources.ts";

/** What the node as a whole carried since its agent started, for metrics: no project has a label of its own. */
export interface NodeTotals {
	add(rise: LedgerRise): void;
	metrics(now: {
		shares: ReturnType<TrafficSources["shares"]>;
		connections: ReadonlyMap<string, ConnectionCount>;
		alerts: ReadonlyMap<string, number>;
		refusals: ReadonlyMap<string, Partial<Record<RefusalReason, number>>>;
	}): Metric[];
}

export function createNodeTotals(): NodeTotals {
	const sums = {
		sentBytes: 0,
		sentPackets: 0,
		droppedPackets: 0,
		receivedBytes: 0,
		receivedPackets: 0,
		refusedPackets: 0,
		terminalBytes: 0,
	};

	return {
		add(rise) {
			for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += rise[name];
		},

		metrics({ shares, connections, alerts, refusals }) {
			const open = [...connections.values()].reduce((sum, project) => sum + project.connections, 0);
			const byReason = new Map<string, number>();
			for (const reasons of refusals.values())
				for (const [reason, packets] of Object.entries(reasons))
					byReason.set(reason, (byReason.get(reason) ?? 0) + packets);
			return [
				gauge("repldock_node_uplink_bits_per_second", "What the node's containers share.", shares.uplinkBitsPerSecond),
				gauge("repldock_node_floor_bits_per_second", "What each container is sure of.", shares.floorBitsPerSecond),
				counter(
					"repldock_node_sent_bytes_total",
					"Sent by containers, with Ethernet's headers.",
					sums.sentBytes - sums.terminalBytes,
				),
				counter("repldock_node_terminal_bytes_total", "Shown by terminals and consoles.", sums.terminalBytes),
				counter("repldock_node_sent_packets_total", "Sent by containers.", sums.sentPackets),
				counter("repldock_node_dropped_packets_total", "Thrown away by the shaper.", sums.droppedPackets),
				counter("repldock_node_received_bytes_total", "Received by containers.", sums.receivedBytes),
				counter("repldock_node_received_packets_total", "Received by containers.", sums.receivedPackets),
				counter("repldock_node_refused_packets_total", "Refused by the node's policy.", sums.refusedPackets),
				gauge("repldock_node_connections", "Connections that containers began and the kernel tracks.", open),
				{
					name: "repldock_node_refused_packets_standing",
					type: "gauge",
					help: "Refused of the containers that stand now, by reason.",
					values: [...byReason].map(([reason, value]) => ({ labels: { reason }, value })),
				},
				{
					name: "repldock_node_alerts_total",
					type: "counter",
					help: "Floods and the like that were noticed, by kind.",
					values: [...alerts].map(([kind, value]) => ({ labels: { kind }, value })),
				},
			];
		},
	};
}

function gauge(name: string, help: string, value: number): Metric {
	return { name, type: "gauge", help, values: [{ value }] };
}

function counter(name: string, help: string, value: number): Metric {
	return { name, type: "counter", help, values: [{ value }] };
}
