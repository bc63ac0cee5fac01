import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { z } from "zod";

const MachineId = z.uuid();

/**
 * What tells this data directory from any other that speaks under the same node name: a UUID, drawn at the first start.
 * @throws when the file is there and holds anything else.
 */
export async function readMachineId(path: string): Promise<string> {
	return (await readKnown(path)) ?? draw(path);
}

/** The draft comes whole or not at all, and of two that are drawn at once the first one stays. */
async function draw(path: string): Promise<string> {
	const draft = `${path}.new`;
	await writeFile(draft, `${randomUUID()}\n`, { mode: 0o600, flush: true });
	await link(draft, path).catch(unless("EEXIST"));
	await rm(draft);
	return MachineId.parse(await readKnown(path));
}

async function readKnown(path: string): Promise<string | undefined> {
	const text = await readFile(path, "utf8").catch(unless("ENOENT"));
	return text === undefined ? undefined : MachineId.parse(text.trim());
}

/** Lets one failure pass. */
function unless(code: string): (error: NodeJS.ErrnoException) => undefined {
	return (error) => {
		if (error.code !== code) throw error;
	};
}
