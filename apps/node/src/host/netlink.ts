import koffi from "koffi";

/**
 * The kernel's own words about its network, without a program in between. Node has no such sockets: a descriptor is handed
 * to a small program that writes what it reads from it.
 */
const library = koffi.load(null);
const socket = library.func("int socket(int domain, int type, int protocol)");
const bind = library.func("int bind(int descriptor, const uint8_t *address, unsigned int length)");
const setOption = library.func(
	"int setsockopt(int descriptor, int level, int option, const int *value, unsigned int length)",
);

const addressFamily = 16;
const rawCloseOnExec = 0o2000003;
const routeProtocol = 0;
const groupOfTraffic = 8;
const socketLevel = 1;
const receiveBufferForce = 33;
/** News of thousands of changes at once find room until they are read. */
const receiveBufferBytes = 16 * 1024 * 1024;

/** A change of the kernel's traffic control. */
export interface TrafficChange {
	kind: "qdisc" | "class" | "filter" | "chain";
	isDeletion: boolean;
	interfaceIndex: number;
	/** `major:minor` in one number; of filters their own. */
	handle: number;
	/** The process that asked for it; 0: it follows from something else. */
	by: number;
}

/** @returns a descriptor from which the news of traffic control are read; the caller closes it. @throws Error */
export function openTrafficNews(): number {
	const descriptor: number = socket(addressFamily, rawCloseOnExec, routeProtocol);
	const address = Buffer.alloc(12);
	address.writeUInt16LE(addressFamily, 0);
	address.writeUInt32LE(groupOfTraffic, 8);
	if (descriptor < 0 || bind(descriptor, address, address.length) !== 0)
		throw new Error("the kernel's news of its traffic control cannot be followed");
	// For root alone; others get the usual room.
	setOption(descriptor, socketLevel, receiveBufferForce, [receiveBufferBytes], 4);
	return descriptor;
}

const kinds = new Map<number, [TrafficChange["kind"], boolean]>([
	[36, ["qdisc", false]],
	[37, ["qdisc", true]],
	[40, ["class", false]],
	[41, ["class", true]],
	[44, ["filter", false]],
	[45, ["filter", true]],
	[100, ["chain", false]],
	[101, ["chain", true]],
]);
const headerBytes = 16;
/** Of header and `struct tcmsg`. */
const leastBytes = headerBytes + 20;

/** Cuts what was read into messages; the last one is kept until its end arrives. */
export function createTrafficReader(): { push(part: Buffer): TrafficChange[] } {
	let rest: Buffer = Buffer.alloc(0);
	return {
		push(part) {
			const bytes = rest.length > 0 ? Buffer.concat([rest, part]) : part;
			const changes: TrafficChange[] = [];
			let at = 0;
			while (bytes.length - at >= headerBytes) {
				const length = bytes.readUInt32LE(at);
				if (length < headerBytes) throw new Error("the kernel's news are not as they must be");
				const aligned = (length + 3) & ~3;
				if (bytes.length - at < aligned) break;
				const [kind, isDeletion] = kinds.get(bytes.readUInt16LE(at + 4)) ?? [];
				if (kind && isDeletion !== undefined && length >= leastBytes) {
					changes.push({
						kind,
						isDeletion,
						interfaceIndex: bytes.readInt32LE(at + 20),
						handle: bytes.readUInt32LE(at + 24),
						by: bytes.readUInt32LE(at + 12),
					});
				}
				at += aligned;
			}
			rest = bytes.subarray(at);
			return changes;
		},
	};
}
