import type { Member } from "../parts.ts";
import { bytecode, classByAddress, ownAddress } from "./programs.ts";

export interface ShapingOptions {
	/** Name of the device through which all that containers send passes, at most 15 characters. */
	device: string;
	/** Of the one for what is no container's own: other protocols, strangers' addresses. */
	strayDevice: string;
	/** CIDR of the containers' addresses, /16 or smaller: the part behind the prefix numbers the classes. */
	subnet: string;
	uplinkBitsPerSecond: number;
	/** Shares are floors of the uplink divided by this. */
	slots: number;
	byOwner: boolean;
	/** The most that a container receives; undefined: no limit. */
	ingressBitsPerSecond: number | undefined;
}

/** A thing in the kernel: how it is known, what it must be, and how it is made and taken away. */
export interface KernelObject {
	key: string;
	shape: string;
	/** It stands and falls with this one. */
	parent: string | null;
	add: string[];
	/** Turns another shape into this one in place; undefined: it is removed and made anew. */
	change?: string[];
	/** The one other shape from which fewer lines lead to this one than those that remove it and make it anew. */
	shortcut?: { from: string; lines: string[] };
	remove: string[];
}

/** A member and the share it belongs to. Groups are numbered, since a class's number has 16 bits. */
export interface Placed {
	member: Member;
	group: number;
}

/** Numbers of groups: below those that the kernel gives by itself, above ours. */
export const groupNumbers = { first: 0x10, last: 0x7fff } as const;

const rootClass = "1:1";
/** For what is on the device and belongs to no member: nobody should ever be here. */
const strayClass = "1:2";
const strayBitsPerSecond = 1_000_000;

/**
 * How much a class sends in its turn. Not below the largest packet that segmentation offload makes: turns would be
 * packets then, not bytes, and large packets would win.
 */
const turnBytes = 65_536;
/** A class gets its floor in small pieces, so that many at once delay nobody for long. */
const floorBurstBytes = 8_192;
/** Of a timer that comes late on a busy machine. */
const timerSlackSeconds = 0.004;
/** Of the uplink, for classes that it alone limits: a packet is to wait for one clock, not for three. */
const unlimited = 4;

export const hex = (value: number) => value.toString(16);
export const memberClass = ({ member, group }: Placed) => `${hex(group)}:${hex(member.number)}`;

/** A multiple of what `tc` can say and the kernel keeps, which counts bytes. */
export function wholeRate(bitsPerSecond: number): number {
	return Math.max(8_000, Math.floor(bitsPerSecond / 8_000) * 8_000);
}

export function floorOf({ uplinkBitsPerSecond, slots }: ShapingOptions): number {
	return wholeRate(uplinkBitsPerSecond / slots);
}

function burstBytes(bitsPerSecond: number): number {
	return Math.max(turnBytes, Math.round((bitsPerSecond / 8) * timerSlackSeconds));
}

function burst(bitsPerSecond: number): string {
	const bytes = burstBytes(bitsPerSecond);
	return `burst ${bytes} cburst ${bytes}`;
}

/** The member's ceiling by its project's plan or an operator's word; beyond the uplink when neither is below it. */
export function ceilingOf({ policy }: Member, { uplinkBitsPerSecond }: ShapingOptions): number {
	const limits = [policy.egressBitsPerSecond, policy.restriction?.bitsPerSecond];
	const lowest = Math.min(...limits.filter((limit) => typeof limit === "number"));
	return wholeRate(lowest < uplinkBitsPerSecond ? lowest : unlimited * uplinkBitsPerSecond);
}

export const classShape = (parent: string, rate: number, ceiling: number) => `${parent} ${rate} ${ceiling}`;
export const qdiscKey = (device: string, handle: string) => `qdisc ${device} ${handle}`;
export const classKey = (device: string, id: string) => `class ${device} ${id}`;
export const filterKey = (device: string, what: string) => `filter ${device} ${what}`;

function htbClass(
	device: string,
	id: string,
	above: { parent: string; key: string },
	rate: number,
	ceiling: number,
	bursts: string,
): KernelObject {
	const rest = `dev ${device} parent ${above.parent} classid ${id} htb rate ${rate}bit ceil ${ceiling}bit ${bursts} quantum ${turnBytes}`;
	return {
		key: classKey(device, id),
		shape: classShape(above.parent.endsWith(":") ? "root" : above.parent, rate, ceiling),
		parent: above.key,
		add: [`class add ${rest}`],
		change: [`class change ${rest}`],
		remove: [`class del dev ${device} classid ${id}`],
	};
}

/** What the node needs before any member: two devices' disciplines, and the tables in which members are looked up. */
export function nodeObjects(options: ShapingOptions): KernelObject[] {
	const { device, strayDevice } = options;
	const uplink = wholeRate(options.uplinkBitsPerSecond);
	const root = qdiscKey(device, "1:");
	const table = (protocol: string, preference: number, mask: string, offset: number) => {
		const place = `filter add dev ${device} parent 1: protocol ${protocol} pref ${preference}`;
		return [
			`${place} handle ${preference}: u32 divisor 256`,
			`${place} u32 match u32 0 0 hashkey mask ${mask} at ${offset} link ${preference}:`,
		];
	};
	return [
		{
			key: root,
			shape: "htb 0x2",
			parent: null,
			add: [`qdisc replace dev ${device} root handle 1: htb default 2`],
			remove: [`qdisc del dev ${device} root`],
		},
		htbClass(device, rootClass, { parent: "1:", key: root }, uplink, uplink, burst(uplink)),
		htbClass(
			device,
			strayClass,
			{ parent: rootClass, key: classKey(device, rootClass) },
			8_000,
			wholeRate(Math.min(strayBitsPerSecond, uplink)),
			"prio 7",
		),
		{
			key: filterKey(device, "tables"),
			shape: tablesShape,
			parent: root,
			// The last byte of the address, in IP packets and in ARP ones.
			add: [...table("ip", 1, "0x000000ff", 12), ...table("arp", 2, "0x00ff0000", 16)],
			remove: [`filter del dev ${device} parent 1:`],
		},
		{
			key: qdiscKey(strayDevice, "1:"),
			shape: `tbf ${strayBitsPerSecond / 8}`,
			parent: null,
			add: [
				`qdisc replace dev ${strayDevice} root handle 1: tbf rate ${strayBitsPerSecond}bit burst 32768 limit 32768`,
			],
			remove: [`qdisc del dev ${strayDevice} root`],
		},
	];
}

export const tablesShape = "1 link 1: ff 12, 1 of 256, 2 link 2: ff0000 16, 2 of 256";

/** A share: a class of the uplink, and in it a tree of its own that divides the share among its members. */
export function groupObjects(group: number, options: ShapingOptions): KernelObject[] {
	const { device } = options;
	const id = `1:${hex(group)}`;
	const handle = `${hex(group)}:`;
	const uplink = wholeRate(options.uplinkBitsPerSecond);
	const program = classByAddress(group, hostMask(options.subnet));
	const above = { parent: rootClass, key: classKey(device, rootClass) };
	const ceiling = unlimited * uplink;
	const bursts = `burst ${floorBurstBytes} cburst ${burstBytes(ceiling)}`;
	return [
		htbClass(device, id, above, Math.min(floorOf(options), uplink), ceiling, bursts),
		{
			key: qdiscKey(device, handle),
			shape: `htb ${id}`,
			parent: classKey(device, id),
			add: [`qdisc replace dev ${device} parent ${id} handle ${handle} htb default 0`],
			remove: [`qdisc del dev ${device} parent ${id} handle ${handle}`],
		},
		{
			key: filterKey(device, handle),
			shape: bytecode(program),
			parent: qdiscKey(device, handle),
			add: [
				`filter add dev ${device} parent ${handle} protocol all pref 1 handle 1 bpf bytecode '${bytecode(program)}'`,
			],
			remove: [`filter del dev ${device} parent ${handle}`],
		},
	];
}

/** @param leaf "fq_codel" where the kernel has it; without, the device's queue length is the leaf's limit. */
export function memberObjects(placed: Placed, options: ShapingOptions, leaf: "fq_codel" | null): KernelObject[] {
	const { member, group } = placed;
	const { device } = options;
	const handle = `${hex(group)}:`;
	const id = memberClass(placed);
	const ceiling = ceilingOf(member, options);
	const above = { parent: handle, key: qdiscKey(device, handle) };
	return [
		// All of its rate is its own: the share's class above it says how much there is.
		htbClass(device, id, above, ceiling, ceiling, burst(ceiling)),
		...(leaf === null ? [] : [leafObject(device, id)]),
		...lookUp(placed, device),
		...cableObjects(member, options),
	];
}

function leafObject(device: string, id: string): KernelObject {
	return {
		key: qdiscKey(device, `below ${id}`),
		shape: "fq_codel",
		parent: classKey(device, id),
		add: [`qdisc replace dev ${device} parent ${id} fq_codel flows 128 limit 1000 memory_limit 4194304`],
		remove: [`qdisc del dev ${device} parent ${id}`],
	};
}

/** From the address to the share: one element of each table. */
function lookUp({ member, group }: Placed, device: string): KernelObject[] {
	const address = addressNumber(member.address);
	const word = address.toString(16).padStart(8, "0");
	const bucket = hex(address % 256);
	const node = hex(Math.floor(member.number / 256) + 1);
	const flow = `1:${hex(group)}`;
	return [
		{ protocol: "ip", table: 1, match: `match u32 0x${word} 0xffffffff at 12` },
		{
			protocol: "arp",
			table: 2,
			match: `match u16 0x${word.slice(0, 4)} 0xffff at 14 match u16 0x${word.slice(4)} 0xffff at 16`,
		},
	].map(({ protocol, table, match }) => {
		const place = `dev ${device} parent 1: protocol ${protocol} pref ${table} handle ${table}:${bucket}:${node} u32`;
		return {
			key: filterKey(device, `${table}:${bucket}:${node}`),
			shape: `${flow} ${table === 1 ? word : word.slice(4)}`,
			parent: filterKey(device, "tables"),
			add: [`filter add ${place} ht ${table}:${bucket}: ${match} flowid ${flow}`],
			remove: [`filter del ${place}`],
		};
	});
}

/** On the node's end of its cable: what it sends goes to the shaper first, and what it sends as somebody else apart. */
function cableObjects({ interfaceName, address }: Member, options: ShapingOptions): KernelObject[] {
	const ingress = qdiscKey(interfaceName, "ffff:");
	const place = `dev ${interfaceName} parent ffff:`;
	const program = bytecode(ownAddress(addressNumber(address)));
	const to = (device: string) => `action mirred egress redirect dev ${device}`;
	const own = `protocol all pref 1 handle 1 bpf bytecode '${program}' ${to(options.device)}`;
	const objects: KernelObject[] = [
		{
			key: ingress,
			shape: "ingress",
			parent: null,
			add: [`qdisc add dev ${interfaceName} handle ffff: ingress`],
			remove: [`qdisc del dev ${interfaceName} ingress`],
		},
		{
			key: filterKey(interfaceName, "cable"),
			shape: cableShape(program, options.device, options.strayDevice),
			parent: ingress,
			// The strict one last: what comes before it is let through to the shaper alone.
			add: [
				`filter add ${place} ${own}`,
				`filter add ${place} protocol all pref 2 u32 match u32 0 0 ${to(options.strayDevice)}`,
			],
			// All cables are so once the shaper's device was taken away.
			shortcut: {
				from: cableShape(program, goneDevice, options.strayDevice),
				lines: [`filter replace ${place} ${own}`],
			},
			remove: [`filter del ${place}`],
		},
	];
	if (options.ingressBitsPerSecond === undefined) return objects;
	const rate = wholeRate(options.ingressBitsPerSecond);
	const bytes = Math.max(2 * turnBytes, burstBytes(rate));
	return [
		...objects,
		{
			key: qdiscKey(interfaceName, "1:"),
			shape: `tbf ${rate / 8}`,
			parent: null,
			add: [`qdisc replace dev ${interfaceName} root handle 1: tbf rate ${rate}bit burst ${bytes} latency 50ms`],
			remove: [`qdisc del dev ${interfaceName} root`],
		},
	];
}

/** How `tc` shows a device that is no more. */
const goneDevice = "*";

export const cableShape = (program: string, device: string, strayDevice: string) =>
	`1 ${program} ${device}, 2 all ${strayDevice}`;

export function addressNumber(address: string): number {
	return address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

/** @throws Error when the subnet has more addresses than there are classes. */
export function hostMask(subnet: string): number {
	const length = Number(subnet.split("/")[1]);
	if (!(length >= 16 && length <= 30)) throw new Error(`REPLDOCK_SUBNET ${subnet} must be between /16 and /30.`);
	return 2 ** (32 - length) - 1;
}
