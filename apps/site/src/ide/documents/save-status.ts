import type { Problem } from "@repldock/protocol";

/** Yjs state vector: how much of each client's history a state holds. */
export type StateVector = ReadonlyMap<number, number>;

/** What the person is told about a document. */
export type SaveStatus =
	/** All edits made here are in the file. */
	| { kind: "saved" }
	/** Edits are on their way to the file. */
	| { kind: "saving" }
	/** There is no connection; `edits` edits wait for it (0 when all were saved before). */
	| { kind: "offline"; edits: number }
	/** The node has the edits but cannot write the file. */
	| { kind: "notSaved"; problem: Problem };

/** Whether a state holds all that another one needs. */
export function covers(has: StateVector, needs: StateVector): boolean {
	for (const [client, clock] of needs) if ((has.get(client) ?? 0) < clock) return false;
	return true;
}

/** The least state that holds both; for states of one history. */
export function joinVectors(one: StateVector, other: StateVector): StateVector {
	const joined = new Map(one);
	for (const [client, clock] of other) if ((joined.get(client) ?? 0) < clock) joined.set(client, clock);
	return joined;
}

/**
 * Follows which edits of this page are in the file. It knows edits by the state that the document had right after
 * them, so that "saved" is a comparison of two state vectors and never a guess.
 */
export type SaveLedger = {
	/** An edit was made here, after which the document's state was `state`. */
	edited(state: StateVector): void;
	/** The node says that the file holds `state`. */
	saved(state: StateVector): void;
	/** Edits that the file is not known to hold. */
	waiting(): number;
	/** What the file is known to hold. */
	known(): StateVector;
};

/** Edits beyond this many are counted but share the last one's state, which bounds the memory of a long time offline. */
const mostTracked = 10_000;

export function createSaveLedger(): SaveLedger {
	let edits: { state: StateVector; count: number }[] = [];
	let known: StateVector = new Map();
	return {
		edited(state) {
			const last = edits.at(-1);
			if (last && edits.length >= mostTracked) {
				last.state = state;
				last.count++;
			} else {
				edits.push({ state, count: 1 });
			}
		},
		saved(state) {
			known = joinVectors(known, state);
			edits = edits.filter((edit) => !covers(known, edit.state));
		},
		waiting: () => edits.reduce((sum, edit) => sum + edit.count, 0),
		known: () => known,
	};
}

/** What to tell, from the three facts that decide it. */
export function saveStatus(facts: { connected: boolean; waiting: number; problem: Problem | null }): SaveStatus {
	if (!facts.connected) return { kind: "offline", edits: facts.waiting };
	if (facts.problem) return { kind: "notSaved", problem: facts.problem };
	return facts.waiting === 0 ? { kind: "saved" } : { kind: "saving" };
}

/** The worst of several documents' statuses, with the waiting edits added up. An empty list is "saved". */
export function joinStatuses(statuses: readonly SaveStatus[], connected: boolean): SaveStatus {
	if (!connected) {
		const edits = statuses.reduce((sum, status) => sum + (status.kind === "offline" ? status.edits : 0), 0);
		return { kind: "offline", edits };
	}
	const failed = statuses.find((status) => status.kind === "notSaved");
	if (failed) return failed;
	// While the page is connected, a document that is not is being opened: what waits in it is on its way.
	const waits = statuses.some((status) => status.kind === "saving" || (status.kind === "offline" && status.edits > 0));
	return { kind: waits ? "saving" : "saved" };
}

export function describeSaveStatus(status: SaveStatus): string {
	switch (status.kind) {
		case "saved":
			return "Saved";
		case "saving":
			return "Saving…";
		case "offline":
			if (status.edits === 0) return "Offline";
			return `Offline, ${status.edits} ${status.edits === 1 ? "edit" : "edits"} waiting`;
		case "notSaved":
			return `Not saved: ${status.problem.detail}`;
	}
}
