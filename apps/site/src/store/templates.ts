import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Template } from "@repldock/protocol";
import { z } from "zod";

/** @throws Error when the directory's `index.json` is missing or wrong. */
export async function readTemplates(directory: string): Promise<Template[]> {
	const path = join(directory, "index.json");
	const result = z
		.array(Template)
		.min(1)
		.safeParse(JSON.parse(await readFile(path, "utf8")));
	if (!result.success) throw new Error(`${path} is not a list of templates: ${z.prettifyError(result.error)}`);
	return result.data;
}
