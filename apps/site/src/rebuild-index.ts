import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { StoredCheckpoint } from "@repldock/protocol";
import { z } from "zod";
import type { SiteConfig } from "./config.ts";
import { findProjects } from "./domain/rebuild.ts";
import type { Database } from "./store/database.ts";
import { knowsAll, type Rebuilt, rebuildIndex } from "./store/rebuild.ts";
import { readTemplates } from "./store/templates.ts";

export interface RebuildOutcome extends Rebuilt {
	found: { projects: number; checkpoints: number };
	/** Checkpoints whose chain has a gap, by project. */
	broken: Record<string, number>;
}

/** The last line: `whole` when every object could be read. A list without it was cut off. */
const End = z.object({ whole: z.boolean() });
const Line = z.union([StoredCheckpoint, End]);

/**
 * Takes in what the objects tell: checkpoints as JSON, one a line. When every object could be read and no chain has a
 * gap, the database knows all from then on.
 * @throws Error when the list has no end.
 */
export async function rebuildFrom(database: Database, config: SiteConfig, lines: Readable): Promise<RebuildOutcome> {
	const stored: StoredCheckpoint[] = [];
	let end: z.infer<typeof End> | undefined;
	for await (const text of createInterface({ input: lines })) {
		const line = Line.parse(JSON.parse(text));
		if ("whole" in line) end = line;
		else stored.push(line);
	}
	if (!end) throw new Error("The list of checkpoints was cut off.");
	const { projects, broken } = findProjects(stored);
	const [template] = await readTemplates(config.templatesDirectory);
	const rebuilt = await rebuildIndex(database, projects, {
		limits: {
			memoryBytes: config.projectMemoryBytes,
			cpus: config.projectCpus,
			pids: config.projectPids,
			diskBytes: config.projectDiskBytes,
		},
		fallbackTemplate: template?.id ?? "bash",
	});
	if (end.whole && broken.length === 0 && rebuilt.projects === 0) await knowsAll(database);
	const gaps = new Map<string, number>();
	for (const { projectId } of broken) gaps.set(projectId, (gaps.get(projectId) ?? 0) + 1);
	return {
		...rebuilt,
		found: { projects: projects.length, checkpoints: stored.length },
		broken: Object.fromEntries(gaps),
	};
}
