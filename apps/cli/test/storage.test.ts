import { expect, test } from "vitest";
import { lagMs, type Storage, storageFindings } from "../src/machine/storage.ts";

const nowMs = Date.parse("2026-03-01T12:00:00.000Z");

function storage(change: { node?: Partial<Storage["node"]>; site?: Partial<Storage["site"]> } = {}): Storage {
	return {
		node: {
			volumes: { count: 2, usedBytes: 1e9, freeBytes: 9e9 },
			dirty: [],
			unreported: 0,
			store: {
				description: "/objects",
				objects: 3,
				more: false,
				oldestAt: "2026-02-01T00:00:00.000Z",
				problem: null,
				failure: null,
			},
			garbage: { at: "2026-03-01T06:00:00.000Z", removed: 1 },
			...change.node,
		},
		site: {
			projects: 2,
			checkpoints: 5,
			bytes: 1e6,
			knowsSince: "1970-01-01T00:00:00.000Z",
			damagedProjects: [],
			damaged: 0,
			scrubbedAt: null,
			...change.site,
		},
	};
}

const statesOf = (one: Storage) =>
	Object.fromEntries(storageFindings(one, nowMs).map(({ name, state }) => [name, state]));
const detailOf = (one: Storage, finding: string) =>
	storageFindings(one, nowMs).find(({ name }) => name === finding)?.detail;
const well = { volumes: "ok", "object store": "ok", checkpoints: "ok", garbage: "ok", damage: "ok" };

test("doctor and status tell of full disks, a lag, a store that is away, unknown objects and damage", () => {
	expect(statesOf(storage())).toEqual(well);
	const full = { count: 2, usedBytes: 95, freeBytes: 5 };
	expect(statesOf(storage({ node: { volumes: full } }))).toEqual({ ...well, volumes: "warning" });
	const dirty = (since: string | null, upTo: string | null) =>
		storage({ node: { dirty: [{ projectId: "p", upTo, since }] } });
	expect(statesOf(dirty("2026-03-01T11:59:55.000Z", null))).toEqual(well);
	expect(statesOf(dirty("2026-03-01T11:50:00.000Z", null))).toEqual({ ...well, checkpoints: "warning" });
	// It was left alone for a week, and somebody has just changed it.
	expect(statesOf(dirty(null, "2026-02-22T00:00:00.000Z"))).toEqual(well);
	const store = { ...storage().node.store, problem: "It did not answer." };
	expect(statesOf(storage({ node: { store } }))).toEqual({ ...well, "object store": "wrong" });
	const young = { knowsSince: "2026-02-02T00:00:00.000Z" };
	expect(statesOf(storage({ site: young }))).toEqual({ ...well, garbage: "warning" });
	expect(statesOf(storage({ site: { damaged: 1 } }))).toEqual({ ...well, damage: "warning" });
	expect(statesOf(storage({ site: { damaged: 1, damagedProjects: ["p"] } }))).toEqual({ ...well, damage: "wrong" });
});

test("a store that lists but refuses what it is given is wrong at once, and new work in a new project counts from its change", () => {
	const refused = "The object store refused (HTTP 403 AccessDenied): PUT probes/1.";
	const failure = {
		at: "2026-03-01T11:59:00.000Z",
		problem: "The object store refused (HTTP 403 AccessDenied): PUT packs/1.",
	};
	const node = {
		dirty: [{ projectId: "new", upTo: null, since: "2026-03-01T11:57:00.000Z" }],
		store: { ...storage().node.store, problem: refused, failure },
	};
	expect(statesOf(storage({ node }))).toEqual({ ...well, "object store": "wrong", checkpoints: "warning" });
	expect(lagMs(storage({ node }), nowMs)).toBe(180_000);
	expect(detailOf(storage({ node }), "object store")).toContain(refused);
	expect(detailOf(storage({ node }), "checkpoints")).toContain("the oldest for 180 s");
	// It takes small objects again, and the node has not tried since.
	const back = storage({ node: { store: { ...node.store, problem: null } } });
	expect(statesOf(back)).toEqual({ ...well, "object store": "warning" });
	expect(detailOf(back, "object store")).toContain(failure.problem);
});

test("garbage that was not looked for in a day is told, be it that nobody ever did", () => {
	const garbageOf = (garbage: Storage["node"]["garbage"], oldestAt: string | null) =>
		statesOf(storage({ node: { garbage, store: { ...storage().node.store, oldestAt } } })).garbage;
	const old = "2026-02-01T00:00:00.000Z";
	expect(garbageOf({ at: "2026-02-28T12:00:01.000Z", removed: 0 }, old)).toBe("ok");
	expect(garbageOf({ at: "2026-02-28T11:59:59.000Z", removed: 0 }, old)).toBe("warning");
	expect(garbageOf(null, old)).toBe("warning");
	expect(garbageOf(null, "2026-03-01T11:00:00.000Z")).toBe("ok");
	expect(garbageOf(null, null)).toBe("ok");
});
