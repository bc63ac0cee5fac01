import { portsOfBridge } from "../../host/cables.ts";
import { removeShapingDevices } from "../../host/shaping-devices.ts";
import { changeTraffic, readQdiscs } from "../../host/traffic-control.ts";
import type { ShapingOptions } from "./objects.ts";

/**
 * Takes all shaping from a node, also from containers that run on from a time when it had some: the cables first, since
 * what is sent to a device that is gone is lost. Harmless where there is none.
 */
export async function removeShaping(
	bridge: string,
	{ device, strayDevice }: Pick<ShapingOptions, "device" | "strayDevice">,
): Promise<void> {
	const cables = new Set(await portsOfBridge(bridge));
	const lines = (await readQdiscs()).flatMap(({ kind, dev, handle }) => {
		if (!cables.has(dev)) return [];
		if (kind === "ingress") return [`qdisc del dev ${dev} ingress`];
		return kind === "tbf" && handle === "1:" ? [`qdisc del dev ${dev} root`] : [];
	});
	if (lines.length > 0) await changeTraffic(lines);
	await removeShapingDevices([device, strayDevice]);
}
