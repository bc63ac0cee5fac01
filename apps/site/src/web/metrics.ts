import type { IncomingMessage, ServerResponse } from "node:http";
import { bearsToken, type Metric, metricsContentType, processMetrics, renderMetrics } from "@repldock/service";
import type { Database } from "../store/database.ts";
import { type ClusterCounts, countCluster } from "../store/metrics.ts";

/** Figures of the cluster for Prometheus. @returns false when there is no token or it is not borne: nothing is here. */
export function createMetrics(
	database: Database,
	token: string | undefined,
): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
	return async (request, response) => {
		if (token === undefined || !bearsToken(request.headers.authorization, token)) return false;
		const text = renderMetrics([...clusterMetrics(await countCluster(database)), ...processMetrics()]);
		response.writeHead(200, { "content-type": metricsContentType, "cache-control": "no-store" });
		response.end(text);
		return true;
	};
}

function clusterMetrics(counts: ClusterCounts): Metric[] {
	const gauge = (name: string, help: string, values: Metric["values"]): Metric => ({
		name,
		type: "gauge",
		help,
		values,
	});
	return [
		gauge("repldock_site_nodes", "Nodes, by whether they were heard of lately.", [
			{ labels: { state: "live" }, value: counts.liveNodes },
			{ labels: { state: "lost" }, value: counts.lostNodes },
		]),
		gauge("repldock_site_users", "People with an account.", [{ value: counts.users }]),
		gauge("repldock_site_projects", "Projects, those in the trash aside.", [{ value: counts.projects }]),
		gauge(
			"repldock_site_placements",
			"Placements by the state that their node reported.",
			counts.placements.map(({ state, count }) => ({ labels: { state }, value: count })),
		),
		gauge("repldock_site_restricted_projects", "Projects whose network an administrator restricted.", [
			{ value: counts.restricted },
		]),
		gauge("repldock_site_alerts_waiting", "Alerts that the webhook has not taken yet.", [
			{ value: counts.alertsWaiting },
		]),
		gauge("repldock_site_checkpoints", "Checkpoints that the database names.", [{ value: counts.checkpoints }]),
		gauge("repldock_site_damaged_checkpoints", "Checkpoints whose object is missing or damaged.", [
			{ value: counts.damagedCheckpoints },
		]),
	];
}
