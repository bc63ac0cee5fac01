import { readFile } from "node:fs/promises";

/** One mount of this machine: what is mounted, and where. */
export interface Mount {
	source: string;
	place: string;
}

/** All mounts in the order in which they were made; a later one hides an earlier one of the same place. */
export async function listMounts(): Promise<Mount[]> {
	const text = await readFile("/proc/self/mountinfo", "utf8");
	return text.split("\n").flatMap((line) => {
		// The mount point is field 5; after a lone dash come type, source and options.
		const [before = "", after = ""] = line.split(" - ");
		const place = before.split(" ")[4];
		const source = after.split(" ")[1];
		return place === undefined || source === undefined ? [] : [{ source: plainText(source), place: plainText(place) }];
	});
}

/** Spaces, tabs, line breaks and backslashes are written as three octal digits. */
function plainText(text: string): string {
	return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
