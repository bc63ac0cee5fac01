import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodePaths } from "./config.ts";

/*
 * Containers that outlive a restart keep their addresses, so the subnet that was chosen first is kept with the data.
 */
const file = (paths: NodePaths) => join(paths.data, "subnet");

export async function readSubnet(paths: NodePaths): Promise<string | undefined> {
	try {
		return (await readFile(file(paths), "utf8")).trim();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

export async function rememberSubnet(paths: NodePaths, subnet: string): Promise<void> {
	await writeFile(file(paths), `${subnet}\n`);
}
