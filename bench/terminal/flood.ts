import type { PtyCommand, PtyEvent } from "@repldock/protocol";
import { ptyAcknowledgeEveryBytes } from "@repldock/protocol/constants";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";
import { residentBytes } from "../support/memory.ts";

export interface Flood {
	/** Of output, per second of its whole way from the program to the socket, in megabytes (10^6). */
	megabytesPerSecond: number[];
	/** Resident bytes of each watched process before the counted floods, at most during any, and after the last. */
	memory: Map<string, { before: number; peak: number; after: number }>;
}

const floodBytes = 100_000_000;
const lookEveryMs = 50;

/** 100 MB of lines into a terminal whose client acknowledges all it gets at once. */
export async function measureFlood(
	site: SiteClient,
	projectId: string,
	watched: ReadonlyMap<string, number>,
	runs: number,
): Promise<Flood> {
	const workspace = await WorkspaceClient.open(site, projectId);
	// Once before: Node's heap takes its working size from the first flood.
	await floodOnce(workspace);
	const memory = new Map(
		[...watched].map(([name, pid]) => {
			const before = residentBytes(pid);
			return [name, { before, peak: before, after: before }];
		}),
	);
	const looking = setInterval(() => {
		for (const [name, pid] of watched) {
			const known = memory.get(name);
			if (known) known.peak = Math.max(known.peak, residentBytes(pid));
		}
	}, lookEveryMs);
	const megabytesPerSecond: number[] = [];
	for (let run = 0; run < runs; run += 1) {
		const seconds = await floodOnce(workspace);
		megabytesPerSecond.push(floodBytes / 1e6 / seconds);
	}
	clearInterval(looking);
	for (const [name, pid] of watched) {
		const known = memory.get(name);
		if (known) known.after = residentBytes(pid);
	}
	return { megabytesPerSecond, memory };
}

/** @returns seconds from the Enter key to the last byte. */
async function floodOnce(workspace: WorkspaceClient): Promise<number> {
	const untimed = await workspace.openTerminal();
	const { ptyId } = untimed;
	untimed.close();
	const socket = workspace.socket(`/ptys/${ptyId}`);
	const tell = (command: PtyCommand) => socket.send(JSON.stringify(command));
	let offset = 0;
	let acknowledged = 0;
	let pressedAtMs = 0;
	let fromOffset = 0;

	const seconds = await new Promise<number>((resolve, reject) => {
		socket.on("error", reject);
		socket.on("message", (data, isBinary) => {
			if (!isBinary) {
				const event = JSON.parse(String(data)) as PtyEvent;
				if (event.type !== "attached") return;
				offset = event.offset;
				acknowledged = offset;
				fromOffset = offset;
				pressedAtMs = performance.now();
				// Lines of 64 characters; the terminal adds a carriage return to each.
				const line = "x".repeat(62);
				socket.send(Buffer.from(`stty -echo; yes ${line} | head -c ${Math.round((floodBytes * 63) / 64)}\r`));
				return;
			}
			offset += (data as Buffer).length;
			if (offset - acknowledged >= ptyAcknowledgeEveryBytes) {
				acknowledged = offset;
				tell({ type: "acknowledge", offset });
			}
			if (offset - fromOffset >= floodBytes) resolve((performance.now() - pressedAtMs) / 1000);
		});
	});
	socket.terminate();
	await workspace.request("DELETE", `/ptys/${ptyId}`);
	return seconds;
}
