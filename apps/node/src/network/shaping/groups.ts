import type { HtbClass } from "../../host/traffic-control.ts";
import type { Member } from "../parts.ts";
import { groupNumbers, hex, type Placed } from "./objects.ts";

/** Which share each member belongs to: its owner's, or its own. */
export interface Groups {
	placed(): Placed[];
	find(projectId: string): Placed | undefined;
	/** Whether the member's share is there already. */
	hasShare(member: Member): boolean;
	/** Harmless to repeat; a new policy is taken over. @param classes what an earlier agent made, whose numbers are kept. */
	place(member: Member, classes?: readonly HtbClass[]): Placed;
	/** @returns whether the share is empty now. */
	remove(projectId: string): boolean;
}

export function createGroups(byOwner: boolean): Groups {
	const members = new Map<string, Placed>();
	const numbers = new Map<string, number>();
	const shareOf = ({ ownerId, projectId }: Member) => (byOwner ? ownerId : projectId);

	/** An earlier agent's number, which the class's name tells, unless another share has it by now. */
	function choose(member: Member, classes: readonly HtbClass[]): number {
		const taken = new Set(numbers.values());
		const earlier = classes
			.map(({ id }) => id.split(":"))
			.find(([major, minor]) => major !== "1" && minor === hex(member.number))?.[0];
		const number = Number.parseInt(earlier ?? "", 16);
		if (number >= groupNumbers.first && number <= groupNumbers.last && !taken.has(number)) return number;
		// Numbers of classes that others may still ask for are left alone.
		const seen = new Set(classes.map(({ id }) => Number.parseInt(id.split(":")[0] ?? "", 16)));
		for (let free = groupNumbers.first; free <= groupNumbers.last; free += 1) {
			if (!taken.has(free) && !seen.has(free)) return free;
		}
		throw new Error("There are more shares of the uplink than numbers for them.");
	}

	return {
		placed: () => [...members.values()],
		find: (projectId) => members.get(projectId),
		hasShare: (member) => numbers.has(shareOf(member)),

		place(member, classes = []) {
			const here = members.get(member.projectId);
			const share = shareOf(member);
			// A project that changes hands keeps its class, and its counters with it, while its container stands.
			const isSame = here?.member.containerId === member.containerId;
			const group = isSame ? here.group : (numbers.get(share) ?? choose(member, classes));
			if (!isSame) numbers.set(share, group);
			const placed = { member, group };
			members.set(member.projectId, placed);
			return placed;
		},

		remove(projectId) {
			const placed = members.get(projectId);
			members.delete(projectId);
			if (!placed || [...members.values()].some(({ group }) => group === placed.group)) return false;
			for (const [share, number] of numbers) if (number === placed.group) numbers.delete(share);
			return true;
		},
	};
}
