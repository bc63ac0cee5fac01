import type { ScrubAnswer, ScrubQuestion } from "@repldock/protocol";
import { sql } from "kysely";
import { scrubDueMs } from "../domain/scrub.ts";
import { toCheckpoint } from "./checkpoints.ts";
import { projectsInDamage } from "./damage.ts";
import type { Database } from "./database.ts";
import { isLive } from "./nodes.ts";

/**
 * Takes in what a node found, and says which object it is to read next and when: the bytes of all its objects are spread
 * evenly over the period, whatever restarts or outages come between.
 */
export async function nextToScrub(
	database: Database,
	{ nodeId, periodMs, done }: ScrubQuestion,
): Promise<ScrubAnswer & { damaged: number }> {
	return database.transaction().execute(async (transaction) => {
		await transaction
			.insertInto("scrubs")
			.values({ nodeId, roundEndedAt: null })
			.onConflict((conflict) => conflict.column("nodeId").doUpdateSet({ roundBeganAt: notLaterThanNext(periodMs) }))
			.execute();
		if (done) await takeIn(transaction, nodeId, done);
		const { afterKey, roundBeganAt } = await transaction
			.selectFrom("scrubs")
			.selectAll()
			.where("nodeId", "=", nodeId)
			.forUpdate()
			.executeTakeFirstOrThrow();
		const { doneBytes, allBytes, nextKey } = await share(transaction, nodeId, afterKey);
		const damaged = done?.findings.length ?? 0;
		const storeAnew = await damagedOf(transaction, nodeId);
		if (nextKey === null) {
			if (afterKey === "") return { checkpoints: [], waitMs: periodMs, storeAnew, damaged };
			await transaction
				.updateTable("scrubs")
				.set({ afterKey: "", roundBeganAt: nextRoundAt(periodMs), roundEndedAt: sql`now()` })
				.where("nodeId", "=", nodeId)
				.execute();
			return { checkpoints: [], waitMs: 0, storeAnew, damaged };
		}
		const rows = await transaction
			.selectFrom("checkpoints")
			.selectAll()
			.where("objectKey", "=", nextKey)
			.orderBy("start")
			.execute();
		const waitMs = scrubDueMs({ sinceBeganMs: Date.now() - roundBeganAt.getTime(), periodMs, doneBytes, allBytes });
		return { checkpoints: rows.map(toCheckpoint), waitMs, storeAnew, damaged };
	});
}

/** A round that ended while the clock was ahead would otherwise let the next one wait until the clock is there again. */
const notLaterThanNext = (periodMs: number) =>
	sql<Date>`least(scrubs.round_began_at, now() + ${periodMs}::bigint * interval '1 millisecond')`;

/** Not before this one's period is over: a node with one object would read it without a pause. */
const nextRoundAt = (periodMs: number) =>
	sql<Date>`greatest(now(), round_began_at + ${periodMs}::bigint * interval '1 millisecond')`;

async function takeIn(
	database: Database,
	nodeId: string,
	{ key, findings }: NonNullable<ScrubQuestion["done"]>,
): Promise<void> {
	await sql`
		DELETE FROM damaged_checkpoints AS damaged USING checkpoints
		WHERE checkpoints.object_key = ${key} AND (damaged.project_id, damaged.generation, damaged.sequence)
			= (checkpoints.project_id, checkpoints.generation, checkpoints.sequence)`.execute(database);
	for (const { checkpoint, problem, detail } of findings) {
		const { projectId, generation, sequence } = checkpoint;
		// It may have been thinned out meanwhile.
		await sql`
			INSERT INTO damaged_checkpoints (project_id, generation, sequence, problem, detail)
			SELECT project_id, generation, sequence, ${problem}, ${detail} FROM checkpoints
			WHERE (project_id, generation, sequence) = (${projectId}::uuid, ${generation}::integer, ${sequence}::bigint)
			ON CONFLICT DO NOTHING`.execute(database);
	}
	await database.updateTable("scrubs").set({ afterKey: key }).where("nodeId", "=", nodeId).execute();
}

/** Projects of a node that are to be stored anew, whoever found the damage. */
async function damagedOf(database: Database, nodeId: string): Promise<string[]> {
	const { rows } = await sql<{ projectId: string }>`
		SELECT placements.project_id FROM placements JOIN ${projectsInDamage} AS damage
			ON damage.project_id = placements.project_id
		WHERE placements.node_id = ${nodeId}`.execute(database);
	return rows.map(({ projectId }) => projectId);
}

/**
 * A node's objects: those of its projects, and its part of those that no node which is alive would read. That part is
 * told by the keys and the nodes alone; one that comes or goes in the midst of a round may leave some to the next round.
 */
async function share(database: Database, nodeId: string, afterKey: string) {
	const { rows } = await sql<{ doneBytes: number | null; allBytes: number | null; nextKey: string | null }>`
		WITH readers AS (
			SELECT id, row_number() OVER (ORDER BY id) - 1 AS number, count(*) OVER () AS readers
			FROM nodes WHERE ${isLive} OR id = ${nodeId}
		), mine AS (
			SELECT object_key COLLATE "C" AS key, bytes FROM checkpoints
			LEFT JOIN placements ON placements.project_id = checkpoints.project_id
			LEFT JOIN readers AS theirs ON theirs.id = placements.node_id
			JOIN readers AS own ON own.id = ${nodeId}
			WHERE theirs.id = own.id
				OR (theirs.id IS NULL AND (hashtext(object_key)::bigint & 2147483647) % own.readers = own.number)
		) SELECT
			sum(bytes) FILTER (WHERE key <= ${afterKey})::bigint AS done_bytes,
			sum(bytes)::bigint AS all_bytes,
			min(key) FILTER (WHERE key > ${afterKey}) AS next_key
		FROM mine`.execute(database);
	const [row] = rows;
	return {
		doneBytes: Number(row?.doneBytes ?? 0),
		allBytes: Number(row?.allBytes ?? 0),
		nextKey: row?.nextKey ?? null,
	};
}
