import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Socket as Connection, createServer } from "node:net";
import type { Logger } from "@repldock/service";
import type { Member } from "../parts.ts";
import { isAllowedName } from "./allowed-names.ts";
import { emptyAnswer, type Question, readAnswer, readQuestion, recordType, responseCode } from "./dns-message.ts";
import { effectiveMode, markOf } from "./elements.ts";
import type { Filter } from "./filter.ts";
import { createNameMemory, type NameMemory, type NameUse } from "./name-memory.ts";
import { createUpstream } from "./upstream.ts";

/** An address stays open at least this long after its answer: programs keep answers longer than they may. */
const leastOpenSeconds = 300;
const mostOpenSeconds = 86_400;
/** Addresses that one member may have open by its list at once. */
const mostOpened = 4_096;
/** Connections by TCP at once, and how long one may be silent. */
const mostConnections = 500;
const mostConnectionsOfOne = 8;
const silenceMs = 10_000;

export interface NameServer {
	readonly port: number;
	/** The name by which this member last learnt the address. */
	nameOf(projectId: string, address: string): string | undefined;
	/** How a member asks for names, for reports of tunnels. */
	use(projectId: string): NameUse | undefined;
	/** Questions refused because their names are on no list of the member. */
	refusedNames(): Map<string, number>;
	forget(projectId: string): void;
	close(): Promise<void>;
}

/**
 * Answers containers' questions for names: it decides what each member may ask, leaves the resolving to dnsmasq, and
 * opens the addresses of an allow-list before the answer that names them leaves.
 */
export async function startNameServer(options: {
	filter: Pick<Filter, "memberAt" | "open" | "remakes">;
	/** Where containers ask: the node's address on the bridge. */
	address: string;
	port?: number;
	/** Where dnsmasq answers. */
	upstream: { address: string; port: number };
	log: Logger;
}): Promise<NameServer> {
	const { filter, address, port = 53, log } = options;
	const upstream = createUpstream(options.upstream);
	const memories = new Map<string, NameMemory>();
	/** Until when an address is open, by member, mark and making of the tables. */
	const opened = new Map<string, { mark: number; remakes: number; until: Map<string, number> }>();

	function memoryOf(projectId: string): NameMemory {
		const known = memories.get(projectId);
		if (known) return known;
		const fresh = createNameMemory();
		memories.set(projectId, fresh);
		return fresh;
	}

	/** @returns null when nothing is to be said, as to strangers. */
	async function answer(from: string, query: Buffer, transport: "udp" | "tcp"): Promise<Buffer | null> {
		const member = filter.memberAt(from);
		const question = readQuestion(query);
		if (!member || !question) return null;
		const memory = memoryOf(member.projectId);
		memory.asked(question.name, Date.now());
		const mode = effectiveMode(member.policy);
		if (mode === "closed") return emptyAnswer(query, question, responseCode.refused);
		if (mode === "allow-list" && !isAllowedName(question.name, member.policy.allowedDomains)) {
			memory.refused();
			return emptyAnswer(query, question, responseCode.noSuchName);
		}
		// Containers have no IPv6; an answer would only make them try.
		if (question.type === recordType.aaaa) return emptyAnswer(query, question, 0);
		try {
			const reply = await upstream.ask(query, question, transport);
			await learn(member, question, reply);
			return reply;
		} catch (error) {
			log.debug({ err: error, projectId: member.projectId }, "a name was not resolved");
			return emptyAnswer(query, question, responseCode.serverFailure);
		}
	}

	async function learn(member: Member, question: Question, reply: Buffer) {
		const addresses = readAnswer(reply)?.addresses ?? [];
		for (const { address } of addresses) memoryOf(member.projectId).answered(question.name, address);
		if (effectiveMode(member.policy) !== "allow-list" || addresses.length === 0) return;
		const mark = markOf(member);
		const remakes = filter.remakes();
		const known = opened.get(member.projectId);
		const isPresent = known?.mark === mark && known.remakes === remakes;
		const until = isPresent ? known.until : new Map<string, number>();
		opened.set(member.projectId, { mark, remakes, until });
		const now = Date.now();
		for (const [address, time] of until) if (time <= now) until.delete(address);
		const due = addresses.flatMap(({ address, ttlSeconds }) => {
			const seconds = Math.min(Math.max(ttlSeconds, leastOpenSeconds), mostOpenSeconds);
			const isFresh = (until.get(address) ?? 0) > now + (leastOpenSeconds / 2) * 1000;
			return isFresh ? [] : [{ address, seconds }];
		});
		if (until.size + due.length > mostOpened) throw new Error("too many addresses are open already");
		await filter.open(member, due);
		for (const { address, seconds } of due) until.set(address, now + seconds * 1000);
	}

	const datagrams = await listenDatagrams(address, port);
	datagrams.on("message", (query: Buffer, from: RemoteInfo) => {
		void answer(from.address, query, "udp").then((reply) => {
			// A client that went away meanwhile is told nothing.
			if (reply) datagrams.send(reply, from.port, from.address, () => undefined);
		});
	});
	datagrams.on("error", (error) => log.error({ err: error }, "the name server's socket failed"));

	const connections = new Map<Connection, string>();
	const server = createServer((connection) => {
		const from = connection.remoteAddress ?? "";
		const ofOne = [...connections.values()].filter((other) => other === from).length;
		connection.on("error", () => connection.destroy());
		if (connections.size >= mostConnections || ofOne >= mostConnectionsOfOne) return connection.destroy();
		connections.set(connection, from);
		connection.once("close", () => connections.delete(connection));
		connection.setTimeout(silenceMs, () => connection.destroy());
		void converse(connection, (query) => answer(from, query, "tcp"));
	});
	server.listen({ port: datagrams.address().port, host: address });
	await once(server, "listening");

	return {
		port: datagrams.address().port,
		nameOf: (projectId, of) => memories.get(projectId)?.nameOf(of),
		use: (projectId) => memories.get(projectId)?.use(Date.now()),
		refusedNames: () =>
			new Map([...memories].map(([projectId, memory]) => [projectId, memory.use(Date.now()).refused])),
		forget(projectId) {
			memories.delete(projectId);
			opened.delete(projectId);
		},
		async close() {
			for (const connection of connections.keys()) connection.destroy();
			await Promise.all([
				new Promise<void>((resolve) => server.close(() => resolve())),
				new Promise<void>((resolve) => datagrams.close(() => resolve())),
			]);
		},
	};
}

async function listenDatagrams(address: string, port: number): Promise<Socket> {
	const socket = createSocket("udp4");
	const listening = once(socket, "listening");
	socket.bind({ address, port, exclusive: true });
	await listening;
	return socket;
}

/** One question after another, each with its length before it (RFC 7766). */
async function converse(connection: Connection, answer: (query: Buffer) => Promise<Buffer | null>): Promise<void> {
	let waiting = Buffer.alloc(0);
	try {
		for await (const part of connection) {
			waiting = Buffer.concat([waiting, part as Buffer]);
			while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
				const end = 2 + waiting.readUInt16BE(0);
				const reply = await answer(waiting.subarray(2, end));
				waiting = waiting.subarray(end);
				if (!reply) return void connection.destroy();
				const length = Buffer.alloc(2);
				length.writeUInt16BE(reply.length);
				connection.write(Buffer.concat([length, reply]));
			}
		}
		connection.end();
	} catch {
		// The client broke off; nobody is left to be told.
		connection.destroy();
	}
}
