import type { Checkpoint } from "@repldock/protocol";
import { expect } from "vitest";
import { eventually } from "./eventually.ts";
import type { FakeNode } from "./fake-node.ts";

/** A full checkpoint of the first generation, taken now. */
export function checkpoint(projectId: string, sequence: number, change: Partial<Checkpoint> = {}): Checkpoint {
	return {
		projectId,
		generation: 1,
		sequence,
		parent: null,
		kind: "change",
		name: null,
		takenAt: new Date().toISOString(),
		key: `projects/${projectId}/1/${sequence}`,
		start: 0,
		bytes: 10,
		sha256: "ab".repeat(32),
		...change,
	};
}

/** Reports as this node and waits until the site has recorded them. */
export async function report(node: FakeNode, ...checkpoints: Checkpoint[]): Promise<void> {
	const before = node.recorded().length;
	node.send({ type: "checkpoints", checkpoints });
	await eventually(async () => expect(node.recorded().length).toBe(before + checkpoints.length));
}
