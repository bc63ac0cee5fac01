import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Debian's NGINX, started as `edgeProgram` says. It needs libnginx-mod-http-lua and lua-cjson. */
export const nginxProgram = "/usr/sbin/nginx";

export interface EdgeOptions {
	/** The data directory: its `run` holds the sockets, its `edge` and `logs` what NGINX writes. Absolute. */
	dataDirectory: string;
	/** TCP port of all hosts; the edge listens on every address. */
	httpPort: number;
	/** TCP port on which all hosts speak TLS; without it none does. */
	tls?: EdgeTls;
	/** Where people reach the site; pages of the edge link to it. */
	siteUrl: string;
	/** The site's host name; `localhost` also answers to the loopback addresses that are not the gateway's. */
	siteHost: string;
	/** Host name of the node's gateway beside `node.<apps domain>`; it may be an address. */
	gatewayHost: string;
	/** Apps live at `<slug>.<apps domain>`. */
	appsDomain: string;
	/** IPv4 subnets (CIDR) of this node's containers; nothing outside them is ever proxied to. */
	containerSubnets: readonly string[];
	/** Parts of User-Agent texts that neither wake a sleeping project nor keep one awake; default: none. */
	noWakeAgents?: readonly string[];
	/** Unprivileged user of the worker processes, with a group of the same name. */
	user: string;
	/** Default `auto`: one a processor. */
	workers?: number | "auto";
	/** Listen on IPv6 too; default: when this machine has it. */
	ipv6?: boolean;
	/** Shared memory for routes; default 32 MiB, enough for about 60,000. */
	routesMemoryBytes?: number;
	/** What the visitors of one project may ask; default: no limits. */
	limits?: EdgeLimits;
	/** Port of the transparent socket to which apps-address.ts brings the ports of the apps address. */
	appsListenPort?: number;
	/** How long an app may be silent before its answer begins; default 10 minutes. Sockets and event streams may be for days. */
	answerTimeoutMs?: number;
}

export interface EdgeTls {
	httpsPort: number;
	/** Visitors who name no host meet this certificate until another one is known for them. PEM. */
	fallback: { certificate: string; key: string };
	/** Send visitors of the plain port to TLS where there is a certificate for their host. */
	redirect: boolean;
	/** `max-age` of Strict-Transport-Security; 0 for none. */
	hstsSeconds: number;
}

/** Limits of each project and, within them, of each visitor address. 0 means no limit. */
export interface EdgeLimits {
	/** Requests at the same time, WebSockets among them. */
	connections: number;
	requestsPerSecond: number;
	visitorConnections: number;
	visitorRequestsPerSecond: number;
	/** Bytes of one request's body. */
	bodyBytes: number;
}

const noLimits: EdgeLimits = {
	connections: 0,
	requestsPerSecond: 0,
	visitorConnections: 0,
	visitorRequestsPerSecond: 0,
	bodyBytes: 0,
};

/** NGINX's log, beside those of the other programs. */
const edgeLog = (dataDirectory: string) => join(dataDirectory, "logs", "edge.log");

const sourceDirectory = fileURLToPath(new URL("../../../../edge", import.meta.url));

function checkPath(path: string): string {
	if (!path.startsWith("/") || /["'$\\{}\p{Cc}]/u.test(path)) {
		throw new Error(
			`The edge cannot use the path ${JSON.stringify(path)}: it must be absolute and without quotes, $, \\ or braces.`,
		);
	}
	return path;
}

function checkHost(host: string): string {
	if (!/^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/.test(host)) {
		throw new Error(`${JSON.stringify(host)} is not a host name of small letters, digits, hyphens and dots.`);
	}
	return host;
}

/** The origin of the site's address; a URL's parser leaves nothing in it that could end a string. */
function checkOrigin(url: string): string {
	const { origin, protocol } = new URL(url);
	if (protocol !== "http:" && protocol !== "https:") throw new Error(`${JSON.stringify(url)} is not a web address.`);
	return origin;
}

function checkSubnet(subnet: string): string {
	const [base = "", length = ""] = subnet.split("/");
	if (!isIPv4(base) || !/^(?:[1-9]|[12]\d|3[0-2])$/.test(length)) {
		throw new Error(`${JSON.stringify(subnet)} is not an IPv4 subnet such as 172.30.0.0/16.`);
	}
	return subnet;
}

/** The text stands between quotes in a block of Lua, whose braces NGINX counts. */
function checkAgent(text: string): string {
	if (!/^[ !#-&(-[\]-z|~]{1,100}$/.test(text)) {
		throw new Error(`${JSON.stringify(text)} is not a part of a User-Agent: use plain letters, digits and signs.`);
	}
	return text;
}

function checkUser(user: string): string {
	if (!/^[a-z_][a-z0-9_-]*$/.test(user)) throw new Error(`${JSON.stringify(user)} is not a user name.`);
	return user;
}

function checkWhole(name: string, value: number, least: number, most: number): string {
	if (!Number.isInteger(value) || value < least || value > most)
		throw new Error(`${name} is not from ${least} to ${most}: ${value}`);
	return String(value);
}

/** Whether this machine has IPv6 addresses at all; a socket on [::] fails where it has none. */
function hasIpv6(): boolean {
	try {
		return readFileSync("/proc/net/if_inet6", "utf8") !== "";
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw error;
	}
}

/** Files that one worker may open: what is plenty, or what this machine allows even root. */
function mostOpenFiles(): number {
	const plenty = 65536;
	const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
	return hard === undefined || hard === "unlimited" ? plenty : Math.min(plenty, Number(hard));
}

/** A site on `localhost` answers to the loopback addresses too, unless the gateway has them. */
function siteNames({ siteHost, gatewayHost }: EdgeOptions): string {
	const names = [siteHost, ...(siteHost === "localhost" ? ["127.0.0.1", "[::1]"] : [])];
	return [...new Set(names)]
		.filter((name) => name !== gatewayHost)
		.map(checkHost)
		.join(" ");
}

function gatewayNames({ gatewayHost, appsDomain }: EdgeOptions): string {
	return [...new Set([`node.${appsDomain}`, gatewayHost])].map(checkHost).join(" ");
}

/** The limits as the edge's Lua options. */
function limitLines(limits: EdgeLimits): string {
	const most = 1_000_000;
	const values = {
		appConnections: limits.connections,
		appRequestsPerSecond: limits.requestsPerSecond,
		appVisitorConnections: limits.visitorConnections,
		appVisitorRequestsPerSecond: limits.visitorRequestsPerSecond,
		appBodyBytes: limits.bodyBytes,
	};
	return Object.entries(values)
		.map(([name, value]) => `${name} = ${checkWhole(name, value, 0, name === "appBodyBytes" ? 2 ** 50 : most)}`)
		.join(", ");
}

/**
 * All addresses of this machine at one port.
 * @param transparent must stand for every address: only then NGINX asks the kernel which port the visitor used.
 */
function listenLines(port: string, ipv6: boolean, suffix: string, transparent?: string): string[] {
	const addresses = [
		`0.0.0.0:${port}`,
		...(ipv6 ? [`[::]:${port}`] : []),
		...(transparent === undefined ? [] : [`0.0.0.0:${transparent}`]),
	];
	return addresses.map((address) => `listen ${address}${suffix};`);
}

/** A file of the edge with the names in double braces replaced. */
function fill(file: string, values: Record<string, string>): string {
	const template = readFileSync(join(sourceDirectory, file), "utf8");
	return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
		const value = values[name];
		if (value === undefined) throw new Error(`The edge's template asks for ${name}, which nothing gives.`);
		return value;
	});
}

/**
 * The edge's whole nginx.conf, from the template `edge/nginx.conf`.
 * @throws Error when an option could not stand in a configuration file as it is.
 */
export function renderEdgeConfiguration(options: EdgeOptions): string {
	const port = checkWhole("The edge's port", options.httpPort, 1, 65535);
	const ipv6 = options.ipv6 ?? hasIpv6();
	const { tls } = options;
	const httpsPort = tls && checkWhole("The edge's TLS port", tls.httpsPort, 1, 65535);
	const listenEverywhere = (suffix: string) =>
		[
			...listenLines(port, ipv6, suffix, appsListenPort),
			...(httpsPort ? listenLines(httpsPort, ipv6, ` ssl http2${suffix}`) : []),
		].join("\n\t\t");
	const workers = options.workers ?? "auto";
	const openFiles = mostOpenFiles();
	const limits = options.limits ?? noLimits;
	const appsListenPort =
		options.appsListenPort === undefined
			? undefined
			: checkWhole("The transparent port", options.appsListenPort, 1, 65535);
	const values: Record<string, string> = {
		source: checkPath(sourceDirectory),
		directory: checkPath(join(options.dataDirectory, "edge")),
		run: checkPath(join(options.dataDirectory, "run")),
		log: checkPath(edgeLog(options.dataDirectory)),
		user: checkUser(options.user),
		workers: workers === "auto" ? workers : checkWhole("The number of workers", workers, 1, 256),
		routesMemory: checkWhole("The memory for routes", options.routesMemoryBytes ?? 32 * 1024 ** 2, 65536, 2 ** 32),
		limits: limitLines(limits),
		bodyBytes: String(limits.bodyBytes),
		openFiles: String(openFiles),
		// A visitor's connection to an app takes two files.
		connections: String(Math.min(16384, Math.floor(openFiles / 2))),
		appsDomain: checkHost(options.appsDomain),
		siteHost: checkHost(options.siteHost),
		siteNames: siteNames(options),
		gatewayNames: gatewayNames(options),
		containerSubnets: options.containerSubnets.map((subnet) => `"${checkSubnet(subnet)}"`).join(", "),
		listen: listenEverywhere(""),
		listenDefault: listenEverywhere(" default_server backlog=4096"),
		httpsPort: httpsPort ?? "nil",
		httpsRedirect: String(tls?.redirect ?? false),
		siteUrl: checkOrigin(options.siteUrl),
		noWakeAgents: (options.noWakeAgents ?? []).map((text) => `"${checkAgent(text)}"`).join(", "),
		httpPort: port,
		ownPorts: [port, ...(httpsPort ? [httpsPort] : [])].join("|"),
		realPorts: String(appsListenPort !== undefined),
		answerTimeout: checkWhole("The time for an answer", options.answerTimeoutMs ?? 600_000, 1, 2 ** 31 - 1),
	};
	const hsts = checkWhole("The time of HSTS", tls?.hstsSeconds ?? 0, 0, 2 ** 31);
	values.tls = tls ? fill("tls.conf", { ...values, hsts: hsts === "0" ? "" : `max-age=${hsts}` }) : "";
	return fill("nginx.conf", values);
}

/**
 * Makes `<data>/edge`, writes its nginx.conf and removes the admin socket that a killed NGINX left, on which the next
 * one would not start. Call it when no edge of this data directory runs; repeating it is harmless.
 */
export async function prepareEdge(options: EdgeOptions): Promise<void> {
	const directory = join(options.dataDirectory, "edge");
	const configuration = renderEdgeConfiguration(options);
	// Workers pass through it to their temporary files; those folders NGINX makes itself, owned by the worker's user.
	await mkdir(directory, { recursive: true, mode: 0o711 });
	await mkdir(join(options.dataDirectory, "run"), { recursive: true });
	await mkdir(join(options.dataDirectory, "logs"), { recursive: true, mode: 0o700 });
	await writeFile(join(directory, "nginx.conf"), configuration, { mode: 0o600 });
	if (options.tls) {
		const { certificate, key } = options.tls.fallback;
		await writeFile(join(directory, "fallback.crt"), certificate, { mode: 0o600 });
		await writeFile(join(directory, "fallback.key"), key, { mode: 0o600 });
	}
	// Made here, since NGINX would make it readable to everyone.
	await writeFile(edgeLog(options.dataDirectory), "", { flag: "a", mode: 0o600 });
	await rm(join(options.dataDirectory, "run", "edge.sock"), { force: true });
}

/** Arguments for `nginxProgram`, which stays in the foreground; SIGQUIT ends it after its requests, SIGTERM at once. */
export function edgeArguments(dataDirectory: string): string[] {
	const directory = join(dataDirectory, "edge");
	return ["-p", directory, "-c", join(directory, "nginx.conf"), "-e", edgeLog(dataDirectory)];
}

/** How the edge is started: NGINX itself, or a program that makes its transparent socket and becomes NGINX. */
export function edgeProgram(options: EdgeOptions): { program: string; arguments: string[] } {
	const nginx = edgeArguments(options.dataDirectory);
	if (options.appsListenPort === undefined) return { program: nginxProgram, arguments: nginx };
	const script = join(sourceDirectory, "transparent-listen.pl");
	return { program: "/usr/bin/perl", arguments: [script, String(options.appsListenPort), nginxProgram, ...nginx] };
}

/** The last lines of the edge's log, for saying why it did not start; empty when there is none. */
export async function readEdgeLog(dataDirectory: string, lines = 20): Promise<string> {
	try {
		const text = await readFile(edgeLog(dataDirectory), "utf8");
		return text.trimEnd().split("\n").slice(-lines).join("\n");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
		throw error;
	}
}
