/**
 * Classic BPF programs for the kernel's `bpf` classifier, which takes them from every user space without a compiler. A
 * container's packet is known by its IPv4 address: the source of an IP packet, the sender of an ARP one.
 */
interface Instruction {
	code: number;
	jt: number;
	jf: number;
	k: number;
}

const loadWord = 0x20;
const loadHalf = 0x28;
const jumpAlways = 0x05;
const jumpIfEqual = 0x15;
const and = 0x54;
const or = 0x44;
const returnConstant = 0x06;
const returnAccumulator = 0x16;

/** Places outside the packet: its protocol, and the beginning of its network header. */
const protocol = 0xfffff000;
const networkHeader = 0xfff00000;
const etherIp = 0x0800;
const etherArp = 0x0806;
const ipSource = 12;
const arpSender = 14;
/** Of the classifier: "matches" and "does not". */
const matches = 0xffffffff;
const matchesNot = 0;

const step = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });

/** Leaves the address in the accumulator; what has none goes to the last of `rest`, which are `length` steps. */
const loadAddress = (length: number): Instruction[] => [
	step(loadHalf, protocol),
	step(jumpIfEqual, etherIp, 0, 2),
	step(loadWord, networkHeader + ipSource),
	step(jumpAlways, 2),
	step(jumpIfEqual, etherArp, 0, length),
	step(loadWord, networkHeader + arpSender),
];

/** Matches packets of this address alone. */
export function ownAddress(address: number): Instruction[] {
	const rest = [step(jumpIfEqual, address, 0, 1), step(returnConstant, matches), step(returnConstant, matchesNot)];
	return [...loadAddress(rest.length), ...rest];
}

/** Puts a packet into the class whose minor number is the address's part behind the subnet's prefix. */
export function classByAddress(major: number, hostMask: number): Instruction[] {
	const classId = [step(and, hostMask), step(or, major * 0x10000), step(returnAccumulator, 0)];
	const rest = [...classId, step(returnConstant, matchesNot)];
	return [...loadAddress(rest.length), ...rest];
}

/** As `tc` takes it. */
export function bytecode(program: readonly Instruction[]): string {
	const steps = program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`);
	return [program.length, ...steps].join(",");
}
