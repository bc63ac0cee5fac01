import { expect, test } from "vitest";
import { pacesOf, type TerminalUse } from "../../src/traffic/paces.ts";

const mega = 1_000_000;
const shares = { uplinkBitsPerSecond: 800 * mega, floorBitsPerSecond: 8 * mega, byOwner: true };

const use = (projectId: string, ownerId: string, change: Partial<TerminalUse> = {}): TerminalUse => ({
	projectId,
	ownerId,
	ceilingBitsPerSecond: null,
	sentBitsPerSecond: 0,
	waits: true,
	...change,
});

/** Megabytes per second, by project. */
function paces(terminals: TerminalUse[], containers = 0, byOwner = true): Record<string, number> {
	const message = pacesOf({
		shares: { ...shares, byOwner },
		containersBitsPerSecond: containers * mega,
		terminals,
	});
	expect(message.bytesPerSecond).toBe(mega);
	return Object.fromEntries(Object.entries(message.projects).map(([id, bytes]) => [id, bytes / mega]));
}

test("nobody has a pace of its own while no terminal waits", () => {
	expect(paces([])).toEqual({});
	expect(paces([use("a", "ada", { waits: false, sentBitsPerSecond: 3 * mega })])).toEqual({});
});

test("one that waits has the whole uplink when nobody else sends, and its floor when containers fill it", () => {
	expect(paces([use("a", "ada")])).toEqual({ a: 100 });
	expect(paces([use("a", "ada")], 400)).toEqual({ a: 50 });
	expect(paces([use("a", "ada")], 800)).toEqual({ a: 1 });
	expect(paces([use("a", "ada")], 900)).toEqual({ a: 1 });
});

test("what is left is divided evenly among owners first, and then among the projects of each", () => {
	const terminals = [use("a", "ada"), use("b", "ada"), use("c", "bob")];
	expect(paces(terminals, 400)).toEqual({ a: 12.5, b: 12.5, c: 25 });
	expect(paces(terminals, 800)).toEqual({ a: 0.5, b: 0.5, c: 1 });
	expect(paces(terminals, 800, false)).toEqual({ a: 1, b: 1, c: 1 });
	const [a, b, c] = Object.values(paces(terminals, 200, false));
	expect([a, b, c]).toEqual([25, 25, 25]);
});

test("a ceiling holds, below the floor too, and what it leaves goes to the others", () => {
	const terminals = [use("a", "ada", { ceilingBitsPerSecond: 80 * mega }), use("b", "bob"), use("c", "eve")];
	expect(paces(terminals, 320)).toEqual({ a: 10, b: 25, c: 25 });
	expect(paces([use("a", "ada", { ceilingBitsPerSecond: mega })])).toEqual({ a: 0.125 });
	const unheeded = use("a", "ada", { ceilingBitsPerSecond: mega, waits: false, sentBitsPerSecond: 2 * mega });
	expect(paces([unheeded])).toEqual({ a: 0.125 });
});

test("who is content has room to grow, and leaves the rest to those that wait", () => {
	const content = use("a", "ada", { waits: false, sentBitsPerSecond: 100 * mega });
	expect(paces([content])).toEqual({ a: 25 });
	expect(paces([content, use("b", "bob")])).toEqual({ a: 25, b: 75 });
	expect(paces([content, use("b", "bob")], 700)).toEqual({ a: 6.25, b: 6.25 });
});

test("an owner's many projects do not make many floors, waiting or not", () => {
	const many = Array.from({ length: 50 }, (_, index) =>
		use(`p${index}`, "ada", { waits: false, sentBitsPerSecond: 2 * mega }),
	);
	const sum = Object.values(paces(many, 800)).reduce((all, pace) => all + pace, 0);
	expect(sum).toBeCloseTo(1, 3);
});

test("what the quiet take is not given to others", () => {
	const quiet = Array.from({ length: 100 }, (_, index) =>
		use(`q${index}`, `owner${index}`, { waits: false, sentBitsPerSecond: 2 * mega }),
	);
	expect(paces([...quiet, use("a", "ada")], 400)).toEqual({ a: 25 });
});

test("without shaping there is no pace", () => {
	const off = { uplinkBitsPerSecond: 0, floorBitsPerSecond: 0, byOwner: false };
	const terminals = [use("a", "ada")];
	expect(pacesOf({ shares: off, containersBitsPerSecond: 0, terminals })).toEqual({
		bytesPerSecond: null,
		projects: {},
	});
});
