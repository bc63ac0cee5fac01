import type { SetPacesMessage } from "../holder/messages.ts";
import type { TrafficSources } from "./sources.ts";

/** What one project's terminals and console were sent within the last moment. */
export interface TerminalUse {
	projectId: string;
	ownerId: string;
	/** By plan or by an operator; null: as much as there is. */
	ceilingBitsPerSecond: number | null;
	sentBitsPerSecond: number;
	/** More is there to be sent. */
	waits: boolean;
}

/** Who does not wait gets room for so much more than it takes: it may want more in the next moment. */
const headroom = 2;

/**
 * How fast terminals may be shown, in bytes per second. A share (an owner, or a project) has its floor; those that want
 * more divide evenly what the uplink has left by what containers sent, and so do the projects of a share. A share that
 * takes less than half its floor is not looked at: its projects have the floor at hand.
 */
export function pacesOf(options: {
	shares: ReturnType<TrafficSources["shares"]>;
	/** What all containers sent by their cables. */
	containersBitsPerSecond: number;
	terminals: readonly TerminalUse[];
}): SetPacesMessage {
	const { uplinkBitsPerSecond, floorBitsPerSecond, byOwner } = options.shares;
	if (uplinkBitsPerSecond === 0) return { bytesPerSecond: null, projects: {} };

	const wanted = ({ ceilingBitsPerSecond, sentBitsPerSecond, waits }: TerminalUse) =>
		Math.min(ceilingBitsPerSecond ?? uplinkBitsPerSecond, waits ? uplinkBitsPerSecond : headroom * sentBitsPerSecond);
	const used = options.terminals.filter(({ sentBitsPerSecond, waits }) => waits || sentBitsPerSecond > 0);
	const shares = [...Map.groupBy(used, ({ ownerId, projectId }) => (byOwner ? ownerId : projectId)).values()];
	const isBeyond = ({ ceilingBitsPerSecond, sentBitsPerSecond }: TerminalUse) =>
		headroom * sentBitsPerSecond > (ceilingBitsPerSecond ?? Number.POSITIVE_INFINITY);
	const isBusy = (share: TerminalUse[]) =>
		share.some((each) => each.waits || isBeyond(each)) ||
		headroom * sum(share, (each) => each.sentBitsPerSecond) >= floorBitsPerSecond;
	const busy = shares.filter(isBusy);
	const quiet = sum(shares, (share) => (isBusy(share) ? 0 : sum(share, (each) => each.sentBitsPerSecond)));
	const left = Math.max(0, uplinkBitsPerSecond - options.containersBitsPerSecond - quiet);

	const parts = divide(
		left,
		busy.map((share) => sum(share, wanted)),
	);
	const projects = busy.flatMap((share, index) => {
		const inShare = divide(Math.max(floorBitsPerSecond, parts[index] ?? 0), share.map(wanted));
		return share.map(({ projectId }, member) => [projectId, bytesOf(inShare[member] ?? 0)] as const);
	});
	return { bytesPerSecond: bytesOf(floorBitsPerSecond), projects: Object.fromEntries(projects) };
}

/** Evenly, but nobody more than it wants; what one leaves the others divide. */
function divide(amount: number, wanted: readonly number[]): number[] {
	const parts = wanted.map(() => 0);
	const modestFirst = wanted.map((most, index) => ({ most, index })).sort((one, other) => one.most - other.most);
	let left = amount;
	for (const [turn, { most, index }] of modestFirst.entries()) {
		const part = Math.min(most, left / (wanted.length - turn));
		parts[index] = part;
		left -= part;
	}
	return parts;
}

function sum<T>(things: readonly T[], figure: (thing: T) => number): number {
	return things.reduce((all, thing) => all + figure(thing), 0);
}

function bytesOf(bitsPerSecond: number): number {
	return Math.max(1, Math.floor(bitsPerSecond / 8));
}
