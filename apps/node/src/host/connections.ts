import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { CommandError, runCommand } from "@repldock/service";
import type { TrackedConnection } from "../host.ts";
import { createLineReader } from "./line-reader.ts";

/** The kernel's table of connections as text; not all kernels have it, and `conntrack` prints the same lines. */
const tableFile = "/proc/net/nf_conntrack";
const accountingSwitch = "/proc/sys/net/netfilter/nf_conntrack_acct";

/** Lets the kernel count the bytes of connections; those that exist already are not counted. */
export async function countConnectionBytes(): Promise<void> {
	await writeFile(accountingSwitch, "1");
}

/**
 * Takes all connections that an address began out of the kernel's table. Without it those of a container that is gone would
 * stand there for days, and count as those of the next one that gets its address.
 * @throws CommandError when the table cannot be changed.
 */
export async function forgetConnections(address: string): Promise<void> {
	try {
		await runCommand("conntrack", ["-D", "-f", "ipv4", "-s", address]);
	} catch (error) {
		// It calls it a failure when there were none.
		if (!(error instanceof CommandError && /^conntrack .*: 0 flow entries/m.test(error.stderr))) throw error;
	}
}

/**
 * Calls back with each connection that the kernel tracks and one of `sources` began, one line in memory at a time: the
 * table may have a million.
 * @throws when neither the kernel nor `conntrack` tells.
 */
export async function eachConnection(
	sources: { has(address: string): boolean },
	takeAny: (connection: TrackedConnection) => void,
): Promise<void> {
	// Others' lines are the most on a busy machine, and are not looked at further.
	const take = (line: string) => {
		const source = / src=(\S+)/.exec(line)?.[1];
		const connection = source !== undefined && sources.has(source) ? parseConnection(line) : null;
		if (connection) takeAny(connection);
	};
	if (existsSync(tableFile)) return readLines(createReadStream(tableFile), take);
	const child = spawn("conntrack", ["-L", "-o", "extended"], { stdio: ["ignore", "pipe", "ignore"] });
	const ended = new Promise<void>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`conntrack ended with ${code}.`))));
	});
	await Promise.all([ended, readLines(child.stdout, take)]);
}

async function readLines(stream: Readable, take: (line: string) => void): Promise<void> {
	const lines = createLineReader();
	for await (const part of stream) for (const line of lines.push(part as Buffer)) take(line);
}

/**
 * One line such as `ipv4 2 tcp 6 117 SYN_SENT src=… dst=… sport=… dport=… [UNREPLIED] src=… …`: first what the side that
 * began sees, then the same of the other side. Lines without ports (ICMP) have port 0; others are left out.
 */
export function parseConnection(line: string): TrackedConnection | null {
	const words = line.split(/\s+/);
	const [family, , protocol] = words;
	if ((family !== "ipv4" && family !== "ipv6") || protocol === undefined) return null;
	const first = new Map<string, string>();
	const second = new Map<string, string>();
	for (const word of words) {
		const at = word.indexOf("=");
		if (at < 0) continue;
		const name = word.slice(0, at);
		const value = word.slice(at + 1);
		if (!first.has(name)) first.set(name, value);
		else if (!second.has(name)) second.set(name, value);
	}
	const source = first.get("src");
	const destination = first.get("dst");
	if (source === undefined || destination === undefined) return null;
	return {
		protocol,
		source,
		destination,
		destinationPort: Number(first.get("dport") ?? 0),
		// A refused connection was answered by a reset, which says as little as silence.
		answered: !words.includes("[UNREPLIED]") && !words.includes("CLOSE"),
		sentBytes: Number(first.get("bytes") ?? 0),
		receivedBytes: Number(second.get("bytes") ?? 0),
	};
}
