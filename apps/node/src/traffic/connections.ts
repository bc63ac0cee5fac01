import type { Destination } from "@repldock/protocol";
import type { TrackedConnection } from "../host.ts";

/** Destinations that are remembered of one project, and told to who looks. */
export const destinationsKept = 200;
/** Destinations of one project that one look tells apart; a scan has more, and is a scan by then. */
const destinationsPerLook = 2_000;

/** What one look at the kernel's table says of one project, however many connections it has. */
export interface ConnectionCount {
	connections: number;
	/** Distinct pairs of address and port that never answered: at most `destinationsPerLook`. */
	unanswered: number;
	/** Connections that were answered, by destination port. */
	answeredPorts: ReadonlyMap<number, string>;
}

/** Gathers one look. */
export interface Look {
	add(projectId: string, connection: TrackedConnection): void;
	/** Ends it. @returns the counts of the projects that have connections. */
	finish(nowMs: number): Map<string, ConnectionCount>;
}

/** Where the connections of all projects go, in memory that 100,000 connections of one of them do not fill. */
export interface ConnectionMemory {
	look(): Look;
	/** The latest first. */
	destinations(projectId: string): Destination[];
	keepOnly(projectIds: ReadonlySet<string>): void;
}

interface Remembered extends Destination {
	/** Bytes of the connections that were open at the last look: those that ended count no more. */
	lookedSentBytes: number;
	lookedReceivedBytes: number;
}

interface Gathered {
	connections: number;
	unanswered: number;
	answeredPorts: Map<number, string>;
	byDestination: Map<string, TrackedConnection & { open: number }>;
}

export function createConnectionMemory(
	nameOf: (projectId: string, address: string) => string | undefined,
): ConnectionMemory {
	const memory = new Map<string, Map<string, Remembered>>();

	function gather(project: Gathered, connection: TrackedConnection) {
		project.connections += 1;
		const { protocol, destination, destinationPort, answered } = connection;
		const key = `${protocol} ${destination} ${destinationPort}`;
		const known = project.byDestination.get(key);
		if (known) {
			known.open += 1;
			known.sentBytes += connection.sentBytes;
			known.receivedBytes += connection.receivedBytes;
		} else if (project.byDestination.size < destinationsPerLook) {
			project.byDestination.set(key, { ...connection, open: 1 });
			if (!answered) project.unanswered += 1;
		}
		if (answered && project.answeredPorts.size < destinationsPerLook)
			project.answeredPorts.set(destinationPort, destination);
	}

	function remember(projectId: string, { byDestination }: Gathered, nowMs: number) {
		const remembered = memory.get(projectId) ?? new Map<string, Remembered>();
		memory.set(projectId, remembered);
		for (const [key, found] of byDestination) {
			const before = remembered.get(key);
			// In the order of their last sight.
			remembered.delete(key);
			remembered.set(key, {
				address: found.destination,
				name: before?.name ?? nameOf(projectId, found.destination) ?? null,
				port: found.destinationPort,
				protocol: found.protocol,
				open: found.open,
				sentBytes: (before?.sentBytes ?? 0) + Math.max(0, found.sentBytes - (before?.lookedSentBytes ?? 0)),
				receivedBytes:
					(before?.receivedBytes ?? 0) + Math.max(0, found.receivedBytes - (before?.lookedReceivedBytes ?? 0)),
				lastSeenAtMs: nowMs,
				lookedSentBytes: found.sentBytes,
				lookedReceivedBytes: found.receivedBytes,
			});
			if (remembered.size > destinationsKept) remembered.delete(remembered.keys().next().value ?? "");
		}
	}

	/** Destinations to which nothing is open any more. */
	function close(remembered: Map<string, Remembered>, found: ReadonlyMap<string, unknown> | undefined) {
		for (const [key, destination] of remembered) {
			if (found?.has(key)) continue;
			Object.assign(destination, { open: 0, lookedSentBytes: 0, lookedReceivedBytes: 0 });
		}
	}

	return {
		look() {
			const projects = new Map<string, Gathered>();
			return {
				add(projectId, connection) {
					const project = projects.get(projectId) ?? {
						connections: 0,
						unanswered: 0,
						answeredPorts: new Map(),
						byDestination: new Map(),
					};
					projects.set(projectId, project);
					gather(project, connection);
				},
				finish(nowMs) {
					for (const [projectId, gathered] of projects) remember(projectId, gathered, nowMs);
					for (const [projectId, remembered] of memory) close(remembered, projects.get(projectId)?.byDestination);
					return projects;
				},
			};
		},

		destinations(projectId) {
			const remembered = [...(memory.get(projectId)?.values() ?? [])].reverse();
			return remembered.map(
				({ lookedSentBytes: _sent, lookedReceivedBytes: _received, ...destination }) => destination,
			);
		},

		keepOnly(projectIds) {
			for (const projectId of memory.keys()) if (!projectIds.has(projectId)) memory.delete(projectId);
		},
	};
}
