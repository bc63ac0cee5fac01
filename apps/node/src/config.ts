import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { isIPv4 } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Config, parse, RepldockConfigError, readConfig } from "@repldock/service";
import { egressOptions } from "./config-egress.ts";
import { networkOptions } from "./config-network.ts";
import { tlsOptions } from "./config-tls.ts";
import { trafficOptions } from "./config-traffic.ts";

/** The edge waits for its agent's answer a little longer than that. */
const wakeMostMs = 10 * 60 * 1000;

function wakeTime(text: string): number {
	const timeMs = parse.duration(text);
	if (timeMs > wakeMostMs) throw new Error("is more than 10m");
	return timeMs;
}

function checkpointTime(text: string): number {
	const timeMs = parse.duration(text);
	if (timeMs < 100) throw new Error("is less than 100ms");
	return timeMs;
}

/** `down` waits for it. */
const drainMostMs = 2 * 60 * 1000;

function drainTime(text: string): number {
	const timeMs = parse.duration(text);
	if (timeMs > drainMostMs) throw new Error("is more than 2m");
	return timeMs;
}

function scrubTime(text: string): number | undefined {
	const timeMs = parse.optionalDuration(text);
	if (timeMs !== undefined && timeMs < 1000) throw new Error("is less than 1s");
	return timeMs;
}

function parseAddress(text: string): string | undefined {
	if (text === "") return undefined;
	// Such addresses would be everybody's or nobody's.
	if (!isIPv4(text) || /^(?:0|127|22[4-9]|2[3-5]\d)\./.test(text))
		throw new Error("is not an IPv4 address of one machine");
	return text;
}

function parseEdgeAddress(text: string): string {
	const [address = "", port = ""] = text.split(":");
	if (text === "" || (isIPv4(address) && /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535)) return text;
	throw new Error("must be an IPv4 address and a port, such as 10.0.0.2:8080");
}

/** Options of a node: the agent, its holder, engine and edge. */
export const nodeOptions = {
	dataDirectory: {
		variable: "REPLDOCK_DATA",
		fallback: "/var/lib/repldock",
		parse: parse.text,
		description: "Where everything that must outlive a restart is kept.",
	},
	siteUrl: {
		variable: "REPLDOCK_SITE_URL",
		fallback: "http://localhost:8080",
		parse: parse.url,
		description: "The site's address, as browsers see it; the agent dials out to it.",
	},
	appsDomain: {
		variable: "REPLDOCK_APPS_DOMAIN",
		fallback: "localhost",
		parse: parse.text,
		description: "Apps answer at `<slug>.<apps domain>`, this node's gateway at `node.<apps domain>`.",
	},
	httpPort: {
		variable: "REPLDOCK_HTTP_PORT",
		fallback: "8080",
		parse: parse.integer(1, 65_535),
		description: "The TCP port that the edge listens on.",
	},
	...tlsOptions,
	siteSocket: {
		variable: "REPLDOCK_SITE_SOCKET",
		fallback: "",
		parse: parse.optionalText,
		description: "Unix socket of a site on this machine; the agent dials it instead of the site's address.",
	},
	appsAddress: {
		variable: "REPLDOCK_APPS_ADDRESS",
		fallback: "",
		parse: parseAddress,
		description:
			"IPv4 address of this machine whose TCP ports 80 and 2001 to 65535 are the apps' ports; empty means that only `<port>--<slug>.<apps domain>` reaches them.",
	},
	answerTimeoutMs: {
		variable: "REPLDOCK_ANSWER_TIMEOUT",
		fallback: "10m",
		parse: parse.duration,
		description:
			"How long an app may be silent before its answer begins, and within one; WebSockets and event streams are not limited.",
	},
	nodeName: {
		variable: "REPLDOCK_NODE_NAME",
		fallback: hostname(),
		parse: parse.text,
		description: "This node's name in the cluster; unique.",
	},
	slots: {
		variable: "REPLDOCK_SLOTS",
		fallback: "500",
		parse: parse.integer(1, 100_000),
		description: "How many containers this node has room for.",
	},
	egress: {
		variable: "REPLDOCK_EGRESS",
		fallback: "open",
		parse: parse.oneOf("open", "closed"),
		description: "Whether containers reach the internet.",
	},
	...egressOptions,
	...networkOptions,
	subnet: {
		variable: "REPLDOCK_SUBNET",
		fallback: "",
		parse: parse.optionalText,
		description:
			"The containers' IPv4 subnet between /16 and /30, for example `10.213.0.0/20`; a free one is chosen when empty.",
	},
	volumesSizeBytes: {
		variable: "REPLDOCK_VOLUMES_SIZE",
		fallback: "",
		parse: (text: string) => (text === "" ? undefined : parse.bytes(text)),
		description:
			"The most that the file which holds the volumes may grow to; empty means 80 % of the disk's free space.",
	},
	volumesDevice: {
		variable: "REPLDOCK_VOLUMES_DEVICE",
		fallback: "",
		parse: parse.optionalText,
		description: "Block device with a btrfs file system for the volumes, instead of a file; it is never formatted.",
	},
	gatewayUrl: {
		variable: "REPLDOCK_GATEWAY_URL",
		fallback: "",
		parse: parse.optionalText,
		description:
			"Where browsers and programs reach this node's files and terminals; empty means `node.<apps domain>`, or 127.0.0.1 for a site on localhost.",
	},
	edgeAddress: {
		variable: "REPLDOCK_EDGE_ADDRESS",
		fallback: "",
		parse: parseEdgeAddress,
		description:
			"IPv4 address and port at which the edges of other nodes reach this one's, for example `10.0.0.2:8080`; when empty, only this node shows its projects.",
	},
	templatesDirectory: {
		variable: "REPLDOCK_TEMPLATES_DIRECTORY",
		fallback: fileURLToPath(new URL("../../../templates", import.meta.url)),
		parse: parse.text,
		description: "Directory of the project templates.",
	},
	checkpointEveryMs: {
		variable: "REPLDOCK_CHECKPOINT_EVERY",
		fallback: "5s",
		parse: checkpointTime,
		description:
			"How often the files that changed go to the object store, at most; what a server loses for ever is what changed since.",
	},
	drainPatienceMs: {
		variable: "REPLDOCK_DRAIN_PATIENCE",
		fallback: "60s",
		parse: drainTime,
		description:
			"How long `down` waits at most, once all programs have ended, until the object store has what they wrote last; what it does not take by then stays on the server's disk and follows after the next start.",
	},
	scrubEveryMs: {
		variable: "REPLDOCK_SCRUB_EVERY",
		fallback: "30d",
		parse: scrubTime,
		description:
			"In which time every object of checkpoints is read back once and its sum verified, spread evenly; `never` switches it off.",
	},
	pauseAfterMs: {
		variable: "REPLDOCK_PAUSE_AFTER",
		fallback: "5m",
		parse: parse.optionalDuration,
		description:
			"A project that nobody has open and nobody visits is paused after this time: its programs stand still and use no processor; `never` switches it off.",
	},
	idleTimeoutMs: {
		variable: "REPLDOCK_IDLE_TIMEOUT",
		fallback: "15m",
		parse: parse.optionalDuration,
		description:
			"A project that nobody has open and nobody visits is stopped after this time, which frees its memory; not less than REPLDOCK_PAUSE_AFTER; `never` switches it off.",
	},
	wakeTimeoutMs: {
		variable: "REPLDOCK_WAKE_TIMEOUT",
		fallback: "60s",
		parse: wakeTime,
		description:
			"How long a visitor's request to a sleeping project is held until its app listens; browsers get a page that tries again after 3 s.",
	},
	noWakeAgents: {
		variable: "REPLDOCK_NO_WAKE_AGENTS",
		fallback:
			"bot/,bot;,bot-,crawler,spider,slurp,facebookexternalhit,UptimeRobot,Pingdom,StatusCake,Site24x7,Better Uptime,Uptime-Kuma,kube-probe,ELB-HealthChecker,GoogleHC,Prometheus,Blackbox-Exporter",
		parse: parse.list,
		description:
			"Parts of User-Agent texts, in any case and with commas between them, whose requests neither wake a sleeping project nor keep one awake.",
	},
	visitorAddressesForMs: {
		variable: "REPLDOCK_VISITOR_ADDRESSES_FOR",
		fallback: "24h",
		parse: parse.duration,
		description: "How long the addresses of an app's visitors are kept in its list of requests; `0s`: never.",
	},
	visitorConnections: {
		variable: "REPLDOCK_VISITOR_CONNECTIONS",
		fallback: "2000",
		parse: parse.integer(0, 1_000_000),
		description:
			"TCP connections that one address (IPv6: one /64) may have to the edge, whatever it asks; 0: no limit.",
	},
	appConnections: {
		variable: "REPLDOCK_APP_CONNECTIONS",
		fallback: "2000",
		parse: parse.integer(0, 1_000_000),
		description: "Requests of visitors that one app may serve at once, WebSockets among them; 0: no limit.",
	},
	appRequestsPerSecond: {
		variable: "REPLDOCK_APP_REQUESTS_PER_SECOND",
		fallback: "2000",
		parse: parse.integer(0, 1_000_000),
		description: "Requests a second that visitors of one app may make, two seconds' worth at once; 0: no limit.",
	},
	appBodyBytes: {
		variable: "REPLDOCK_APP_BODY",
		fallback: "0",
		parse: parse.bytes,
		description: "Largest body of one request to an app; 0: no limit.",
	},
	appVisitorConnections: {
		variable: "REPLDOCK_APP_VISITOR_CONNECTIONS",
		fallback: "400",
		parse: parse.integer(0, 1_000_000),
		description:
			"How many of an app's connections one visitor address (IPv6: one /64) may have; a school may be one address; 0: no limit.",
	},
	appVisitorRequestsPerSecond: {
		variable: "REPLDOCK_APP_VISITOR_REQUESTS_PER_SECOND",
		fallback: "400",
		parse: parse.integer(0, 1_000_000),
		description: "Requests a second that one visitor address may make of one app; 0: no limit.",
	},
	...trafficOptions,
	toolchainArchive: {
		variable: "REPLDOCK_TOOLCHAIN_ARCHIVE",
		fallback: "",
		parse: parse.optionalText,
		description: "Archive of the toolchain image; `up` builds and names it.",
	},
	toolchainHash: {
		variable: "REPLDOCK_TOOLCHAIN_HASH",
		fallback: "unnamed",
		parse: parse.text,
		description: "Hash of the toolchain image's definition; `up` names it.",
	},
	systemUser: {
		variable: "REPLDOCK_SYSTEM_USER",
		fallback: "repldock",
		parse: parse.text,
		description: "The unprivileged system user of the site and the edge's workers, and of the containers' id range.",
	},
	logLevel: {
		variable: "REPLDOCK_LOG_LEVEL",
		fallback: "info",
		parse: parse.oneOf("debug", "info", "warn", "error"),
		description: "How much the agent, holder and site write to their logs.",
	},
} as const;

export type NodeConfig = Config<typeof nodeOptions>;

export function readNodeConfig(environment: Record<string, string | undefined>): NodeConfig {
	const config = readConfig(nodeOptions, environment);
	if ((config.idleTimeoutMs ?? Number.POSITIVE_INFINITY) < (config.pauseAfterMs ?? 0)) {
		throw new RepldockConfigError([
			"REPLDOCK_IDLE_TIMEOUT is less than REPLDOCK_PAUSE_AFTER; raise it or lower the other.",
		]);
	}
	return config;
}

/**
 * Where browsers reach this node. A site on `localhost` gets a gateway on 127.0.0.1: another origin, as it must be since
 * the files it serves are strangers', and one that needs no resolver which knows names below `localhost`.
 */
export function gatewayUrl(config: NodeConfig): string {
	if (config.gatewayUrl) return config.gatewayUrl;
	const site = new URL(config.siteUrl);
	const host = site.hostname === "localhost" ? "127.0.0.1" : `node.${config.appsDomain}`;
	return `${site.protocol}//${host}${site.port ? `:${site.port}` : ""}`;
}

/** Names and paths that follow from the configuration; two data directories on one machine never share one. */
export function nodePaths(config: NodeConfig) {
	const data = realpathSync(config.dataDirectory);
	const run = join(data, "run");
	const instance = createHash("sha256").update(data).digest("hex").slice(0, 8);
	return {
		data,
		run,
		instance,
		bridge: `rd-${instance}`,
		shapingDevice: `rdi-${instance}`,
		strayDevice: `rds-${instance}`,
		table: `rd_${instance}`,
		appsTable: `rda_${instance}`,
		agentSocket: join(run, "agent.sock"),
		engineSocket: join(run, "docker.sock"),
		edgeSocket: join(run, "edge.sock"),
		homes: join(data, "homes"),
		accessSecret: join(data, "secrets", "node", "access-secret"),
		nodeToken: join(data, "secrets", "node", "node-token"),
		documents: join(data, "documents"),
		checkpoints: join(data, "checkpoints.json"),
		garbage: join(data, "garbage.json"),
		requests: join(data, "requests"),
		traffic: join(data, "traffic"),
		spool: join(data, "spool"),
		desired: join(data, "desired.json"),
		welcome: join(data, "welcome.json"),
		machineId: join(data, "machine-id"),
		certificates: join(data, "certificates"),
		siteAddresses: join(data, "site-addresses.json"),
		clusterRoutes: join(data, "cluster-routes.json"),
		holderControl: join(run, "holder-control.sock"),
		image: `repldock/toolchain:${config.toolchainHash.slice(0, 32)}`,
	};
}
export type NodePaths = ReturnType<typeof nodePaths>;
