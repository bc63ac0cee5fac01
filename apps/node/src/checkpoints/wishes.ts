import type { Checkpoint, CheckpointKind } from "@repldock/protocol";

/** Somebody waits for a checkpoint of a project. */
export interface Wish {
	kind: CheckpointKind;
	name: string | null;
	fulfil(checkpoint: Checkpoint): void;
	refuse(error: unknown): void;
}

/** Wishes by project, until a snapshot is taken for them. */
export function createWishes() {
	const waiting = new Map<string, Wish[]>();

	return {
		has: (projectId: string) => waiting.has(projectId),

		/** @returns what the wish is answered with. Nobody needs to listen for a refusal. */
		add(projectId: string, kind: CheckpointKind, name: string | null): Promise<Checkpoint> {
			const answer = new Promise<Checkpoint>((fulfil, refuse) => {
				waiting.set(projectId, [...(waiting.get(projectId) ?? []), { kind, name, fulfil, refuse }]);
			});
			answer.catch(() => undefined);
			return answer;
		},

		/** Whoever wishes from now on means what comes later. */
		take(projectId: string): Wish[] {
			const taken = waiting.get(projectId) ?? [];
			waiting.delete(projectId);
			return taken;
		},
	};
}
export type Wishes = ReturnType<typeof createWishes>;

export function refuseAll(wishes: readonly Wish[], error: unknown): void {
	for (const wish of wishes) wish.refuse(error);
}

/** The one by which the checkpoint is called: a name is worth more than none. */
export function foremost(wishes: readonly Wish[]): Wish | undefined {
	return wishes.find(({ name }) => name !== null) ?? wishes[0];
}
