import { z } from "zod";
import { Checkpoint, CheckpointId } from "./checkpoints.ts";
import { Elsewhere } from "./edge.ts";
import { Problem } from "./errors.ts";
import { NetworkPolicy, openNetwork } from "./network.ts";
import { ContainerState, Limits, NodeId, ProjectId, TemplateId, UserId, Visibility } from "./project.ts";
import { NetworkAlert, NodeTraffic, TrafficHour } from "./traffic.ts";

/**
 * The control socket between an agent and the site: `GET /api/node/control`, upgraded, `Authorization: Bearer <node
 * token>`. Desired travels down, observed travels up; repeating any message is harmless.
 */
export const controlPath = "/api/node/control";

/** What the site wants of a node for one project. */
export const DesiredPlacement = z.object({
	projectId: ProjectId,
	/** Rises whenever the project moves; the highest one owns the project. */
	generation: z.int().positive(),
	/**
	 * `running`: a container may run, and is started when `wantVersion` rose or somebody visits (a node pauses, then stops it
	 * when nobody uses it); `stopped`: none may; `purged`: container and volume are to be removed for good; `left`: the
	 * project is another node's now: what of its volume no checkpoint holds is to be stored, then both are to be removed.
	 */
	want: z.enum(["running", "stopped", "purged", "left"]),
	/** Rises with each change of `want`; a node's report about an older one is ignored. */
	wantVersion: z.int(),
	/** As its owner calls it; kept with its checkpoints, and nothing else is done with it. */
	name: z.string().optional(),
	slug: z.string(),
	/** Custom domains whose proof the site has seen; small letters, punycode. */
	domains: z.array(z.string()).default([]),
	/** Whom the program sees as REPL_OWNER. */
	owner: z.object({
		id: UserId,
		name: z.string(),
		/** How many of their containers may be on one node at a time; as many as there is room for when it is missing. */
		mostRunning: z.int().positive().optional(),
	}),
	/** What a new volume is filled with. */
	template: TemplateId,
	visibility: Visibility,
	rightsVersion: z.int(),
	limits: Limits,
	/** Whether checkpoints of it are in the object store: a node without its volume restores it, and never seeds it anew. */
	stored: z.boolean().default(false),
	/** A fork whose volume is made as a copy of this project's, where that is at hand; missing once something of its own is stored. */
	copyOf: ProjectId.optional(),
	/** What a fork begins as, where it is not a copy; missing once something of its own is stored, be it a reference. */
	beginsAs: CheckpointId.optional(),
	/** Rises when somebody waits for what the project is now to be in the store; answered by `checkpointAnswered`. */
	checkpointWanted: z.int().positive().optional(),
	network: NetworkPolicy.default(openNetwork),
	/** While it is wanted running: neither paused nor stopped for want of use, and started with its run command. */
	alwaysOn: z.boolean().default(false),
});
export type DesiredPlacement = z.infer<typeof DesiredPlacement>;

/** Whether a node is only to clear away what it has of the project. */
export const isDeparting = ({ want }: Pick<DesiredPlacement, "want">) => want === "purged" || want === "left";

/** What a node reports of one project. */
export const ObservedPlacement = z.object({
	projectId: ProjectId,
	generation: z.int().positive(),
	wantVersion: z.int(),
	state: z.union([ContainerState, z.enum(["purged", "left"])]),
	problem: Problem.nullable(),
});
export type ObservedPlacement = z.infer<typeof ObservedPlacement>;

/** A public key in JWK form with which tickets are verified; `kid` picks it. */
export const TicketKey = z.object({
	kid: z.string(),
	kty: z.literal("OKP"),
	crv: z.literal("Ed25519"),
	x: z.string(),
});
export type TicketKey = z.infer<typeof TicketKey>;

export const NodeToSite = z.discriminatedUnion("type", [
	z.object({
		type: z.literal("hello"),
		name: z.string().min(1).max(63),
		/** Drawn once for each data directory: another machine under the same name is another holder of what it has. */
		machineId: z.uuid().nullable().default(null),
		/** Names the object store, the same for all nodes that share it; null while the store does not answer. */
		storeId: z.uuid().nullable().default(null),
		/** Where browsers reach this node, for example `http://node.localhost:8080`. */
		gatewayUrl: z.url(),
		/** IPv4 address and port at which other nodes' edges reach this one's; empty when they cannot. */
		edgeAddress: z.union([z.literal(""), Elsewhere.shape.peer.unwrap()]).default(""),
		/** Port of the same address at which the edge speaks TLS; null when it does not. */
		edgeTlsPort: Elsewhere.shape.peerTlsPort,
		/** Containers that the node has room for. */
		slots: z.int().positive(),
		observed: z.array(ObservedPlacement),
	}),
	/** Placements whose observed state changed since the last message. */
	z.object({ type: z.literal("observed"), observed: z.array(ObservedPlacement) }),
	/** Checkpoints that are in the object store; said again until the site has recorded them. */
	z.object({ type: z.literal("checkpoints"), checkpoints: z.array(Checkpoint).max(1000) }),
	/**
	 * After what was stored for `checkpointWanted`. `upToDate`: all that the project was when the node heard of it, what people
	 * typed included. Nobody asks again: whoever waits has a limit.
	 */
	z.object({
		type: z.literal("checkpointAnswered"),
		projectId: ProjectId,
		wanted: z.int().positive(),
		upToDate: z.boolean(),
	}),
	z.object({ type: z.literal("heartbeat") }),
	/** How the node's network stands now; only the latest counts. */
	z.object({ type: z.literal("traffic"), traffic: NodeTraffic }),
	/**
	 * Lines of the node's ledger. `ledger` names the book: another one begins at nothing. `over`: these are the last lines of
	 * their hour, which the node keeps until `trafficKept` answers.
	 */
	z.object({
		type: z.literal("trafficHours"),
		ledger: z.uuid(),
		over: z.boolean(),
		hours: z.array(TrafficHour),
	}),
	/** Answered by `alertsKept`. */
	z.object({ type: z.literal("alerts"), alerts: z.array(NetworkAlert).max(100) }),
]);
export type NodeToSite = z.input<typeof NodeToSite>;

/** More addresses than that of the site and its database are not told. */
export const mostSiteAddresses = 64;

export const SiteToNode = z.discriminatedUnion("type", [
	z.object({
		type: z.literal("welcome"),
		nodeId: NodeId,
		ticketKeys: z.array(TicketKey).min(1),
		/** Origins whose pages may call the node's gateway. */
		siteOrigins: z.array(z.string()),
		/** What the cluster's edges prove themselves to each other with. */
		edgeSecret: z.string().min(32),
		/** IPv4 addresses of the site and its database, which containers must not reach; said anew when they change. */
		siteAddresses: z.array(z.ipv4()).max(mostSiteAddresses).default([]),
	}),
	/** The full set of this node's placements; what is not in it is not this node's. */
	z.object({ type: z.literal("desired"), placements: z.array(DesiredPlacement) }),
	/** Projects of other live nodes: all of them when `whole`, else what changed since the last message. */
	z.object({
		type: z.literal("routes"),
		whole: z.boolean(),
		set: z.array(Elsewhere),
		removed: z.array(z.string()),
	}),
	/** The last lines of these hours are in the database. */
	z.object({ type: z.literal("trafficKept"), hours: z.array(z.int()) }),
	z.object({ type: z.literal("alertsKept"), ids: z.array(z.uuid()) }),
	/**
	 * `recorded`: these checkpoints are in the database, or their projects are gone. `orphaned`: what these build on is not, so
	 * they restore nothing and are not recorded; a full one must follow. The node need not report either again.
	 */
	z.object({
		type: z.literal("checkpointsRecorded"),
		recorded: z.array(CheckpointId),
		orphaned: z.array(CheckpointId).default([]),
	}),
]);
export type SiteToNode = z.infer<typeof SiteToNode>;
export type ClusterRoutes = Omit<Extract<SiteToNode, { type: "routes" }>, "type">;

/** The node sends a heartbeat this often; the site calls it lost after three missed ones. */
export const heartbeatEveryMs = 5_000;
