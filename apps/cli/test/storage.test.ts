import { expect, test } from "vitest";
import { type Storage, storageFindings } from "../src/machine/storage.ts";

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
const well = { volumes: "ok", "object store": "ok", checkpoints: "ok", garbage: "ok", damage: "ok" };

test("doctor and status tell of full disks, a lag, a store that is away, unknown objects and damage", () => {
	expect(statesOf(storage())).toEqual(well);
	const full = { count: 2, usedBytes: 95, freeBytes: 5 };
	expect(statesOf(storage({ node: { volumes: full } }))).toEqual({ ...well, volumes: "warning" });
	const dirty = (upTo: string) => storage({ node: { dirty: [{ projectId: "p", upTo }] } });
	expect(statesOf(dirty("2026-03-01T11:59:55.000Z"))).toEqual(well);
	expect(statesOf(dirty("2026-03-01T11:50:00.000Z"))).toEqual({ ...well, checkpoints: "warning" });
	const store = { ...storage().node.store, problem: "It did not answer." };
	expect(statesOf(storage({ node: { store } }))).toEqual({ ...well, "object store": "wrong" });
	const young = { knowsSince: "2026-02-02T00:00:00.000Z" };
	expect(statesOf(storage({ site: young }))).toEqual({ ...well, garbage: "warning" });
	expect(statesOf(storage({ site: { damaged: 1 } }))).toEqual({ ...well, damage: "warning" });
	expect(statesOf(storage({ site: { damaged: 1, damagedProjects: ["p"] } }))).toEqual({ ...well, damage: "wrong" });
});
