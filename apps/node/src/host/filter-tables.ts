import { z } from "zod";

/** One element of a set or map, as `nft` writes it; `value` for maps. */
export interface Element {
	family: "inet" | "bridge";
	set: string;
	key: string;
	value: string | null;
}

/** Filled by the agent, for the members all but one; the others are constant or filled by packets and names. */
const filledSets = {
	bridge: ["cables", "ports", "addresses"],
	inet: ["modes", "marks", "current", "asks", "site"],
} as const;

/** One line of a set of elements, to tell them apart. */
export const elementText = ({ family, set, key, value }: Element) =>
	`${family} ${set} ${key}${value === null ? "" : ` : ${value}`}`;

type Scalar = string | number;
const Scalar = z.union([z.string(), z.number()]);
const Key = z.union([Scalar, z.object({ concat: z.array(Scalar) })]);
const Value = z.union([Scalar, z.object({ goto: z.object({ target: z.string() }) })]);
const ListedElement = z.union([z.tuple([Key, Value]), Key]);
const Counted = z.object({
	elem: z.object({ val: Key, counter: z.object({ packets: z.number() }).optional(), expires: z.number().optional() }),
});
const SetBody = z.looseObject({
	family: z.enum(["inet", "bridge"]),
	name: z.string(),
	elem: z.array(z.unknown()).optional(),
});
const Listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });

/** What `nft -j` says of the two tables. */
export interface TableState {
	/** Chains, rules and sets without what changes by itself: elements, handles, counters. */
	base: string;
	/** Of the sets that the agent fills. */
	elements: Element[];
	/** Packets by the counting set's name and the element. */
	counted: Map<string, Map<string, number>>;
}

export function readTables(json: string): TableState {
	const base: string[] = [];
	const elements: Element[] = [];
	const counted = new Map<string, Map<string, number>>();
	for (const item of Listing.parse(JSON.parse(json)).nftables) {
		if ("metainfo" in item) continue;
		const set = SetBody.safeParse(item.set ?? item.map).data;
		const isConstant = set && !isFilledSet(set.family, set.name) && !isFilledByPackets(set.name);
		base.push(JSON.stringify(item, (key, value) => (isVolatile(key, isConstant === true) ? undefined : value)));
		if (!set) continue;
		const { family, name } = set;
		if (isFilledSet(family, name)) for (const each of set.elem ?? []) elements.push(readElement(family, name, each));
		else if (name.startsWith("refused_") && !isConstantSet(name)) counted.set(name, readCounted(set.elem ?? []));
	}
	return { base: base.join("\n"), elements, counted };
}

const constantSets = ["refused_networks", "forbidden_networks", "allowed_networks", "refused_ports"];
const isConstantSet = (name: string) => constantSets.includes(name);
const isFilledByPackets = (name: string) => !isConstantSet(name);
const isFilledSet = (family: "inet" | "bridge", name: string) =>
	(filledSets[family] as readonly string[]).includes(name);

function isVolatile(key: string, isConstant: boolean): boolean {
	return ["handle", "packets", "bytes"].includes(key) || (key === "elem" && !isConstant);
}

function readElement(family: "inet" | "bridge", set: string, json: unknown): Element {
	const parsed = ListedElement.parse(json);
	if (!Array.isArray(parsed)) return { family, set, key: formatKey(set, parsed), value: null };
	const [key, value] = parsed;
	return { family, set, key: formatKey(set, key), value: formatValue(value) };
}

function formatKey(set: string, key: z.infer<typeof Key>): string {
	const parts = typeof key === "object" ? key.concat : [key];
	const quoted = set === "cables" || set === "ports";
	return parts.map((part: Scalar, at) => (quoted && at === 0 ? `"${part}"` : String(part))).join(" . ");
}

function formatValue(value: z.infer<typeof Value>): string {
	return typeof value === "object" ? `goto ${value.goto.target}` : String(value);
}

function readCounted(list: unknown[]): Map<string, number> {
	const read = list.flatMap((json) => Counted.safeParse(json).data?.elem ?? []);
	return new Map(read.map(({ val, counter }) => [String(val), counter?.packets ?? 0]));
}

/** The lines that bring the kernel from some elements to others; nothing that is right is touched. */
export function changes(
	table: string,
	is: readonly Element[],
	shall: readonly Element[],
): { lines: string[]; missing: Element[]; surplus: Element[] } {
	const present = new Set(is.map(elementText));
	const wanted = new Set(shall.map(elementText));
	const missing = shall.filter((element) => !present.has(elementText(element)));
	const surplus = is.filter((element) => !wanted.has(elementText(element)));
	const lines = [
		// What must go goes first: a map holds one value of a key.
		...surplus.map(({ family, set, key }) => `delete element ${family} ${table} ${set} { ${key} }`),
		...missing.map((element) => addLine(table, element)),
	];
	return { lines, missing, surplus };
}

export function addLine(table: string, { family, set, key, value }: Element): string {
	return `add element ${family} ${table} ${set} { ${key}${value === null ? "" : ` : ${value}`} }`;
}

/** Takes an element away whether it is there or not: `nft` refuses to delete what it does not find. */
export function removeLines(table: string, element: Element): string[] {
	const { family, set, key } = element;
	return [addLine(table, element), `delete element ${family} ${table} ${set} { ${key} }`];
}
