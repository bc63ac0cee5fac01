import type { KernelNews } from "../../host/kernel-news.ts";
import type { ShapingOptions } from "./objects.ts";

/**
 * Whether somebody else has changed something on a device of the shaper's or, as `isCable` knows, on a member's cable.
 * @param isOwn whether the agent makes its changes by this process.
 */
export function concernsShaping(
	{ from, line, by }: KernelNews,
	{ device, strayDevice }: Pick<ShapingOptions, "device" | "strayDevice">,
	isCable: (interfaceName: string) => boolean,
	isOwn: (pid: number) => boolean,
): boolean {
	if (from === "filter") return false;
	if (line === "") return true;
	if (from === "links") {
		const name = /^(?:Deleted )?\d+: ([^:@]+)/.exec(line)?.[1];
		return name === device || name === strayDevice;
	}
	// What follows from another change is told with it.
	if (by === undefined || by === 0 || isOwn(by)) return false;
	const name = / dev (\S+)$/.exec(line)?.[1] ?? "";
	return name === device || name === strayDevice || isCable(name);
}
