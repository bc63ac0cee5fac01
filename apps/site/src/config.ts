import { type Config, type Option, parse, RepldockConfigError } from "@repldock/service";
import { trafficOptions } from "./config-traffic.ts";
import type { AppsAddress } from "./domain/address.ts";
import type { DatabaseAddress } from "./store/database.ts";

/** Every option of the site. The CLI sets them for its own cluster; an operator may set them in the environment. */
export const siteOptions = {
	databaseUrl: {
		variable: "DATABASE_URL",
		fallback: "",
		parse: parse.optionalText,
		description:
			"PostgreSQL to use instead of the private cluster, for example postgres://user:password@host/database.",
		secret: true,
	},
	databaseSocketDirectory: {
		variable: "REPLDOCK_DATABASE_SOCKET_DIRECTORY",
		fallback: "",
		parse: parse.optionalText,
		description: "Directory of the private cluster's unix socket; used when DATABASE_URL is not set.",
	},
	databaseName: {
		variable: "REPLDOCK_DATABASE_NAME",
		fallback: "repldock",
		parse: parse.text,
		description: "Database in the private cluster.",
	},
	databaseUser: {
		variable: "REPLDOCK_DATABASE_USER",
		fallback: "repldock",
		parse: parse.text,
		description: "Role with which the private cluster is entered.",
	},
	databaseConnections: {
		variable: "REPLDOCK_DATABASE_CONNECTIONS",
		fallback: "10",
		parse: parse.integer(2, 200),
		description: "Most connections that one site instance opens, the one that listens for changes aside.",
	},
	siteSocket: {
		variable: "REPLDOCK_SITE_SOCKET",
		fallback: "",
		parse: parse.optionalText,
		description: "Unix socket to listen on; the edge reaches the site through it.",
	},
	sitePort: {
		variable: "REPLDOCK_SITE_PORT",
		fallback: "0",
		parse: parse.integer(0, 65_535),
		description: "TCP port on 127.0.0.1 to listen on when REPLDOCK_SITE_SOCKET is not set; 0 lets the kernel choose.",
	},
	siteUrl: {
		variable: "REPLDOCK_SITE_URL",
		fallback: "http://localhost:8080",
		parse: parse.url,
		description: "Where people reach the site.",
	},
	appsDomain: {
		variable: "REPLDOCK_APPS_DOMAIN",
		fallback: "localhost",
		parse: parse.text,
		description: "Domain under which each project has its own host name.",
	},
	appsScheme: {
		variable: "REPLDOCK_APPS_SCHEME",
		fallback: "",
		parse: parse.optionalText,
		description: "http or https: how apps are reached; empty means as REPLDOCK_SITE_URL says.",
	},
	appsPort: {
		variable: "REPLDOCK_APPS_PORT",
		fallback: "",
		parse: parse.optionalText,
		description: "Port in the addresses of apps; empty means as REPLDOCK_SITE_URL says.",
	},
	secretsDirectory: {
		variable: "REPLDOCK_SECRETS_DIRECTORY",
		fallback: undefined,
		parse: parse.text,
		description: "Directory of auth-secret, ticket-key.jwk and node-token (mode 0600; made when missing).",
	},
	templatesDirectory: {
		variable: "REPLDOCK_TEMPLATES_DIRECTORY",
		fallback: undefined,
		parse: parse.text,
		description: "Directory of the project templates with their index.json.",
	},
	distDirectory: {
		variable: "REPLDOCK_SITE_DIST_DIRECTORY",
		fallback: "",
		parse: parse.optionalText,
		description: "Directory of the built pages; empty means apps/site/dist.",
	},
	registration: {
		variable: "REPLDOCK_REGISTRATION",
		fallback: "open",
		parse: parse.oneOf("open", "closed"),
		description: "Whether strangers may sign up, until an administrator says otherwise in the settings.",
	},
	projectMemoryBytes: {
		variable: "REPLDOCK_PROJECT_MEMORY",
		fallback: "512M",
		parse: parse.bytes,
		description: "Memory of a new project's container.",
	},
	projectCpus: {
		variable: "REPLDOCK_PROJECT_CPUS",
		fallback: "1",
		parse: parse.number(0.01, 1024),
		description: "Processor cores of a new project's container.",
	},
	projectPids: {
		variable: "REPLDOCK_PROJECT_PIDS",
		fallback: "256",
		parse: parse.integer(8, 1_000_000),
		description: "Processes and threads of a new project's container.",
	},
	projectDiskBytes: {
		variable: "REPLDOCK_PROJECT_DISK",
		fallback: "1G",
		parse: parse.bytes,
		description: "Disk space of a new project's files.",
	},
	projectsPerUser: {
		variable: "REPLDOCK_PROJECTS_PER_USER",
		fallback: "100",
		parse: parse.integer(1, 1_000_000),
		description: "Most projects that one person may have, those in the trash included.",
	},
	runningPerUser: {
		variable: "REPLDOCK_RUNNING_PER_USER",
		fallback: "20",
		parse: parse.integer(1, 1_000_000),
		description:
			"Most projects of one person whose containers may run at the same time; wakes by visitors are counted by each node alone, and what is paused gives way.",
	},
	domainsPerProject: {
		variable: "REPLDOCK_DOMAINS_PER_PROJECT",
		fallback: "10",
		parse: parse.integer(0, 10_000),
		description: "Most custom domains that one project may have, those without a proof included.",
	},
	dnsServers: {
		variable: "REPLDOCK_DNS_SERVERS",
		fallback: "",
		parse: (text: string) => text.split(",").flatMap((server) => server.trim() || []),
		description:
			"Name servers that proofs of custom domains are looked up with, for example `9.9.9.9,149.112.112.112`; empty means the machine's own.",
	},
	domainGraceMs: {
		variable: "REPLDOCK_DOMAIN_GRACE",
		fallback: "7d",
		parse: parse.duration,
		description: "How long a custom domain still shows its project after its proof has gone from DNS.",
	},
	trashTimeMs: {
		variable: "REPLDOCK_TRASH_TIME",
		fallback: "7d",
		parse: parse.duration,
		description: "How long a deleted project can be restored.",
	},
	forkPatienceMs: {
		variable: "REPLDOCK_FORK_PATIENCE",
		fallback: "10s",
		parse: parse.duration,
		description:
			"How long a fork waits for the origin's server to store what is new in it, and for its own to store that it is there.",
	},
	versionsAllMs: {
		variable: "REPLDOCK_VERSIONS_ALL",
		fallback: "1h",
		parse: parse.duration,
		description: "For how long every stored version of a project is kept; those with a name are kept for ever.",
	},
	versionsHourlyMs: {
		variable: "REPLDOCK_VERSIONS_HOURLY",
		fallback: "24h",
		parse: parse.duration,
		description: "For how long one version of each hour is kept.",
	},
	versionsDailyMs: {
		variable: "REPLDOCK_VERSIONS_DAILY",
		fallback: "30d",
		parse: parse.duration,
		description: "For how long one version of each day is kept.",
	},
	nodeGoneAfterMs: {
		variable: "REPLDOCK_NODE_GONE_AFTER",
		fallback: "5m",
		parse: parse.duration,
		description:
			"How long a server is silent before its projects may open on another one that shares its object store; what it had beyond the last durable checkpoint becomes a recovered version when it is back.",
	},
	janitorIntervalMs: {
		variable: "REPLDOCK_JANITOR_INTERVAL",
		fallback: "1m",
		parse: parse.duration,
		description: "How often the site looks for what is past its time, such as the trash.",
	},
	...trafficOptions,
	signInWindowMs: {
		variable: "REPLDOCK_SIGN_IN_WINDOW",
		fallback: "60s",
		parse: parse.duration,
		description: "Time over which attempts to sign in are counted.",
	},
	signInAddressLimit: {
		variable: "REPLDOCK_SIGN_IN_ADDRESS_LIMIT",
		fallback: "60",
		parse: parse.integer(1, 1_000_000),
		description:
			"Attempts to sign in (and, counted apart, to sign up or change a password) by one address in that time.",
	},
	signInAccountLimit: {
		variable: "REPLDOCK_SIGN_IN_ACCOUNT_LIMIT",
		fallback: "10",
		parse: parse.integer(1, 1_000_000),
		description: "Failed attempts to sign in to one account in that time, whatever addresses they come from.",
	},
	logLevel: {
		variable: "REPLDOCK_LOG_LEVEL",
		fallback: "info",
		parse: parse.oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
		description: "Least level that is logged.",
	},
} as const satisfies Record<string, Option<unknown>>;

export type SiteConfig = Config<typeof siteOptions>;

/** @throws RepldockConfigError when neither a URL nor a socket directory is set. */
export function databaseAddress(config: SiteConfig): DatabaseAddress {
	if (config.databaseUrl) return { connectionString: config.databaseUrl };
	if (config.databaseSocketDirectory) {
		return { host: config.databaseSocketDirectory, database: config.databaseName, user: config.databaseUser };
	}
	throw new RepldockConfigError(["DATABASE_URL or REPLDOCK_DATABASE_SOCKET_DIRECTORY must be set."]);
}

/** How apps are reached: as options say, otherwise as the site is. */
export function appsAddress(config: SiteConfig): AppsAddress {
	const site = new URL(config.siteUrl);
	return {
		scheme: config.appsScheme ?? site.protocol.replace(":", ""),
		domain: config.appsDomain,
		port: config.appsPort ?? site.port,
	};
}
