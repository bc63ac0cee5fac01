import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
	type CheckpointId,
	controlPath,
	type DesiredPlacement,
	type Elsewhere,
	heartbeatEveryMs,
	type NodeToSite,
	type ObservedPlacement,
	SiteToNode,
} from "@repldock/protocol";
import { WebSocket } from "ws";
import type { Instance, World } from "./site.ts";

type Kept = Extract<SiteToNode, { type: "trafficKept" | "alertsKept" }>;
type Welcome = Extract<SiteToNode, { type: "welcome" }>;

/** The agent's end of the control socket, played by the test. */
export interface FakeNode {
	readonly welcome: Welcome;
	/** Other nodes' projects as told so far, by slug. */
	elsewhere(): Elsewhere[];
	/** Checkpoints that the site said it has recorded. */
	recorded(): CheckpointId[];
	/** Those that it refused, since what they build on is gone. */
	orphaned(): CheckpointId[];
	/** The latest desired set. */
	desired(): DesiredPlacement[];
	/** Resolves with the first desired set, present or coming, that the condition holds for. */
	waitFor(condition: (placements: DesiredPlacement[]) => boolean): Promise<DesiredPlacement[]>;
	send(message: NodeToSite): void;
	/** What the site has said so far that the node may forget. */
	kept(): Kept[];
	report(placement: DesiredPlacement, state: ObservedPlacement["state"], changes?: Partial<ObservedPlacement>): void;
	/** Whether it sends heartbeats, as an agent does and as it does from the first. */
	beat(beats: boolean): void;
	readonly closed: Promise<number>;
	close(): Promise<void>;
}

export function controlUrl(instance: Instance): string {
	return instance.url.replace("http", "ws") + controlPath;
}

export async function nodeToken(world: World): Promise<string> {
	return (await readFile(join(world.secretsDirectory, "node-token"), "utf8")).trim();
}

export async function dialIn(
	world: World,
	instance: Instance,
	name = "one",
	observed: ObservedPlacement[] = [],
	edgeAddress = "",
	identity: { machineId?: string; storeId?: string } = {},
): Promise<FakeNode> {
	const token = await nodeToken(world);
	const socket = new WebSocket(controlUrl(instance), { headers: { authorization: `Bearer ${token}` } });
	const waiting = new Set<() => void>();
	let desired: DesiredPlacement[] | undefined;
	let welcome: Welcome | undefined;
	const elsewhere = new Map<string, Elsewhere>();
	const kept: Kept[] = [];
	const recorded: CheckpointId[] = [];
	const orphaned: CheckpointId[] = [];

	socket.on("message", (data) => {
		const message = SiteToNode.parse(JSON.parse(data.toString()));
		if (message.type === "welcome") welcome = message;
		else if (message.type === "desired") desired = message.placements;
		else if (message.type === "checkpointsRecorded") {
			recorded.push(...message.recorded);
			orphaned.push(...message.orphaned);
		} else if (message.type === "routes") {
			if (message.whole) elsewhere.clear();
			for (const slug of message.removed) elsewhere.delete(slug);
			for (const entry of message.set) elsewhere.set(entry.slug, entry);
		} else kept.push(message);
		for (const look of waiting) look();
	});
	const closed = new Promise<number>((resolve) => socket.once("close", resolve));

	function until<T>(find: () => T | undefined): Promise<T> {
		return new Promise((resolve, reject) => {
			const look = () => {
				const found = find();
				if (found === undefined) return;
				waiting.delete(look);
				resolve(found);
			};
			waiting.add(look);
			closed.then((code) => reject(new Error(`The control socket closed: ${code}`)));
			look();
		});
	}
	const send = (message: NodeToSite) => socket.send(JSON.stringify(message));
	let beating = true;
	const heartbeat = setInterval(() => {
		if (beating && socket.readyState === socket.OPEN) send({ type: "heartbeat" });
	}, heartbeatEveryMs);
	void closed.then(() => clearInterval(heartbeat));

	await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
	send({
		type: "hello",
		name,
		gatewayUrl: "http://node.localhost:8080",
		slots: 10,
		edgeAddress,
		edgeTlsPort: 8443,
		observed,
		...identity,
	});
	const first = await until(() => (desired ? welcome : undefined));

	return {
		welcome: first,
		recorded: () => recorded,
		orphaned: () => orphaned,
		elsewhere: () => [...elsewhere.values()],
		desired: () => desired ?? [],
		waitFor: (condition) => until(() => (desired && condition(desired) ? desired : undefined)),
		send,
		kept: () => kept,
		report({ projectId, generation, wantVersion }, state, changes = {}) {
			send({ type: "observed", observed: [{ projectId, generation, wantVersion, state, problem: null, ...changes }] });
		},
		beat(beats) {
			beating = beats;
		},
		closed,
		async close() {
			socket.close();
			await closed;
		},
	};
}
