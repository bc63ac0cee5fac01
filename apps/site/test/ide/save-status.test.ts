import { expect, test } from "vitest";
import {
	covers,
	createSaveLedger,
	describeSaveStatus,
	joinStatuses,
	saveStatus,
} from "../../src/ide/documents/save-status.ts";

const vector = (clocks: Record<number, number>) =>
	new Map(Object.entries(clocks).map(([client, clock]) => [Number(client), clock]));
const problem = { code: "quota_exceeded", status: 507, detail: "The project's disk is full." } as const;

test("a state covers another when no client of it is behind", () => {
	expect(covers(vector({ 1: 5, 2: 3 }), vector({ 1: 5 }))).toBe(true);
	expect(covers(vector({ 1: 4 }), vector({ 1: 5 }))).toBe(false);
	expect(covers(vector({}), vector({ 7: 1 }))).toBe(false);
});

test("edits wait until the file holds the state right after them", () => {
	const ledger = createSaveLedger();
	ledger.edited(vector({ 1: 1 }));
	ledger.edited(vector({ 1: 2 }));
	ledger.edited(vector({ 1: 3 }));
	expect(ledger.waiting()).toBe(3);
	ledger.saved(vector({ 1: 2 }));
	expect(ledger.waiting()).toBe(1);
	ledger.saved(vector({ 1: 3 }));
	expect(ledger.waiting()).toBe(0);
});

test("an older answer that comes late does not unsave anything", () => {
	const ledger = createSaveLedger();
	ledger.edited(vector({ 1: 3 }));
	ledger.saved(vector({ 1: 3 }));
	ledger.saved(vector({ 1: 1 }));
	ledger.edited(vector({ 1: 3, 2: 1 }));
	expect(ledger.waiting()).toBe(1);
	ledger.saved(vector({ 2: 1 }));
	expect(ledger.waiting()).toBe(0);
});

test("a long time offline keeps the count and a bounded list", () => {
	const ledger = createSaveLedger();
	for (let edit = 1; edit <= 12_000; edit++) ledger.edited(vector({ 1: edit }));
	expect(ledger.waiting()).toBe(12_000);
	ledger.saved(vector({ 1: 12_000 }));
	expect(ledger.waiting()).toBe(0);
});

test("what is told follows from connection, waiting edits and problem alone", () => {
	expect(describeSaveStatus(saveStatus({ connected: true, waiting: 0, problem: null }))).toBe("Saved");
	expect(describeSaveStatus(saveStatus({ connected: true, waiting: 2, problem: null }))).toBe("Saving…");
	expect(describeSaveStatus(saveStatus({ connected: false, waiting: 1, problem: null }))).toBe(
		"Offline, 1 edit waiting",
	);
	expect(describeSaveStatus(saveStatus({ connected: false, waiting: 3, problem }))).toBe("Offline, 3 edits waiting");
	expect(describeSaveStatus(saveStatus({ connected: true, waiting: 3, problem }))).toBe(
		"Not saved: The project's disk is full.",
	);
});

test("of several documents the worst is told, and waiting edits are added up", () => {
	const offline = (edits: number) => ({ kind: "offline", edits }) as const;
	expect(joinStatuses([], true)).toEqual({ kind: "saved" });
	expect(joinStatuses([{ kind: "saved" }, { kind: "saving" }], true)).toEqual({ kind: "saving" });
	expect(joinStatuses([{ kind: "saving" }, { kind: "notSaved", problem }], true)).toEqual({
		kind: "notSaved",
		problem,
	});
	expect(joinStatuses([offline(2), offline(0), offline(5)], false)).toEqual(offline(7));
	expect(joinStatuses([offline(0)], true)).toEqual({ kind: "saved" });
	expect(joinStatuses([offline(2)], true)).toEqual({ kind: "saving" });
});
