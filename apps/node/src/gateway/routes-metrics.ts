import { RepldockError } from "@repldock/protocol";
import { bearsToken, metricsContentType, processMetrics, renderMetrics } from "@repldock/service";
import { Hono } from "hono";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";

/** Figures of the whole node for Prometheus, under `/metrics`. Without a token in the configuration there are none. */
export function metricsRoutes({ traffic, metricsToken, metrics }: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();
	routes.get("/", async (context) => {
		if (metricsToken === undefined || !bearsToken(context.req.header("Authorization"), metricsToken))
			throw new RepldockError("not_found", "There is nothing at this address.");
		const text = renderMetrics([...(await metrics()), ...traffic.metrics(), ...processMetrics()]);
		return context.body(text, 200, { "Content-Type": metricsContentType, "Cache-Control": "no-store" });
	});
	return routes;
}
