import { type DesiredPlacement, isDeparting } from "@repldock/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ObservedContainer, type ObservedNode, reconcile, type Step } from "../../src/reconcile/reconcile.ts";

const projectIds = ["a", "b", "c"];

const placements = fc
	.uniqueArray(
		fc.record({
			projectId: fc.constantFrom(...projectIds),
			generation: fc.integer({ min: 1, max: 3 }),
			want: fc.constantFrom("running" as const, "stopped" as const, "purged" as const, "left" as const),
			wantVersion: fc.integer({ min: 0, max: 3 }),
		}),
		{ selector: ({ projectId }) => projectId },
	)
	.map((list) => new Map(list.map((placement) => [placement.projectId, placement as DesiredPlacement])));

const nodes: fc.Arbitrary<ObservedNode> = fc.record({
	containers: fc
		.array(
			fc.record({
				projectId: fc.constantFrom(...projectIds),
				generation: fc.integer({ min: 1, max: 3 }),
				running: fc.boolean(),
				paused: fc.boolean(),
				rests: fc.boolean(),
			}),
			{ maxLength: 6 },
		)
		.map((list) => list.map((container, index): ObservedContainer => ({ ...container, id: `container-${index}` }))),
	volumes: fc.uniqueArray(fc.constantFrom(...projectIds)).map((list) => new Set(list)),
	answeredWants: fc
		.array(fc.tuple(fc.constantFrom(...projectIds), fc.integer({ min: 0, max: 3 })))
		.map((list) => new Map(list)),
});

/** What the node looks like once the steps are done. */
function carryOut(desired: ReadonlyMap<string, DesiredPlacement>, node: ObservedNode, steps: Step[]): ObservedNode {
	let containers = [...node.containers];
	const volumes = new Set(node.volumes);
	const answeredWants = new Map(node.answeredWants);
	for (const step of steps) {
		const placement = desired.get(step.projectId);
		if (step.kind === "removeContainer") containers = containers.filter(({ id }) => id !== step.containerId);
		if (step.kind === "stop" || step.kind === "depart") {
			containers = containers.filter(({ projectId }) => projectId !== step.projectId);
		}
		if (step.kind === "depart") volumes.delete(step.projectId);
		if (step.kind === "start" && placement) {
			// One that is paused goes on; no second one is made.
			containers = containers.filter(({ projectId }) => projectId !== step.projectId);
			containers.push({
				id: `new-${step.projectId}`,
				projectId: step.projectId,
				generation: placement.generation,
				running: true,
				paused: false,
				rests: false,
			});
			volumes.add(step.projectId);
			answeredWants.set(step.projectId, placement.wantVersion);
		}
	}
	return { containers, volumes, answeredWants };
}

test("the steps bring any node to any desired set, and then there are none", () => {
	fc.assert(
		fc.property(placements, nodes, (desired, node) => {
			const after = carryOut(desired, node, reconcile(desired, node));
			expect(reconcile(desired, after)).toEqual([]);
			const seen = new Set<string>();
			for (const container of after.containers) {
				const placement = desired.get(container.projectId);
				expect(placement?.want).toBe("running");
				expect(container.generation).toBe(placement?.generation);
				expect(seen.has(container.projectId)).toBe(false);
				seen.add(container.projectId);
			}
			for (const placement of desired.values()) {
				if (isDeparting(placement)) expect(after.volumes.has(placement.projectId)).toBe(false);
			}
		}),
		{ numRuns: 2_000 },
	);
});

test("a running container of the right generation is left alone", () => {
	const placement = { projectId: "a", generation: 2, want: "running", wantVersion: 5 } as DesiredPlacement;
	const container = { id: "x", projectId: "a", generation: 2, running: true, paused: false, rests: false };
	const node = { containers: [container], volumes: new Set(["a"]), answeredWants: new Map() };
	expect(reconcile(new Map([["a", placement]]), node)).toEqual([]);
});

test("a container that was stopped for want of use stays stopped until the project is opened again", () => {
	const placement = { projectId: "a", generation: 1, want: "running", wantVersion: 5 } as DesiredPlacement;
	const node = { containers: [], volumes: new Set(["a"]), answeredWants: new Map([["a", 5]]) };
	expect(reconcile(new Map([["a", placement]]), node)).toEqual([]);
	expect(reconcile(new Map([["a", { ...placement, wantVersion: 6 }]]), node)).toEqual([
		{ kind: "start", projectId: "a" },
	]);
});

test("a container that rests is kept for the next start, and goes when the project may not run or has another one", () => {
	const placement = { projectId: "a", generation: 1, want: "running", wantVersion: 5 } as DesiredPlacement;
	const rested = { id: "x", projectId: "a", generation: 1, running: false, paused: false, rests: true };
	const node = { containers: [rested], volumes: new Set(["a"]), answeredWants: new Map([["a", 5]]) };
	expect(reconcile(new Map([["a", placement]]), node)).toEqual([]);
	expect(reconcile(new Map([["a", { ...placement, wantVersion: 6 }]]), node)).toEqual([
		{ kind: "start", projectId: "a" },
	]);
	expect(reconcile(new Map([["a", { ...placement, want: "stopped" }]]), node)).toEqual([
		{ kind: "stop", projectId: "a" },
	]);
	for (const desired of [new Map(), new Map([["a", { ...placement, generation: 2 }]])]) {
		expect(reconcile(desired, node)).toMatchObject([{ kind: "removeContainer", containerId: "x" }]);
	}
	const running = { ...rested, id: "y", running: true, rests: false };
	expect(reconcile(new Map([["a", placement]]), { ...node, containers: [rested, running] })).toMatchObject([
		{ kind: "removeContainer", containerId: "x" },
	]);
});

test("a paused container goes on when the project is opened again, and stands still until then", () => {
	const placement = { projectId: "a", generation: 1, want: "running", wantVersion: 5 } as DesiredPlacement;
	const container = { id: "x", projectId: "a", generation: 1, running: true, paused: true, rests: false };
	const node = { containers: [container], volumes: new Set(["a"]), answeredWants: new Map([["a", 5]]) };
	expect(reconcile(new Map([["a", placement]]), node)).toEqual([]);
	expect(reconcile(new Map([["a", { ...placement, wantVersion: 6 }]]), node)).toEqual([
		{ kind: "start", projectId: "a" },
	]);
	expect(reconcile(new Map([["a", { ...placement, want: "stopped" }]]), node)).toEqual([
		{ kind: "stop", projectId: "a" },
	]);
});

test("a fork is made once, as soon as its origin's volume is here, whether it is wanted running or not", () => {
	const fork = { projectId: "b", generation: 1, want: "stopped", wantVersion: 0, copyOf: "a" } as DesiredPlacement;
	const desired = new Map([["b", fork]]);
	const node = (...volumes: string[]) => ({
		containers: [],
		volumes: new Set(volumes),
		answeredWants: new Map<string, number>(),
	});
	expect(reconcile(desired, node())).toEqual([]);
	expect(reconcile(desired, node("a"))).toEqual([{ kind: "fork", projectId: "b" }]);
	expect(reconcile(desired, node("a", "b"))).toEqual([]);
	expect(reconcile(new Map([["b", { ...fork, want: "purged" as const }]]), node("a"))).toEqual([]);
});
