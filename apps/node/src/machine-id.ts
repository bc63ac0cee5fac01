import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { z } from "zod";

const MachineId = z.uuid();

/**
 * What tells this data directory from any other that speaks under the same node name: a UUID, drawn at the first start.
 * @throws when the file is there and holds anything else.
 */
export async function readMachineId(path: string): Promise<string> {
	const draft = `${path}.new`;
	await writeFile(draft, `${randomUUID()}\n`, { mode: 0o600, flush: true });
	// It comes whole or not at all, and the first one stays.
	await link(draft, path).catch((error: NodeJS.ErrnoException) => {
		if (error.code !== "EEXIST") throw error;
	});
	await rm(draft);
	return MachineId.parse((await readFile(path, "utf8")).trim());
}
