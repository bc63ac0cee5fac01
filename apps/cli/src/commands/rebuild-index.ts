import { existsSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { objectLocation, objectOptions, openObjectStore } from "@repldock/objects";
import { readConfig } from "@repldock/service";
import { z } from "zod";
import { withDatabase } from "../backup/database.ts";
import { readStoredCheckpoints, type Unreadable } from "../backup/stored-checkpoints.ts";
import { ensureSystemUser } from "../machine/users.ts";
import type { Settings } from "../settings.ts";
import { databaseUrlOf, runSiteProgram } from "../supervisor/site-program.ts";
import { green, print, say, yellow } from "../text.ts";

/** What the site's program answers. */
const Outcome = z.object({
	projects: z.int(),
	checkpoints: z.int(),
	moved: z.int(),
	deleted: z.int(),
	found: z.object({ projects: z.int(), checkpoints: z.int() }),
	broken: z.record(z.string(), z.int()),
});
type Outcome = z.infer<typeof Outcome>;

/** More rounds than a node that goes on storing could make necessary. */
const mostRounds = 5;

/**
 * `rebuild-index`: adds to the database every project and checkpoint that it lacks and that the objects tell of. The
 * instance may run or not; repeating it changes nothing. Exits with 1 when objects are damaged or chains have gaps.
 */
export async function rebuildIndex(settings: Settings): Promise<number> {
	if (process.getuid?.() !== 0) throw new Error("This reads the instance's objects, so it must be started by root.");
	if (!existsSync(join(settings.data, "secrets/site"))) {
		throw new Error(
			`There is no instance in ${settings.data}. Start it once with ./repldock up, or name it with --data.`,
		);
	}
	const config = readConfig(objectOptions, settings.environment);
	const store = await openObjectStore(objectLocation(config, settings.data), config);
	const siteUser = await ensureSystemUser(settings.systemUser);

	const sum = { projects: 0, checkpoints: 0, moved: 0 };
	let last: Outcome | undefined;
	let unreadable: Unreadable[] = [];
	await withDatabase(settings, async () => {
		for (let round = 0; round < mostRounds; round += 1) {
			unreadable = [];
			const lines = readStoredCheckpoints(store, (one) => unreadable.push(one));
			last = await takeIn(lines);
			sum.projects += last.projects;
			sum.checkpoints += last.checkpoints;
			sum.moved += last.moved;
			// What a running node stored before its project was known again is found by one more look.
			if (last.projects === 0) break;
			say(`${green("✓")} ${last.projects} projects came back`);
		}
	});

	async function takeIn(lines: AsyncIterable<object>): Promise<Outcome> {
		const input = Readable.from(
			(async function* () {
				for await (const line of lines) yield `${JSON.stringify(line)}\n`;
				// The last line is for what only shows at the end.
				yield `${JSON.stringify({ whole: unreadable.length === 0 })}\n`;
			})(),
		);
		const output = await runSiteProgram(settings, databaseUrlOf(settings), siteUser, ["rebuild-index"], input);
		return Outcome.parse(JSON.parse(output));
	}

	const broken = Object.entries(last?.broken ?? {});
	const problems = [
		...unreadable.map(({ key, detail }) => `${key}: ${detail}`),
		...broken.map(([project, count]) => `project ${project}: ${count} checkpoints build on one that is missing`),
	];
	if (settings.json) print(JSON.stringify({ ...sum, found: last?.found, deleted: last?.deleted, problems }));
	else {
		for (const problem of problems) print(`${yellow("!")} ${problem}`);
		print(
			`${store.description} tells of ${last?.found.projects ?? 0} projects. Added: ${sum.projects} projects, ` +
				`${sum.checkpoints} checkpoints.`,
		);
	}
	return problems.length > 0 ? 1 : 0;
}
