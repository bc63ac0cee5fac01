import { type DesiredPlacement, RepldockError } from "@repldock/protocol";
import type { ContainerLife } from "./container-life.ts";

export interface RoomOptions {
	/** Most containers of the node at a time. */
	slots: number;
	lives: ReadonlyMap<string, ContainerLife>;
	/** Projects whose container is paused, the longest first. */
	paused: ReadonlySet<string>;
	find(projectId: string): DesiredPlacement | undefined;
	/** Stops a paused container; harmless when it is not paused any more. */
	giveUp(projectId: string): Promise<void>;
}

/** Says whether one more container may start: the node has so many slots, and a person may use so many of them. */
export interface Room {
	/**
	 * For a project that is `starting`, which has its place already. The container that is paused for the longest time
	 * gives up its own if need be.
	 * @throws RepldockError `no_node`, `limit_reached`.
	 */
	require(placement: DesiredPlacement): Promise<void>;
}

export function createRoom({ slots, lives, paused, find, giveUp }: RoomOptions): Room {
	/** Starts that are under way have their slot already. */
	const inNode = (exceptId: string) =>
		[...lives].flatMap(([id, { state }]) => (id !== exceptId && state !== "stopped" && state !== "failed" ? id : []));

	/** Without those that are on their way out, or the project that replaces another would be refused beside it. */
	function ofOwner({ projectId, owner }: DesiredPlacement) {
		return inNode(projectId).filter((id) => {
			const other = find(id);
			return other?.owner.id === owner.id && other.want === "running" && lives.get(id)?.state !== "stopping";
		});
	}

	/** @returns false when none of them is paused. */
	async function makeRoom(projectIds: readonly string[]): Promise<boolean> {
		const longest = [...paused].find((id) => projectIds.includes(id));
		if (longest === undefined) return false;
		await giveUp(longest);
		return true;
	}

	return {
		async require(placement) {
			const most = placement.owner.mostRunning ?? Number.POSITIVE_INFINITY;
			for (let others = ofOwner(placement); others.length >= most; others = ofOwner(placement)) {
				if (await makeRoom(others)) continue;
				throw new RepldockError(
					"limit_reached",
					`${most} of your projects run already, which is the most here. Stop one, or wait until one falls asleep.`,
				);
			}
			for (let others = inNode(placement.projectId); others.length >= slots; others = inNode(placement.projectId)) {
				if (await makeRoom(others)) continue;
				throw new RepldockError("no_node", "This server is full now. Stop another project, or try again in a while.");
			}
		},
	};
}
