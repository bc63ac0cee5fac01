import type { Logger } from "@repldock/service";
import {
	addLine,
	changes,
	type Element,
	elementText,
	readTables,
	removeLines,
	type TableState,
} from "../../host/filter-tables.ts";
import { mendForwarding } from "../../host/network.ts";
import { type FilterOptions, filterScript, removeScript } from "../../host/network-filter.ts";
import { refusalReasons, refusalSet } from "../../host/network-refusals.ts";
import { applyLines, applyScript, changesTables, ensureTables, listTables, wantedBase } from "../../host/nft.ts";
import type { Member, NetworkPart, RefusalReason } from "../parts.ts";
import { elementsOf, markOf, siteElement } from "./elements.ts";

export type Refusals = Map<string, Partial<Record<RefusalReason, number>>>;

/** An address that a name of an allow-list was answered with, and for how long it stays open. */
export interface OpenedAddress {
	address: string;
	seconds: number;
}

export interface Filter extends NetworkPart {
	/** Packets refused since the member was attached, by its project. */
	refusals(): Promise<Refusals>;
	/** The attached member that has this address. */
	memberAt(address: string): Member | undefined;
	/** Lets the member out to these addresses under its present policy; done when it returns. */
	open(member: Member, addresses: readonly OpenedAddress[]): Promise<void>;
	/** Keeps all members from these IPv4 addresses, and from no others of the site's; also over connections that are open. */
	refuseSite(addresses: readonly string[]): Promise<void>;
	/** How often the tables were made anew; all that was opened before is closed then. */
	remakes(): number;
}

/**
 * The node's packet filter: what containers may reach, and who reaches them. The kernel's tables hold a few elements per
 * member; what they should be follows from the members alone.
 */
export function createFilter(options: FilterOptions & { log: Logger }): Filter {
	const { table, log } = options;
	let site: Element[] = [];
	const script = filterScript(options);
	const members = new Map<string, Member>();
	let remakes = 0;
	/** Whether the change that the kernel is telling of, line by line, is one of these tables. */
	let isTold = false;
	/** Changes are applied one after another: each is worked out from the state that the last one left. */
	let last: Promise<unknown> = Promise.resolve();

	function inTurn<T>(work: () => Promise<T>): Promise<T> {
		const turn = last.then(work);
		last = turn.catch(() => undefined);
		return turn;
	}

	async function look(): Promise<TableState | null> {
		const json = await listTables(table);
		return json === null ? null : readTables(json);
	}

	/** Lines that start a new member's counts at nothing. */
	const forgetCounts = ({ address, interfaceName }: Member) =>
		(["inet", "bridge"] as const).flatMap((family) =>
			refusalReasons[family].flatMap((reason) => {
				const key = family === "inet" ? address : `"${interfaceName}"`;
				return removeLines(table, { family, set: refusalSet(reason), key, value: null });
			}),
		);

	const removal = (member: Member) => [
		...elementsOf(member).flatMap((element) => removeLines(table, element)),
		...forgetCounts(member),
	];

	async function apply(lines: readonly string[]) {
		if (lines.length > 0) await applyLines(lines);
	}

	/** Brings one member's elements to what they should be, whatever they are. @throws Error when the table is gone. */
	async function mend(member: Member) {
		const state = await look();
		if (state?.base !== (await wantedBase(script, table))) throw new Error("The packet filter must be repaired first.");
		const isOfMember = ({ key }: Element) => {
			const parts = key.split(" . ");
			return parts.includes(member.address) || parts.includes(`"${member.interfaceName}"`);
		};
		await apply(changes(table, state.elements.filter(isOfMember), elementsOf(member)).lines);
	}

	/** What another member left of an address or a cable must not let the new one out. */
	function strangersAt({ projectId, address, interfaceName }: Member): Member[] {
		return [...members.values()].filter(
			(other) => other.projectId !== projectId && (other.address === address || other.interfaceName === interfaceName),
		);
	}

	return {
		name: "filter",

		ensure: () => inTurn(() => ensureTables(script, table)),

		attach: (member) =>
			inTurn(async () => {
				const known = members.get(member.projectId);
				const isNew = known?.containerId !== member.containerId;
				const shall = elementsOf(member);
				const texts = new Set(shall.map(elementText));
				const present = new Set((known && !isNew ? elementsOf(known) : []).map(elementText));
				const stale = known && !isNew ? elementsOf(known).filter((element) => !texts.has(elementText(element))) : [];
				const lines = [
					...(known && isNew ? removal(known) : []),
					...strangersAt(member).flatMap(removal),
					...stale.flatMap((element) => removeLines(table, element)),
					...shall.filter((element) => !present.has(elementText(element))).map((element) => addLine(table, element)),
					...(isNew ? forgetCounts(member) : []),
				];
				try {
					await apply(lines);
				} catch (error) {
					log.warn({ err: error, projectId: member.projectId }, "the packet filter was not as it should be");
					await mend(member);
				}
				for (const { projectId } of strangersAt(member)) members.delete(projectId);
				members.set(member.projectId, member);
			}),

		detach: (given) =>
			inTurn(async () => {
				const member = members.get(given.projectId);
				if (member?.containerId !== given.containerId) return;
				members.delete(given.projectId);
				await apply(removal(member));
			}),

		repair: (given) =>
			inTurn(async () => {
				members.clear();
				for (const member of given) members.set(member.projectId, member);
				const shall = [...site, ...given.flatMap(elementsOf)];
				const state = await look();
				if (state?.base !== (await wantedBase(script, table))) {
					await applyScript([script, ...shall.map((element) => addLine(table, element))].join("\n"));
					remakes += 1;
					const what = state === null ? "was gone" : "was not as it should be";
					return [`The packet filter ${table} ${what} and was made anew.`];
				}
				const { lines, missing, surplus } = changes(table, state.elements, shall);
				await apply(lines);
				const wasShut = options.egress === "open" && (await mendForwarding());
				return [
					...(wasShut ? ["The machine forwarded nothing."] : []),
					...missing.map((element) => `The packet filter lacked ${elementText(element)}.`),
					...surplus.map((element) => `The packet filter had ${elementText(element)} too much.`),
				];
			}),

		concerns({ from, line }) {
			if (from !== "filter") return false;
			if (line === "") return true;
			const end = /^# new generation \d+ by process (\d+)/.exec(line);
			if (!end) {
				isTold ||= line.split(" ").includes(table);
				return false;
			}
			const wasTold = isTold;
			isTold = false;
			return wasTold && !changesTables(Number(end[1]));
		},

		async release() {
			await inTurn(() => applyScript(removeScript(table)));
			members.clear();
		},

		async refusals() {
			const state = await look();
			if (state === null) return new Map();
			const counted = (reason: string, key: string) => state.counted.get(refusalSet(reason))?.get(key) ?? 0;
			return new Map(
				[...members.values()].map(({ projectId, address, interfaceName }) => {
					const counts = [
						...refusalReasons.inet.map((reason) => [reason, counted(reason, address)] as const),
						...refusalReasons.bridge.map((reason) => [reason, counted(reason, interfaceName)] as const),
					];
					return [projectId, Object.fromEntries(counts.filter(([, packets]) => packets > 0))];
				}),
			);
		},

		memberAt: (address) => [...members.values()].find((member) => member.address === address),

		refuseSite: (addresses) =>
			inTurn(async () => {
				const before = site;
				site = addresses.map(siteElement);
				const { missing, surplus } = changes(table, before, site);
				try {
					await apply([
						...missing.map((element) => addLine(table, element)),
						...surplus.flatMap((element) => removeLines(table, element)),
					]);
				} catch (error) {
					// What the tables lack the next repair brings.
					log.warn({ err: error }, "the packet filter was not as it should be");
				}
			}),

		remakes: () => remakes,

		open: (member, addresses) =>
			inTurn(async () => {
				const current = members.get(member.projectId);
				if (current === undefined || markOf(current) !== markOf(member)) return;
				const mark = markOf(member);
				const lines = addresses.flatMap(({ address, seconds }) => {
					const key = `${member.address} . ${mark} . ${address}`;
					const timed = `add element inet ${table} opened { ${key} timeout ${seconds}s }`;
					// Older kernels keep the first time of an element that is added again.
					return [...removeLines(table, { family: "inet", set: "opened", key, value: null }), timed];
				});
				await apply(lines).catch((error: unknown) => {
					log.warn({ err: error, projectId: member.projectId }, "addresses of an allow-list were not opened");
					throw error;
				});
			}),
	};
}
