import { type Option, parse } from "./config.ts";

/** One metric in the text that Prometheus reads. */
export interface Metric {
	/** With the unit at its end, as Prometheus wants it: `repldock_node_sent_bytes_total`. */
	name: string;
	/** A counter only rises while its process lives. */
	type: "counter" | "gauge";
	help: string;
	/** Labels must come from a short list of ours, never from users. */
	values: readonly { labels?: Readonly<Record<string, string>>; value: number }[];
}

/** The content type of `renderMetrics`. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

export function renderMetrics(metrics: readonly Metric[]): string {
	return metrics
		.flatMap(({ name, type, help, values }) => [
			`# HELP ${name} ${help}`,
			`# TYPE ${name} ${type}`,
			...values.map(({ labels, value }) => `${name}${renderLabels(labels ?? {})} ${value}`),
		])
		.map((line) => `${line}\n`)
		.join("");
}

/** What every process of ours says of itself. */
export function processMetrics(): Metric[] {
	const { user, system } = process.cpuUsage();
	return [
		{
			name: "process_resident_memory_bytes",
			type: "gauge",
			help: "Memory of the process.",
			values: [{ value: process.memoryUsage.rss() }],
		},
		{
			name: "process_cpu_seconds_total",
			type: "counter",
			help: "Processor time of the process.",
			values: [{ value: (user + system) / 1_000_000 }],
		},
		{
			name: "process_start_time_seconds",
			type: "gauge",
			help: "When the process started, in seconds since 1970.",
			values: [{ value: Math.round(Date.now() / 1000 - process.uptime()) }],
		},
	];
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
	const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
	return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** Site and node have the same token, so that one scraper reads both. */
export const metricsTokenOption: Option<string | undefined> = {
	variable: "REPLDOCK_METRICS_TOKEN",
	fallback: "",
	parse: parse.optionalText,
	description:
		"What Prometheus must send as bearer token to read `/metrics` of the site and of the node's gateway; without it there are no metrics.",
	secret: true,
};
