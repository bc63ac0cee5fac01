import type { S3Options } from "@repldock/objects";
import type { Durability, WorkspaceEvent } from "@repldock/protocol";

/** What the storage agent of the rounds is started with, as JSON in its first argument. */
export interface AgentSettings {
	name: string;
	/** Where the volumes' file system is mounted. */
	mountPoint: string;
	/** What it keeps on disk: its state file and the documents' journals. */
	directory: string;
	templatesDirectory: string;
	siteUrl: string;
	nodeToken: string;
	store: S3Options | { folder: string };
	/** The file of the volumes, if it is to grow while the agent runs, and the most that it may become. */
	growth?: { file: string; bytes: number };
	checkpointEveryMs: number;
	/** By how much its clock is wrong. */
	clockAheadMs: number;
}

/** Calls of the test, each answered by `{ reply, result | problem }`. */
export interface AgentCalls {
	/** Makes or restores the volume, once the site has placed the project here. @returns whether it was restored. */
	ensureVolume(argument: { projectId: string }): boolean;
	openDocument(argument: { projectId: string; client: number; path: string }): void;
	frame(argument: { projectId: string; client: number; bytes: Uint8Array }): void;
	leave(argument: { projectId: string; client: number }): void;
	/** @returns the version's id. */
	save(argument: { projectId: string; name: string }): string;
	/** Puts a version's files in place of all that the project has. @returns the version that undoes it. */
	restoreVersion(argument: { projectId: string; versionId: string }): string;
	/** All is durable and recorded by the site. */
	settle(argument: { projectId: string }): void;
	forget(argument: { projectId: string }): void;
	setClock(argument: { aheadMs: number }): void;
	/** From now on it believes that it owns what it owns now, whatever the site says. */
	stopListening(argument: object): void;
}

/** What the agent tells: to pages, and by itself. `atMs` is its own clock. */
export type AgentEvent =
	| { type: "ready"; nodeId: string }
	| { type: "page"; client: number; event: WorkspaceEvent; atMs: number }
	| { type: "pageFrame"; client: number; bytes: Uint8Array }
	| { type: "durability"; projectId: string; durability: Durability; atMs: number };

export type FromAgent = AgentEvent | { type: "reply"; call: number; result?: unknown; problem?: string };
export interface ToAgent {
	call: number;
	name: keyof AgentCalls;
	argument: unknown;
}
