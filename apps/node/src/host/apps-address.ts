import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { isWayOut, runCommand } from "@repldock/service";
import { readListeningPorts } from "./listening-ports.ts";

/** Ports of the apps address that are visitors', beside 80 and 443: those below are the machine's own services'. */
export const firstAppPort = 2001;

/** Where the edge's transparent sockets listen: below the ports that the kernel picks for outgoing connections. */
const listenFrom = 20_000;
const listenPorts = 12_000;

export interface AppsAddressOptions {
	/** IPv4 address of the apps on this machine. */
	address: string;
	/** Name of the nftables table, family ip. */
	table: string;
	/** Port of the edge's transparent socket, which gets the visitors' TCP 80 and 2001 to 65535. */
	listenPort: number;
	/** Port on which the edge speaks TLS, which gets the visitors' 443 as well; without it 443 is refused. */
	httpsPort?: number;
	/** Port on which the edge listens by itself; it reaches it as on any other address. */
	httpPort: number;
}

/**
 * Makes or mends the rules that bring every port of the apps address to the edge. Nothing but packets to this one
 * address is touched: no route, no mark, and not what the machine sends to itself or asks of others. The address need
 * not be there yet.
 */
export async function ensureAppsAddress(options: AppsAddressOptions): Promise<void> {
	const shared = await isWayOut(options.address);
	const kept = shared ? (await listeningOutside()).filter((port) => port !== options.listenPort) : null;
	await runCommand("nft", ["-f", "-"], { input: appsAddressScript(options, kept) });
}

/** Takes the rules away; harmless when there are none. */
export async function releaseAppsAddress(table: string): Promise<void> {
	await runCommand("nft", ["-f", "-"], { input: `table ip ${table}\ndelete table ip ${table}\n` });
}

/**
 * The rules as one script, which `nft -f` applies at once or not at all.
 * @param kept ports that stay the machine's own because it has no other address; null when the address is the apps'
 * alone, and then all that is not theirs is refused.
 */
export function appsAddressScript(options: AppsAddressOptions, kept: readonly number[] | null): string {
	const { address, table, listenPort, httpPort, httpsPort } = options;
	const edgePorts = [httpPort, ...(httpsPort === undefined ? [] : [httpsPort])];
	const own = list([...edgePorts, ...(kept ?? [])]);
	const visitors = `{ 80, ${firstAppPort}-65535 }`;
	const open = list([80, ...(httpsPort === undefined ? [] : [443]), ...edgePorts], `${firstAppPort}-65535`);
	// 443 means no port of a container, so that nothing is lost when the edge sees its own port instead.
	const https =
		httpsPort === undefined || httpsPort === 443
			? ""
			: `
	chain https {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr ${address} tcp dport 443 redirect to :${httpsPort}
	}`;
	// Only what begins: a session that was there before the rules (the operator's) is never cut.
	const refused = [
		`tcp flags & (syn | ack) == syn tcp dport != ${open} counter reject with tcp reset`,
		"meta l4proto udp ct state new counter reject",
	];
	return `
table ip ${table}
delete table ip ${table}
table ip ${table} {
	chain prerouting {
		type filter hook prerouting priority mangle; policy accept;
		ip daddr != ${address} accept
		iif "lo" accept
		tcp dport ${own} accept
		ct direction original tcp dport ${visitors} tproxy to :${listenPort} accept
	}
	chain input {
		type filter hook input priority filter - 5; policy accept;
		ip daddr != ${address} tcp dport ${listenPort} counter reject with tcp reset
		ip daddr != ${address} accept
		iif "lo" accept
${lines(kept === null ? refused : [])}
	}${https}
}
`;
}

const list = (ports: readonly number[], range?: string) =>
	`{ ${[...new Set(ports), ...(range === undefined ? [] : [range])].join(", ")} }`;
const lines = (rules: readonly string[]) => rules.map((rule) => `\t\t${rule}`).join("\n");

/** TCP ports on which programs of this machine answer at more than its loopback address. */
async function listeningOutside(): Promise<number[]> {
	const ports = await readListeningPorts(process.pid);
	return ports.filter(({ loopbackOnly }) => !loopbackOnly).map(({ port }) => port);
}

/**
 * A port for a transparent socket that nothing uses: the remembered one if it is still to be had, or is this edge's own.
 * @param file where it is remembered, so that mending the rules never moves them away from a running edge.
 * @param instance name of the instance (hexadecimal): two that start at the same moment look in different places.
 */
export async function chooseListenPort(file: string, instance: string, edgeRuns: boolean): Promise<number> {
	const remembered = Number(await readFile(file, "utf8").catch(ignoreMissing));
	if (Number.isInteger(remembered) && remembered > 0 && (edgeRuns || (await isFree(remembered)))) return remembered;
	const start = Number.parseInt(instance, 16) % listenPorts;
	for (let tried = 0; tried < listenPorts; tried++) {
		const port = listenFrom + ((start + tried) % listenPorts);
		if (!(await isFree(port))) continue;
		await writeFile(file, `${port}\n`);
		return port;
	}
	throw new Error(`No TCP port from ${listenFrom} on is free for the edge; one of the next ${listenPorts} must be.`);
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
	});
}

function ignoreMissing(error: NodeJS.ErrnoException): string {
	if (error.code === "ENOENT") return "";
	throw error;
}
