import type { NodeToSite, SiteToNode } from "@repldock/protocol";
import type { Database } from "../store/database.ts";
import { recordAlerts } from "../store/network-alerts.ts";
import { recordNodeTraffic, recordTrafficHours } from "../store/traffic.ts";

type TrafficMessage = Extract<NodeToSite, { type: "traffic" | "trafficHours" | "alerts" }>;

export function isTrafficMessage(message: NodeToSite): message is TrafficMessage {
	return ["traffic", "trafficHours", "alerts"].includes(message.type);
}

/**
 * Takes in what a node tells of its network; repeating it is harmless.
 * @param deliverAlerts whether there is a webhook.
 * @returns what the node may forget now.
 */
export async function recordTraffic(
	database: Database,
	nodeId: string,
	message: TrafficMessage,
	deliverAlerts: boolean,
): Promise<SiteToNode | null> {
	switch (message.type) {
		case "traffic":
			await recordNodeTraffic(database, nodeId, message.traffic);
			return null;
		case "trafficHours":
			await recordTrafficHours(database, nodeId, message.ledger, message.hours);
			return message.over ? { type: "trafficKept", hours: [...new Set(message.hours.map(({ hour }) => hour))] } : null;
		case "alerts":
			await recordAlerts(database, nodeId, message.alerts, deliverAlerts);
			return { type: "alertsKept", ids: message.alerts.map(({ id }) => id) };
	}
}
