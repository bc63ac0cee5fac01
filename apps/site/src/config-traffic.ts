import { metricsTokenOption, type Option, parse } from "@repldock/service";

function webhook(text: string): string | undefined {
	if (text === "") return undefined;
	if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) throw new Error("is no http or https address");
	return text;
}

/** Options of the ledger, of alerts and of metrics. */
export const trafficOptions = {
	trafficHoursForMs: {
		variable: "REPLDOCK_TRAFFIC_HOURS_FOR",
		fallback: "90d",
		parse: parse.duration,
		description: "How long each project's traffic is kept hour by hour; older hours are added up to days.",
	},
	trafficDaysForMs: {
		variable: "REPLDOCK_TRAFFIC_DAYS_FOR",
		fallback: "730d",
		parse: parse.duration,
		description: "How long each project's traffic is kept day by day.",
	},
	alertWebhook: {
		variable: "REPLDOCK_ALERT_WEBHOOK",
		fallback: "",
		parse: webhook,
		description:
			"Address to which the site posts a JSON document for each flood that a node noticed (port scan, connection storm, mining, DNS tunnel); empty: they stand on the node's page alone.",
		secret: true,
	},
	alertsForMs: {
		variable: "REPLDOCK_ALERTS_FOR",
		fallback: "30d",
		parse: parse.duration,
		description: "How long alerts stand on a node's page.",
	},
	metricsToken: metricsTokenOption,
} as const satisfies Record<string, Option<unknown>>;
