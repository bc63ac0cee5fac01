import type { CheckpointKind, NetworkAlertKind, NetworkMode, NetworkRestriction } from "@repldock/protocol";
import type { ColumnType, Generated } from "kysely";

/**
 * The tables of `migrations/`, with camelCase names; Kysely's CamelCasePlugin translates. better-auth's own tables
 * (sessions, accounts, verifications) are absent but for what we read of them.
 */
export interface Tables {
	users: UsersTable;
	rateLimits: { id: string; key: string; count: number; lastRequest: number };
	personalTokens: PersonalTokensTable;
	operatorLinks: OperatorLinksTable;
	settings: { single: Generated<boolean>; registration: "open" | "closed" };
	nodes: NodesTable;
	projects: ProjectsTable;
	placements: PlacementsTable;
	domains: DomainsTable;
	nodeTraffic: { nodeId: string; traffic: ColumnType<unknown, string, string> };
	networkAlerts: NetworkAlertsTable;
	checkpoints: CheckpointsTable;
	durableCheckpoints: { projectId: string; checkpointProjectId: string; generation: number; sequence: number };
	scrubs: ScrubsTable;
	damagedCheckpoints: DamagedCheckpointsTable;
	departures: { projectId: string; nodeId: string; generation: number };
	objectIndex: { single: Generated<boolean>; knowsSince: ColumnType<Date, Date | undefined, Date> };
}

export type Role = "admin" | "user";

interface UsersTable {
	id: string;
	name: string;
	email: string;
	role: Role;
	createdAt: Generated<Date>;
	updatedAt: Generated<Date>;
}

interface PersonalTokensTable {
	id: Generated<string>;
	userId: string;
	name: string;
	digest: Buffer;
	createdAt: Generated<Date>;
	lastUsedAt: Date | null;
}

export type OperatorLinkKind = "first-administrator" | "sign-in";

interface OperatorLinksTable {
	digest: Buffer;
	kind: OperatorLinkKind;
	createdAt: Generated<Date>;
	expiresAt: Date;
	usedAt: Date | null;
}

interface NodesTable {
	id: Generated<string>;
	name: string;
	gatewayUrl: string;
	edgeAddress: Generated<string>;
	edgeTlsPort: number | null;
	slots: number;
	machineId: string | null;
	storeId: string | null;
	sessionId: string;
	lastSeenAt: Date;
	createdAt: Generated<Date>;
}

interface ProjectsTable {
	id: Generated<string>;
	ownerId: string;
	name: string;
	slug: string;
	template: string;
	visibility: "public" | "private";
	rightsVersion: Generated<number>;
	memoryBytes: number;
	cpus: number;
	pids: number;
	diskBytes: number;
	alwaysOn: Generated<boolean>;
	networkMode: Generated<NetworkMode>;
	allowedDomains: Generated<string[]>;
	egressBitsPerSecond: Generated<number | null>;
	/** JSON. Written as text, read as what the driver parsed. */
	networkRestriction: ColumnType<NetworkRestriction | null, string | null | undefined, string | null>;
	networkRestrictedAt: Date | null;
	networkAnswer: string | null;
	copyOf: string | null;
	createdAt: Generated<Date>;
	updatedAt: Generated<Date>;
	openedAt: Date | null;
	deletedAt: Date | null;
	touchedAt: ColumnType<Date, never, never>;
}

interface DomainsTable {
	id: Generated<string>;
	projectId: string;
	name: string;
	token: string;
	createdAt: Generated<Date>;
	verifiedAt: Date | null;
	checkedAt: Date | null;
	missingSince: Date | null;
}

interface NetworkAlertsTable {
	id: string;
	nodeId: string;
	projectId: string;
	kind: NetworkAlertKind;
	detail: string;
	noticedAt: Date;
	deliverAt: Date | null;
	attempts: Generated<number>;
	deliveredAt: Date | null;
}

export type Want = "running" | "stopped" | "purged";

interface PlacementsTable {
	projectId: string;
	nodeId: string;
	generation: Generated<number>;
	want: Want;
	wantVersion: Generated<number>;
	observedState: "stopped" | "starting" | "running" | "paused" | "stopping" | "failed" | null;
	observedWantVersion: number | null;
	/** JSON. Written as text, read as what the driver parsed. */
	observedProblem: ColumnType<unknown, string | null, string | null>;
	observedAt: Date | null;
	checkpointWanted: Generated<number>;
	checkpointAnswered: Generated<number>;
	checkpointUpToDate: Generated<boolean>;
}

interface CheckpointsTable {
	projectId: string;
	generation: number;
	sequence: number;
	parentProjectId: string | null;
	parentGeneration: number | null;
	parentSequence: number | null;
	kind: CheckpointKind;
	name: string | null;
	takenAt: Date;
	objectKey: string;
	start: number;
	bytes: number;
	sha256: Buffer;
	recovered: boolean;
	recordedAt: Generated<Date>;
}

interface ScrubsTable {
	nodeId: string;
	afterKey: Generated<string>;
	roundBeganAt: Generated<Date>;
	roundEndedAt: Date | null;
}

interface DamagedCheckpointsTable {
	projectId: string;
	generation: number;
	sequence: number;
	problem: "missing" | "damaged";
	detail: string;
	foundAt: Generated<Date>;
}
