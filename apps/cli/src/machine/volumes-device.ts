import { assertBtrfsDevice } from "@repldock/service";
import type { Finding } from "./finding.ts";

/** Whether the device that the volumes are to be on can hold them; nothing when they are in a file. */
export async function volumesDeviceFindings(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
	const device = environment.REPLDOCK_VOLUMES_DEVICE;
	if (!device) return [];
	const name = "volumes' device";
	try {
		await assertBtrfsDevice(device);
		return [{ name, state: "ok", detail: `${device} has a btrfs file system` }];
	} catch (error) {
		return [{ name, state: "wrong", detail: error instanceof Error ? error.message : String(error) }];
	}
}
