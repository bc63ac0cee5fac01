import type { WorkspaceEvent } from "@repldock/protocol";

/** The events socket of one person, as documents see it. */
export interface DocumentClient {
	readonly name: string;
	/** False for people who may only look. */
	readonly canEdit: boolean;
	send(event: WorkspaceEvent): void;
	sendFrame(frame: Uint8Array): void;
}
