import { z } from "zod";
import type { Settings } from "../settings.ts";
import { nodeStorage } from "../supervisor/instance.ts";
import { databaseUrlOf, runSiteProgram } from "../supervisor/site-program.ts";
import type { Finding } from "./finding.ts";
import { ensureSystemUser } from "./users.ts";

/** As `apps/node/src/main.ts storage` prints it. */
const NodeStorage = z.object({
	volumes: z.object({ count: z.int(), usedBytes: z.number(), freeBytes: z.number() }),
	dirty: z.array(z.object({ projectId: z.string(), upTo: z.string().nullable(), since: z.string().nullable() })),
	unreported: z.int(),
	store: z.object({
		description: z.string(),
		objects: z.int(),
		more: z.boolean(),
		oldestAt: z.string().nullable(),
		problem: z.string().nullable(),
		failure: z.object({ at: z.string(), problem: z.string() }).nullable(),
	}),
	garbage: z.object({ at: z.string(), removed: z.int() }).nullable(),
});

/** As `apps/site/src/server.ts storage` prints it. */
const SiteStorage = z.object({
	projects: z.int(),
	checkpoints: z.int(),
	bytes: z.number(),
	knowsSince: z.string(),
	damagedProjects: z.array(z.string()),
	damaged: z.int(),
	scrubbedAt: z.string().nullable(),
});

const Storage = z.object({ node: NodeStorage, site: SiteStorage });
export type Storage = z.infer<typeof Storage>;

/** What stays behind for longer is a warning: a tick takes seconds. */
const lagMostMs = 60_000;

/** A node looks for garbage every 6 h; objects younger than a day are none. */
const garbageMostMs = 24 * 60 * 60 * 1000;

const leastFreeShare = 0.1;

/** How storing stands on a running instance. */
export async function readStorage(settings: Settings): Promise<Storage> {
	const siteUser = await ensureSystemUser(settings.systemUser);
	const [node, site] = await Promise.all([
		nodeStorage(settings),
		runSiteProgram(settings, databaseUrlOf(settings), siteUser, ["storage"]),
	]);
	return Storage.parse({ node: JSON.parse(node), site: JSON.parse(site) });
}

/** How long what is not durable has waited at most, in milliseconds; 0 when all is. */
export function lagMs({ node }: Storage, nowMs = Date.now()): number {
	return Math.max(0, ...node.dirty.map(({ since }) => (since === null ? 0 : nowMs - Date.parse(since))));
}

export function storageFindings(storage: Storage, nowMs = Date.now()): Finding[] {
	const { node, site } = storage;
	const { volumes, store } = node;
	const low = volumes.freeBytes < leastFreeShare * (volumes.freeBytes + volumes.usedBytes);
	const lag = lagMs(storage, nowMs);
	const findings: Finding[] = [
		{
			name: "volumes",
			state: low ? "warning" : "ok",
			detail: `${volumes.count}, ${gigabytes(volumes.usedBytes)} used, ${gigabytes(volumes.freeBytes)} free`,
			...(low ? { mend: "a larger REPLDOCK_VOLUMES_SIZE or another disk; ./repldock restart agent" } : {}),
		},
		storeFinding(store),
		{
			name: "checkpoints",
			state: lag > lagMostMs ? "warning" : "ok",
			detail:
				`${site.checkpoints}, ${gigabytes(site.bytes)}; ${node.dirty.length} volumes with newer work, ` +
				`the oldest for ${Math.round(lag / 1000)} s; ${node.unreported} not recorded by the site yet`,
			...(lag > lagMostMs ? { mend: "./repldock logs agent" } : {}),
		},
		garbageFinding(storage, nowMs),
	];
	const readBack = site.scrubbedAt
		? `all objects read back by ${site.scrubbedAt}`
		: "the first reading back is under way";
	if (site.damagedProjects.length > 0) {
		findings.push({
			name: "damage",
			state: "wrong",
			detail: `the present state of ${site.damagedProjects.join(", ")} is damaged in the store`,
			mend: "docs/STORAGE.md, Damage",
		});
	} else {
		findings.push({
			name: "damage",
			state: site.damaged > 0 ? "warning" : "ok",
			detail: site.damaged > 0 ? `${site.damaged} old versions; ${readBack}` : `none; ${readBack}`,
			...(site.damaged > 0 ? { mend: "docs/STORAGE.md, Damage" } : {}),
		});
	}
	return findings;
}

function storeFinding({ description, objects, more, problem, failure }: Storage["node"]["store"]): Finding {
	const name = "object store";
	const mend = "docs/STORAGE.md, Object store; nothing is lost meanwhile, and nothing becomes durable";
	if (problem !== null) return { name, state: "wrong", detail: `${description}: ${problem}`, mend };
	const well = `${description} answers and takes objects, ${objects}${more ? " or more" : ""} are there`;
	if (failure === null) return { name, state: "ok", detail: well };
	const detail = `${well}; but what the node stored last, at ${failure.at}, was not taken: ${failure.problem}`;
	return { name, state: "warning", detail, mend };
}

function garbageFinding({ node: { garbage, store }, site }: Storage, nowMs: number): Finding {
	const name = "garbage";
	if (store.oldestAt !== null && store.oldestAt < site.knowsSince) {
		const detail = "there are objects from before this database, which it may not know; they are kept";
		return { name, state: "warning", detail, mend: "./repldock rebuild-index" };
	}
	const detail = garbage ? `${garbage.removed} objects removed at ${garbage.at}` : "not looked for yet";
	// Of an instance that never looked: since there is something to look at.
	const sinceText = garbage?.at ?? store.oldestAt;
	if (sinceText === null || nowMs - Date.parse(sinceText) <= garbageMostMs) return { name, state: "ok", detail };
	return { name, state: "warning", detail: `${detail}; it is due every 6 h`, mend: "./repldock logs agent" };
}

export function gigabytes(bytes: number): string {
	return `${(bytes / 1e9).toFixed(2)} GB`;
}
