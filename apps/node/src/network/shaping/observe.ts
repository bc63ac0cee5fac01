import {
	type Filter,
	type HtbClass,
	type Qdisc,
	readClasses,
	readFilters,
	readQdiscs,
} from "../../host/traffic-control.ts";
import { classKey, classShape, filterKey, groupNumbers, qdiscKey, type ShapingOptions } from "./objects.ts";
import type { Observed } from "./plan.ts";
import { bytecode } from "./programs.ts";

export interface Observation {
	objects: Map<string, Observed>;
	classes: HtbClass[];
	/** Names of all devices. */
	devices: Set<string>;
}

/**
 * Reads what the kernel holds for these members' interfaces and the shaper's own devices.
 * @param known its classes, where they have just been read.
 */
export async function observe(
	options: ShapingOptions,
	interfaceNames: readonly string[],
	known?: HtbClass[],
): Promise<Observation> {
	const { device, strayDevice } = options;
	const [qdiscs, classes] = await Promise.all([readQdiscs(), known ?? readClasses(device)]);
	const ours = new Set([device, strayDevice, ...interfaceNames]);
	const present = qdiscs.filter(({ dev }) => ours.has(dev));
	const objects = new Map<string, Observed>();
	for (const qdisc of present) noteQdisc(objects, qdisc, device);
	for (const each of classes) noteClass(objects, each, device);

	const cables = present.flatMap(({ kind, dev }) => (kind === "ingress" ? [dev] : []));
	const trees = present.flatMap(({ kind, dev, handle }) => (kind === "htb" && dev === device ? [handle] : []));
	const lists = await readFilters([
		...trees.map((handle) => `dev ${device} parent ${handle}`),
		...cables.map((cable) => `dev ${cable} ingress`),
	]);
	trees.forEach((handle, index) => {
		if (handle === "1:") noteTables(objects, lists[index] ?? [], device);
		else noteProgram(objects, lists[index] ?? [], device, handle);
	});
	cables.forEach((cable, index) => {
		noteCable(objects, lists[trees.length + index] ?? [], cable);
	});
	return { objects, classes, devices: new Set(qdiscs.map(({ dev }) => dev)) };
}

function noteQdisc(objects: Map<string, Observed>, qdisc: Qdisc, device: string) {
	const { kind, dev, handle, parent, root, options = {} } = qdisc;
	if (kind === "ingress") objects.set(qdiscKey(dev, handle), { shape: "ingress" });
	if (kind === "tbf") {
		// An earlier agent may have limited what containers receive.
		const removal = { order: 0, line: `qdisc del dev ${dev} root`, goesWith: null };
		objects.set(qdiscKey(dev, handle), { shape: `tbf ${String(options.rate)}`, removal });
	}
	if (dev !== device) return;
	if (kind === "htb") {
		const place = root ? String(options.default) : parent;
		objects.set(qdiscKey(dev, handle), { shape: `htb ${place}` });
	}
	if (kind === "fq_codel" && parent) objects.set(qdiscKey(dev, `below ${parent}`), { shape: kind });
}

function noteClass(objects: Map<string, Observed>, each: HtbClass, device: string) {
	const { id, parent, rateBitsPerSecond, ceilingBitsPerSecond } = each;
	const [major = "", minor = ""] = id.split(":");
	const line = `class del dev ${device} classid ${id}`;
	const isGroup = major === "1" && Number.parseInt(minor, 16) >= groupNumbers.first;
	const removal = isGroup
		? { order: 2, line, goesWith: null }
		: major === "1"
			? undefined
			: { order: 1, line, goesWith: classKey(device, `1:${major}`) };
	objects.set(classKey(device, id), {
		shape: classShape(parent, rateBitsPerSecond, ceilingBitsPerSecond),
		...(removal ? { removal } : {}),
	});
}

/** The two tables of members' addresses, and the members in them. */
function noteTables(objects: Map<string, Observed>, filters: readonly Filter[], device: string) {
	const tables: string[] = [];
	for (const { protocol, pref, options } of filters) {
		if (!options?.fh || pref === undefined) continue;
		if (options.link) tables.push(`${pref} link ${options.link} ${options.hash_mask} ${options.hash_off}`);
		else if (options.fh === `${pref}:`) tables.push(`${pref} of ${options.ht_divisor}`);
		if (!options.flowid || !options.match) continue;
		const value = options.match.value.padStart(8, "0");
		const shown = options.match.mask === "ffffffff" ? value : value.slice(0, 4);
		const line = `filter del dev ${device} parent 1: protocol ${protocol} pref ${pref} handle ${options.fh} u32`;
		// Of bucket 0 only the colons are shown.
		objects.set(filterKey(device, options.fh.replace("::", ":0:")), {
			shape: `${options.flowid} ${shown}`,
			removal: { order: 0, line, goesWith: null },
		});
	}
	if (filters.length > 0) objects.set(filterKey(device, "tables"), { shape: tables.sort().join(", ") });
}

/** Written out once for lists that did not change since the last look. */
const written = new WeakMap<readonly Filter[], string>();

function shapeOnce(filters: readonly Filter[], write: (filters: readonly Filter[]) => string): string {
	const shape = written.get(filters) ?? write(filters);
	written.set(filters, shape);
	return shape;
}

function noteProgram(objects: Map<string, Observed>, filters: readonly Filter[], device: string, handle: string) {
	if (filters.length > 0) objects.set(filterKey(device, handle), { shape: shapeOnce(filters, writePrograms) });
}

function writePrograms(filters: readonly Filter[]): string {
	return filters.flatMap(({ options }) => (options?.bytecode ? [bytecode(options.bytecode.insns)] : [])).join(" and ");
}

function noteCable(objects: Map<string, Observed>, filters: readonly Filter[], cable: string) {
	if (filters.length > 0) objects.set(filterKey(cable, "cable"), { shape: shapeOnce(filters, writeSteps) });
}

function writeSteps(filters: readonly Filter[]): string {
	const steps = filters.flatMap(({ pref, options }) => {
		const to = options?.actions?.map(({ to_dev }) => to_dev).join(" and ");
		if (!options || to === undefined) return [];
		const mask = options.match?.mask ?? "";
		return `${pref} ${options.bytecode ? bytecode(options.bytecode.insns) : mask === "0" ? "all" : mask} ${to}`;
	});
	return steps.join(", ");
}
