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
	/** The site's host name; `localhost` also answers to the loopback addresses that are not the gateway's. */
	siteHost: string;
	/** Host name of the node's gateway beside `node.<apps domain>`; it may be an address. */
	gatewayHost: string;
	/** Apps live at `<slug>.<apps domain>`. */
	appsDomain: string;
	/** IPv4 subnets (CIDR) of this node's containers; nothing outside them is ever proxied to. */
	containerSubnets: readonly string[];
	/** Unprivileged user of the worker processes, with a group of the same name. */
	user: string;
	/** Default `auto`: one a processor. */
	workers?: number | "auto";
	/** Listen on IPv6 too; default: when this machine has it. */
	ipv6?: boolean;
	/** Shared memory for routes; default 32 MiB, enough for about 60,000. */
	routesMemoryBytes?: number;
	/** Port of the transparent socket to which apps-address.ts brings the ports of the apps address. */
	appsListenPort?: number;
	/** How long an app may be silent before its answer begins; default 10 minutes. Sockets and event streams may be for days. */
	answerTimeoutMs?: number;
}

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

function checkSubnet(subnet: string): string {
	const [base = "", length = ""] = subnet.split("/");
	if (!isIPv4(base) || !/^(?:[1-9]|[12]\d|3[0-2])$/.test(length)) {
		throw new Error(`${JSON.stringify(subnet)} is not an IPv4 subnet such as 172.30.0.0/16.`);
	}
	return subnet;
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

/** @param transparent must stand for every address: only then NGINX asks the kernel which port the visitor used. */
function listenLines(port: string, ipv6: boolean, suffix: string, transparent: string | undefined): string {
	const addresses = [
		`0.0.0.0:${port}`,
		...(ipv6 ? [`[::]:${port}`] : []),
		...(transparent === undefined ? [] : [`0.0.0.0:${transparent}`]),
	];
	const lines = addresses.map((address) => `listen ${address}${suffix};`);
	return lines.join("\n\t\t");
}

/**
 * The edge's whole nginx.conf, from the template `edge/nginx.conf`.
 * @throws Error when an option could not stand in a configuration file as it is.
 */
export function renderEdgeConfiguration(options: EdgeOptions): string {
	const port = checkWhole("The edge's port", options.httpPort, 1, 65535);
	const ipv6 = options.ipv6 ?? hasIpv6();
	const workers = options.workers ?? "auto";
	const openFiles = mostOpenFiles();
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
		openFiles: String(openFiles),
		// A visitor's connection to an app takes two files.
		connections: String(Math.min(16384, Math.floor(openFiles / 2))),
		appsDomain: checkHost(options.appsDomain),
		siteHost: checkHost(options.siteHost),
		siteNames: siteNames(options),
		gatewayNames: gatewayNames(options),
		containerSubnets: options.containerSubnets.map((subnet) => `"${checkSubnet(subnet)}"`).join(", "),
		listen: listenLines(port, ipv6, "", appsListenPort),
		listenDefault: listenLines(port, ipv6, " default_server backlog=4096", appsListenPort),
		httpPort: port,
		realPorts: String(appsListenPort !== undefined),
		answerTimeout: checkWhole("The time for an answer", options.answerTimeoutMs ?? 600_000, 1, 2 ** 31 - 1),
	};
	const template = readFileSync(join(sourceDirectory, "nginx.conf"), "utf8");
	return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
		const value = values[name];
		if (value === undefined) throw new Error(`The edge's template asks for ${name}, which nothing gives.`);
		return value;
	});
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
