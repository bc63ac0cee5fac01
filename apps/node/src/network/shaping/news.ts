import { addressNumber, memberClass, type Placed, type ShapingOptions } from "./objects.ts";

/**
 * Whether what the kernel tells, by a line of `tc monitor` or `ip monitor`, is of something that is to be there: `gone`
 * when it went away, `changed` when it was made or is another now. What no member needs any more goes unnoticed.
 */
export function concernsShaping(
	line: string,
	options: Pick<ShapingOptions, "device" | "strayDevice">,
	placed: readonly Placed[],
): "gone" | "changed" | null {
	const link = /^(Deleted )?\d+: ([^:@]+)/.exec(line);
	if (link) {
		if (link[2] !== options.device && link[2] !== options.strayDevice) return null;
		return link[1] ? "gone" : "changed";
	}
	const thing = /^(deleted |added |replaced )?(qdisc|class|filter) /.exec(line);
	const device = / dev (\S+)/.exec(line)?.[1];
	if (!thing || device === undefined) return null;
	const isNeeded =
		device === options.device
			? isNeededInTree(line, thing[2] ?? "", placed)
			: device === options.strayDevice || placed.some(({ member }) => member.interfaceName === device);
	if (!isNeeded) return null;
	return thing[1] === "deleted " ? "gone" : "changed";
}

function isNeededInTree(line: string, kind: string, placed: readonly Placed[]): boolean {
	const isGroup = (number: string | undefined) => placed.some(({ group }) => group.toString(16) === number);
	if (kind === "class") {
		const id = /^(?:\w+ )?class \S+ (\S+)/.exec(line)?.[1] ?? "";
		const [major, minor] = id.split(":");
		return major === "1"
			? isGroup(minor) || id === "1:1" || id === "1:2"
			: placed.some((each) => memberClass(each) === id);
	}
	const parent = / parent ([\da-f]+):/.exec(line)?.[1];
	if (kind === "qdisc") {
		const handle = /^(?:\w+ )?qdisc \S+ ([\da-f]+):/.exec(line)?.[1];
		// The leaves' handles are the kernel's.
		return handle === "1" || isGroup(handle) || isGroup(parent);
	}
	if (parent !== "1") return isGroup(parent);
	const element = / fh \d+:([\da-f]*):([\da-f]+)/.exec(line);
	if (!element) return true;
	const bucket = Number.parseInt(element[1] || "0", 16);
	const high = Number.parseInt(element[2] ?? "", 16) - 1;
	return placed.some(
		({ member }) => addressNumber(member.address) % 256 === bucket && Math.floor(member.number / 256) === high,
	);
}
