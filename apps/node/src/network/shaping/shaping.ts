import { CommandError } from "@repldock/service";
import { readReceived } from "../../host/cables.ts";
import { ensureShapingDevices, removeShapingDevices } from "../../host/shaping-devices.ts";
import {
	changesTraffic,
	changeTraffic,
	changeTrafficAtOnce,
	type HtbClass,
	parseClasses,
	readClasses,
} from "../../host/traffic-control.ts";
import type { Member, NetworkPart, Shares, TrafficCounters } from "../parts.ts";
import { createGroups } from "./groups.ts";
import { concernsShaping } from "./news.ts";
import {
	ceilingOf,
	floorOf,
	groupObjects,
	hex,
	hostMask,
	type KernelObject,
	memberClass,
	memberObjects,
	nodeObjects,
	type Placed,
	type ShapingOptions,
	wholeRate,
} from "./objects.ts";
import { type Observation, observe } from "./observe.ts";
import { plan } from "./plan.ts";

export interface Shaping extends NetworkPart {
	counters(): Promise<Map<string, TrafficCounters>>;
	shares(): Shares;
	/** Keeps what a member received until now, before its cable goes. */
	note(projectId: string): Promise<void>;
	/** The member's last counters, which `detach` read as it took the state away. */
	last(projectId: string): TrafficCounters | undefined;
}

/**
 * How many packets wait for a class where the kernel has no fq_codel. Senders make them small when they get little, so
 * it is a short time at any rate.
 */
const queuePackets = 64;

/**
 * Fair shares of the node's uplink: what containers send passes one IFB device with a tree of HTB. Calls take turns; the
 * caller sees to that.
 */
export function createShaping(options: ShapingOptions): Shaping {
	const { device, strayDevice } = options;
	hostMask(options.subnet);
	const groups = createGroups(options.byOwner);
	const received = new Map<string, { bytes: number; packets: number }>();
	const lasts = new Map<string, TrafficCounters>();
	const described = new Map<string, { what: string; objects: KernelObject[] }>();
	let leaf: "fq_codel" | null | undefined;

	/** Kernels differ in what they have for the leaves. */
	async function findLeaf(): Promise<"fq_codel" | null> {
		try {
			await changeTraffic([`qdisc replace dev ${device} parent 1:2 fq_codel flows 128`]);
			return "fq_codel";
		} catch (error) {
			if (error instanceof CommandError) return null;
			throw error;
		}
	}

	function desiredObjects(isThere: (interfaceName: string) => boolean): KernelObject[] {
		const placed = groups.placed();
		const shares = new Set(placed.map(({ group }) => group));
		return [
			...nodeObjects(options),
			...[...shares].flatMap((group) => groupObjects(group, options)),
			...placed.flatMap((each) => presentObjects(each, isThere)),
		];
	}

	/** A container that just ended has no cable any more; what it sent is still to be read. */
	function presentObjects(placed: Placed, isThere: (interfaceName: string) => boolean): KernelObject[] {
		const { interfaceName } = placed.member;
		const objects = objectsOf(placed);
		if (isThere(interfaceName)) return objects;
		return objects.filter(({ key }) => !key.includes(` ${interfaceName} `));
	}

	function forget(projectId: string): boolean {
		described.delete(projectId);
		return groups.remove(projectId);
	}

	/** Described once for as long as nothing that matters changes. */
	function objectsOf(placed: Placed): KernelObject[] {
		const { projectId, address, interfaceName } = placed.member;
		const what = [placed.group, address, interfaceName, ceilingOf(placed.member, options), leaf].join(" ");
		const known = described.get(projectId);
		if (known?.what === what) return known.objects;
		const objects = memberObjects(placed, options, leaf ?? null);
		described.set(projectId, { what, objects });
		return objects;
	}

	const look = (classes?: HtbClass[]) =>
		observe(
			options,
			groups.placed().map(({ member }) => member.interfaceName),
			classes,
		);

	/** What needs no member to be known. What is there for members stays: an earlier agent's containers may run on. */
	async function prepare(): Promise<string[]> {
		const changed = await ensureShapingDevices([device, strayDevice], queuePackets);
		if (leaf === undefined) {
			const { lines } = plan(nodeObjects(options), withoutRemovals(await look()));
			if (lines.length > 0) await changeTraffic(lines);
			leaf = await findLeaf();
		}
		return changed.map((name) => `the device ${name} was missing or off`);
	}

	/**
	 * @param required A cable that must be there: whoever asks for it lets its container run.
	 * @param classes What the device holds, where that was just read.
	 */
	async function mend(required?: string, classes?: HtbClass[]): Promise<string[]> {
		const isReady = leaf !== undefined;
		const prepared = await prepare();
		const { devices, objects } = await look(isReady && prepared.length === 0 ? classes : undefined);
		const isThere = (name: string) => name === required || devices.has(name);
		const { lines, sentences } = plan(desiredObjects(isThere), objects);
		if (lines.length > 0) await changeTraffic(lines);
		return [...prepared, ...sentences];
	}

	/** By the whole plan, when the short way does not fit what is there. */
	async function changeOrMend(lines: readonly string[], interfaceName: string): Promise<void> {
		try {
			await changeTrafficAtOnce(lines);
		} catch (error) {
			if (!(error instanceof CommandError)) throw error;
			await mend(interfaceName);
		}
	}

	function countersOf({ member, group }: Placed, classes: ReadonlyMap<string, HtbClass>): TrafficCounters {
		const sent = classes.get(memberClass({ member, group }));
		const came = received.get(member.projectId);
		return {
			sentBytes: sent?.sentBytes ?? 0,
			sentPackets: sent?.sentPackets ?? 0,
			droppedPackets: sent?.droppedPackets ?? 0,
			receivedBytes: came?.bytes ?? 0,
			receivedPackets: came?.packets ?? 0,
		};
	}

	async function noteReceived(members: readonly Member[]) {
		const [first, ...others] = members;
		const interfaces = await readReceived(others.length > 0 ? undefined : first?.interfaceName);
		for (const { projectId, interfaceName } of members) {
			const now = interfaces.get(interfaceName);
			if (now) received.set(projectId, now);
		}
	}

	const isCable = (name: string) => groups.placed().some(({ member }) => member.interfaceName === name);

	return {
		name: "shaping",

		async ensure() {
			try {
				await prepare();
			} catch (error) {
				if (!(error instanceof CommandError)) throw error;
				throw new Error(
					"This kernel cannot share the uplink among containers. Load what it needs (modprobe -a ifb sch_htb sch_ingress " +
						"sch_tbf cls_u32 cls_bpf act_mirred), or set REPLDOCK_SHAPING=off to run without fair shares.",
					{ cause: error },
				);
			}
		},

		async attach(member) {
			if (leaf === undefined) await prepare();
			const here = groups.find(member.projectId);
			const isNewShare = !groups.hasShare(member);
			const placed = groups.place(member);
			const own = objectsOf(placed);
			if (here?.member.containerId === member.containerId) {
				// A new policy moves the ceiling alone.
				await changeOrMend(
					own.flatMap(({ change }) => change ?? []),
					member.interfaceName,
				);
				return;
			}
			lasts.delete(member.projectId);
			received.delete(member.projectId);
			const share = isNewShare ? groupObjects(placed.group, options) : [];
			await changeOrMend(
				[...share, ...own].flatMap(({ add }) => add),
				member.interfaceName,
			);
		},

		async detach({ projectId }) {
			const placed = groups.find(projectId);
			if (!placed) return;
			await noteReceived([placed.member]);
			const isLast = forget(projectId);
			const lines = [
				`class show dev ${device} parent ${hex(placed.group)}: classid ${memberClass(placed)}`,
				...removalLines(placed, isLast),
			];
			let classes: HtbClass[];
			try {
				classes = parseClasses(await changeTrafficAtOnce(lines));
			} catch (error) {
				if (!(error instanceof CommandError)) throw error;
				classes = [...(await readClasses(device)), ...parseClasses(error.stderr)];
				await mend();
			}
			lasts.set(projectId, countersOf(placed, byId(classes)));
			received.delete(projectId);
		},

		async repair(members) {
			const classes = await readClasses(device);
			const kept = new Set(members.map(({ projectId }) => projectId));
			for (const { member } of groups.placed()) if (!kept.has(member.projectId)) forget(member.projectId);
			for (const member of members) groups.place(member, classes);
			return mend(undefined, classes);
		},

		concerns: (news) => concernsShaping(news, options, isCable, changesTraffic),

		async release() {
			await removeShapingDevices([device, strayDevice]);
		},

		async counters() {
			const placed = groups.placed();
			const [classes] = await Promise.all([readClasses(device), noteReceived(placed.map(({ member }) => member))]);
			const known = byId(classes);
			return new Map(placed.map((each) => [each.member.projectId, countersOf(each, known)]));
		},

		shares: () => ({
			uplinkBitsPerSecond: wholeRate(options.uplinkBitsPerSecond),
			floorBitsPerSecond: floorOf(options),
			byOwner: options.byOwner,
		}),

		async note(projectId) {
			const placed = groups.find(projectId);
			if (placed) await noteReceived([placed.member]);
		},

		last: (projectId) => lasts.get(projectId),
	};

	/** Of the shaper's device alone: the cable goes with the container. */
	function removalLines(placed: Placed, isLast: boolean): string[] {
		const lookUps = memberObjects(placed, options, null)
			.filter(({ key }) => key.startsWith(`filter ${device} `))
			.flatMap(({ remove }) => remove);
		const classes = isLast ? `1:${hex(placed.group)}` : memberClass(placed);
		return [...lookUps, `class del dev ${device} classid ${classes}`];
	}
}

const byId = (classes: readonly HtbClass[]) => new Map(classes.map((each) => [each.id, each]));

/** So that what is there for members stays, while only the node's own is made. */
function withoutRemovals({ objects }: Observation): Map<string, { shape: string }> {
	return new Map([...objects].map(([key, { shape }]) => [key, { shape }]));
}
