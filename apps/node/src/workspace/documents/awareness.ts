import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import type * as Y from "yjs";
import type { DocumentClient } from "./document-client.ts";
import { awarenessMaxBytes, awarenessStatesPerClient } from "./limits.ts";
import { MalformedFrameError } from "./yjs-update.ts";

/** Who has their cursor where in one document. Nobody speaks for another, and everyone under their own name. */
export interface SharedAwareness {
	/** @throws MalformedFrameError */
	receive(client: DocumentClient, update: Uint8Array): void;
	/** All present states, null when there are none. */
	encode(): Uint8Array | null;
	/** Clears what the client said. */
	leave(client: DocumentClient): void;
	close(): void;
}

/** `send` gets each change and the client that needs not hear of it. */
export function createSharedAwareness(
	doc: Y.Doc,
	send: (update: Uint8Array, except: DocumentClient | null) => void,
): SharedAwareness {
	const awareness = new Awareness(doc);
	awareness.setLocalState(null);
	const owners = new Map<number, DocumentClient>();

	awareness.on("update", (change: { added: number[]; updated: number[]; removed: number[] }, origin: unknown) => {
		for (const id of change.removed) owners.delete(id);
		const ids = [...change.added, ...change.updated, ...change.removed];
		send(encodeAwarenessUpdate(awareness, ids), isClient(origin) ? origin : null);
	});

	function idsOf(client: DocumentClient): number[] {
		return [...owners].filter(([, owner]) => owner === client).map(([id]) => id);
	}

	return {
		receive(client, update) {
			if (update.length > awarenessMaxBytes) throw new MalformedFrameError("a cursor message that is too long");
			const kept: { id: number; clock: number; state: string }[] = [];
			const own = new Set(idsOf(client));
			for (const entry of readStates(update)) {
				const owner = owners.get(entry.id);
				// Clients repeat what they heard from others; only the owner's word counts.
				if (owner && owner !== client) continue;
				if (entry.state === null) {
					if (!owner) continue;
				} else own.add(entry.id);
				kept.push({ id: entry.id, clock: entry.clock, state: JSON.stringify(withName(entry.state, client.name)) });
			}
			if (own.size > awarenessStatesPerClient) throw new MalformedFrameError("too many cursors");
			for (const id of own) owners.set(id, client);
			if (kept.length > 0) applyAwarenessUpdate(awareness, writeStates(kept), client);
		},

		encode() {
			const ids = [...awareness.getStates().keys()];
			return ids.length > 0 ? encodeAwarenessUpdate(awareness, ids) : null;
		},

		leave(client) {
			const ids = idsOf(client);
			for (const id of ids) owners.delete(id);
			removeAwarenessStates(awareness, ids, client);
			// Ids are picked afresh by each page; what is known of gone ones would only pile up.
			for (const id of ids) awareness.meta.delete(id);
		},

		close() {
			awareness.destroy();
		},
	};
}

function isClient(origin: unknown): origin is DocumentClient {
	return typeof origin === "object" && origin !== null && "canEdit" in origin;
}

function readStates(update: Uint8Array): { id: number; clock: number; state: Record<string, unknown> | null }[] {
	try {
		const decoder = decoding.createDecoder(update);
		const states = [];
		for (let left = decoding.readVarUint(decoder); left > 0; left -= 1) {
			const id = decoding.readVarUint(decoder);
			const clock = decoding.readVarUint(decoder);
			const state: unknown = JSON.parse(decoding.readVarString(decoder));
			if (typeof state !== "object" || Array.isArray(state)) throw new Error("a state that is no object");
			states.push({ id, clock, state: state as Record<string, unknown> | null });
		}
		return states;
	} catch (error) {
		throw new MalformedFrameError("a cursor message that cannot be read", error);
	}
}

function writeStates(states: readonly { id: number; clock: number; state: string }[]): Uint8Array {
	const encoder = encoding.createEncoder();
	encoding.writeVarUint(encoder, states.length);
	for (const { id, clock, state } of states) {
		encoding.writeVarUint(encoder, id);
		encoding.writeVarUint(encoder, clock);
		encoding.writeVarString(encoder, state);
	}
	return encoding.toUint8Array(encoder);
}

function withName(state: Record<string, unknown> | null, name: string): Record<string, unknown> | null {
	if (state === null || typeof state.user !== "object" || state.user === null) return state;
	return { ...state, user: { ...state.user, name } };
}
