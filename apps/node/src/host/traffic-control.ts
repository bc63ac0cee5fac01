import { CommandError, runCommand } from "@repldock/service";
import { z } from "zod";
import { ConversationError, createConversation } from "./conversation.ts";
import { createOwnProcesses } from "./own-processes.ts";

/**
 * The kernel's traffic control by `tc -batch`: one process for any number of changes. Classes are read as text, for
 * iproute2 knows no other way to show them before version 6.13.
 */

export const Qdisc = z.object({
	kind: z.string(),
	handle: z.string(),
	dev: z.string(),
	parent: z.string().optional(),
	root: z.boolean().optional(),
	options: z.record(z.string(), z.unknown()).optional(),
});
export type Qdisc = z.infer<typeof Qdisc>;

const Instruction = z.object({ code: z.int(), jt: z.int(), jf: z.int(), k: z.int() });
export const Filter = z.object({
	protocol: z.string().optional(),
	pref: z.int().optional(),
	kind: z.string().optional(),
	/** Missing in the line that only announces a priority. */
	options: z
		.object({
			fh: z.string().optional(),
			ht_divisor: z.int().optional(),
			link: z.string().optional(),
			flowid: z.string().optional(),
			/** Of several matches the last one. */
			match: z.object({ value: z.string(), mask: z.string(), off: z.int() }).optional(),
			hash_mask: z.string().optional(),
			hash_off: z.int().optional(),
			bytecode: z.object({ insns: z.array(Instruction) }).optional(),
			actions: z.array(z.object({ kind: z.string(), to_dev: z.string().optional() })).optional(),
		})
		.optional(),
});
export type Filter = z.infer<typeof Filter>;

export interface HtbClass {
	/** `major:minor`, hexadecimal. */
	id: string;
	/** `root` or the id of the class above. */
	parent: string;
	rateBitsPerSecond: number;
	ceilingBitsPerSecond: number;
	sentBytes: number;
	sentPackets: number;
	droppedPackets: number;
}

/** Makes changes in turn and stops at the first that fails. @returns what lines with `show` printed. */
export function changeTraffic(lines: readonly string[]): Promise<string> {
	const input = `${lines.join("\n")}\n`;
	return processes.during((started) => runCommand("tc", ["-statistics", "-batch", "-"], { input, started }));
}

const processes = createOwnProcesses();
/** Whether traffic control is changed by this process. */
export const changesTraffic = processes.has;

const failure = /^Command failed /m;
const conversation = createConversation({
	program: "tc",
	processes,
	arguments: ["-statistics", "-force", "-batch", "-"],
	complaint: (word) => new RegExp(`Object "${word}" is unknown.*\\nCommand failed .*\\n`),
});

/**
 * As `changeTraffic` by a `tc` that runs already, which goes on after a line that fails.
 * @throws CommandError when one failed; its `stderr` holds all that was printed.
 */
export async function changeTrafficAtOnce(lines: readonly string[]): Promise<string> {
	let printed: string;
	try {
		printed = await conversation.say(lines.join("\n"));
	} catch (error) {
		if (error instanceof ConversationError) return changeTraffic(lines);
		throw error;
	}
	if (!failure.test(printed)) return printed;
	// It may know a device by a number that it had before it was made anew.
	conversation.renew();
	throw new CommandError("tc -batch", null, printed, undefined);
}

/** All queueing disciplines of this network namespace. */
export async function readQdiscs(): Promise<Qdisc[]> {
	return z.array(Qdisc).parse(JSON.parse(await runCommand("tc", ["-json", "qdisc", "show"])));
}

/** @returns nothing when there is no such device. */
export async function readClasses(device: string): Promise<HtbClass[]> {
	try {
		return parseClasses(await runCommand("tc", ["-statistics", "class", "show", "dev", device]));
	} catch (error) {
		if (error instanceof CommandError && error.stderr.includes("Cannot find device")) return [];
		throw error;
	}
}

/** What was shown of each place when it was last looked at; nearly all of it is the same the next time. */
let lastShown = new Map<string, { text: string; filters: Filter[] }>();

/**
 * Filters of many places at once, each such as `dev eth0 ingress` or `dev eth0 parent 1:`.
 * @throws Error when one of the devices went away meanwhile; a later look succeeds.
 */
export async function readFilters(places: readonly string[]): Promise<Filter[][]> {
	if (places.length === 0) return [];
	const input = `${places.map((place) => `filter show ${place}`).join("\n")}\n`;
	const output = await runCommand("tc", ["-json", "-batch", "-"], { input });
	const lists = output.split("\n").filter((line) => line.startsWith("["));
	if (lists.length !== places.length) throw new Error("tc did not show the filters of all places it was asked for");
	const shown = lists.map((text, index) => {
		const last = lastShown.get(places[index] ?? "");
		return last?.text === text ? last : { text, filters: z.array(Filter).parse(JSON.parse(text)) };
	});
	lastShown = new Map(shown.map((each, index) => [places[index] ?? "", each]));
	return shown.map(({ filters }) => filters);
}

const classPattern =
	/^class htb ([\da-f]+:[\da-f]+) (?:(root)|parent ([\da-f]+:[\da-f]*)).* rate (\S+) ceil (\S+) .*\n Sent (\d+) bytes (\d+) pkt \(dropped (\d+),/gm;

export function parseClasses(text: string): HtbClass[] {
	return [...text.matchAll(classPattern)].map(([, id = "", root, parent, rate, ceiling, bytes, packets, dropped]) => ({
		id,
		parent: root ?? parent ?? "",
		rateBitsPerSecond: parseRate(rate ?? ""),
		ceilingBitsPerSecond: parseRate(ceiling ?? ""),
		sentBytes: Number(bytes),
		sentPackets: Number(packets),
		droppedPackets: Number(dropped),
	}));
}

/** `1Gbit`, `2500Kbit`, `8bit`. */
function parseRate(text: string): number {
	const match = /^([\d.]+)([KMGT]?)bit$/.exec(text);
	if (!match) throw new Error(`tc showed the rate ${text}`);
	return Math.round(Number(match[1]) * 1000 ** " KMGT".indexOf(match[2] || " "));
}
