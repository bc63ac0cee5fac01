import type { Logger } from "@repldock/service";
import type { SentCount, SetPacesMessage } from "../holder/messages.ts";
import type { LedgerRise } from "./ledger.ts";
import { pacesOf, type TerminalUse } from "./paces.ts";
import { perSecond } from "./report.ts";
import type { TrafficSources } from "./sources.ts";

/** The holder, which shows terminals and consoles to people, and keeps the paces that it is told. */
export interface TerminalHolder {
	sent(): Promise<SentCount[]>;
	setPaces(message: SetPacesMessage): Promise<void>;
}

/** Takes part for the terminals in the division of the uplink: their bytes never pass the shaper. */
export interface Terminals {
	/** What viewers were sent; null while the holder cannot be asked, whose counts wait. */
	counts(): Promise<SentCount[] | null>;
	/** Divides anew by what was just measured; nothing changes while it is not known what was sent. */
	measured(counts: readonly SentCount[] | null, rises: ReadonlyMap<string, LedgerRise>, elapsedMs: number): void;
	/** A project's terminals begin to wait. */
	waits(projectId: string): void;
	/** The holder may be a new one. */
	tellAgain(): void;
	/** Somebody has another pace than the floor: it follows what containers send, second by second. */
	readonly areBusy: boolean;
}

export interface TerminalsOptions {
	holder: TerminalHolder;
	shares: TrafficSources["shares"];
	owner(projectId: string): string;
	/** The most that a project may send; null: as much as there is. */
	ceiling(projectId: string): number | null;
	log: Logger;
}

export function createTerminals({ holder, shares, owner, ceiling, log }: TerminalsOptions): Terminals {
	let containersBitsPerSecond = 0;
	let uses: TerminalUse[] = [];
	let told: SetPacesMessage | undefined;
	let isReached = true;

	function useOf(projectId: string, sentBitsPerSecond: number, waits: boolean): TerminalUse {
		const [ownerId, ceilingBitsPerSecond] = [owner(projectId), ceiling(projectId)];
		return { projectId, ownerId, ceilingBitsPerSecond, sentBitsPerSecond, waits };
	}

	function divide(): void {
		const paces = pacesOf({ shares: shares(), containersBitsPerSecond, terminals: uses });
		if (JSON.stringify(paces) === JSON.stringify(told)) return;
		told = paces;
		holder.setPaces(paces).catch((error: unknown) => {
			told = undefined;
			complain(error);
		});
	}

	/** Once, not every second. */
	function complain(error: unknown): void {
		if (isReached) log.warn({ err: error }, "the holder tells and takes no paces; terminals go on as before");
		isReached = false;
	}

	return {
		async counts() {
			try {
				const counts = await holder.sent();
				isReached = true;
				return counts;
			} catch (error) {
				complain(error);
				return null;
			}
		},
		measured(counts, rises, elapsedMs) {
			if (!counts) return;
			const containers = [...rises.values()].map((rise) => rise.sentBytes - rise.terminalBytes);
			containersBitsPerSecond = perSecond(
				containers.reduce((sum, bytes) => sum + bytes, 0),
				elapsedMs,
			);
			uses = counts.map(({ projectId, waits }) =>
				useOf(projectId, perSecond(rises.get(projectId)?.terminalBytes ?? 0, elapsedMs), waits),
			);
			divide();
		},
		waits(projectId) {
			const before = uses.find((use) => use.projectId === projectId);
			uses = uses.filter((use) => use !== before);
			uses.push(useOf(projectId, before?.sentBitsPerSecond ?? 0, true));
			divide();
		},
		tellAgain() {
			told = undefined;
			divide();
		},
		get areBusy() {
			return Object.keys(told?.projects ?? {}).length > 0;
		},
	};
}
