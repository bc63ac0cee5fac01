import { stat } from "node:fs/promises";
import { CommandError, runCommand } from "./command.ts";

/**
 * That volumes can be kept on this device. It is looked at and never formatted: whatever is on it is somebody's.
 * @throws Error with a sentence for the operator that says what to do.
 */
export async function assertBtrfsDevice(device: string): Promise<void> {
	const found = await stat(device).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return null;
		throw error;
	});
	if (!found?.isBlockDevice()) {
		const what = found ? "is no block device" : "does not exist";
		throw new Error(`${device} ${what}. Name a block device that has a btrfs file system: --volumes-device /dev/…`);
	}
	const type = await fileSystemOn(device);
	if (type === "btrfs") return;
	const has = type === "" ? "has no file system that is known" : `has a file system of type ${type}, not btrfs`;
	throw new Error(
		`${device} ${has}; nothing was changed on it. If nothing on it is needed any more, make one yourself, ` +
			`mkfs.btrfs --label repldock ${device}, and start again.`,
	);
}

/** @returns its name, such as `ext4`; empty when the device has none that is known. */
async function fileSystemOn(device: string): Promise<string> {
	try {
		// From the device itself: what udev remembers may be what was there before.
		const found = await runCommand("blkid", ["--probe", "--match-tag", "TYPE", "--output", "value", device]);
		return found.trim();
	} catch (error) {
		if (error instanceof CommandError && error.exitCode === foundNothing) return "";
		throw error;
	}
}

/** What `blkid` exits with then. */
const foundNothing = 2;
