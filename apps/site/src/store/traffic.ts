import type { NodeTraffic, TrafficHour, TrafficSummary, TrafficTotals } from "@repldock/protocol";
import { NodeTraffic as NodeTrafficSchema } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

const hourSeconds = 3600;
/** Bound parameters of one statement are at most 65,535. */
const linesPerStatement = 2_000;

const counts = [
	"sent_bytes",
	"sent_packets",
	"dropped_packets",
	"received_bytes",
	"received_packets",
	"refused_packets",
] as const;
const countNames = sql.raw(counts.join(", "));
const countSums = sql.raw(counts.map((name) => `coalesce(sum(${name}), 0)::bigint AS ${name}`).join(", "));

/**
 * Takes in lines of a node's ledger; repeating it is harmless. Lines of projects that are gone, and of hours that were
 * made days already, are left out.
 */
export async function recordTrafficHours(
	database: Database,
	nodeId: string,
	ledger: string,
	lines: readonly TrafficHour[],
): Promise<void> {
	const greatest = sql.raw(
		["generation", ...counts].map((name) => `${name} = greatest(traffic_hours.${name}, excluded.${name})`).join(", "),
	);
	for (let start = 0; start < lines.length; start += linesPerStatement) {
		// One parameter, whatever the number of lines; ordered, so that two statements never wait for each other.
		const part = JSON.stringify(lines.slice(start, start + linesPerStatement));
		await sql`
			WITH book AS MATERIALIZED (SELECT closed_until FROM traffic_books FOR SHARE)
			INSERT INTO traffic_hours (project_id, hour, node_id, ledger, generation, ${countNames})
			SELECT DISTINCT ON (1, 2) line."projectId", to_timestamp(line.hour * ${sql.lit(hourSeconds)}::bigint),
				${nodeId}::uuid, ${ledger}::uuid, line.generation, line."sentBytes", line."sentPackets",
				line."droppedPackets", line."receivedBytes", line."receivedPackets", line."refusedPackets"
			FROM jsonb_to_recordset(${part}::jsonb) AS line("projectId" uuid, hour bigint, generation integer,
				"sentBytes" bigint, "sentPackets" bigint, "droppedPackets" bigint, "receivedBytes" bigint,
				"receivedPackets" bigint, "refusedPackets" bigint)
			JOIN projects ON projects.id = line."projectId"
			JOIN book ON to_timestamp(line.hour * ${sql.lit(hourSeconds)}::bigint) >= book.closed_until
			ORDER BY 1, 2
			ON CONFLICT (project_id, hour, node_id, ledger) DO UPDATE SET ${greatest}`.execute(database);
	}
}

/** What a project sent and received today and this month, by UTC. */
export async function readTrafficSummary(database: Database, projectId: string): Promise<TrafficSummary> {
	const since = async (unit: "day" | "month"): Promise<TrafficTotals> => {
		const start = sql`date_trunc(${sql.lit(unit)}, now() AT TIME ZONE 'UTC')`;
		const { rows } = await sql<TrafficTotals>`
			SELECT ${countSums} FROM (
				SELECT ${countNames} FROM traffic_hours
					WHERE project_id = ${projectId} AND hour >= ${start} AT TIME ZONE 'UTC'
				UNION ALL
				SELECT ${countNames} FROM traffic_days WHERE project_id = ${projectId} AND day >= ${start}::date
			) AS lines`.execute(database);
		const [totals] = rows;
		if (!totals) throw new Error("A sum without a row.");
		return totals;
	};
	const [today, month] = await Promise.all([since("day"), since("month")]);
	return { today, month };
}

/**
 * Makes days of the hours that are old enough, and forgets days that are too old. Whole days alone are closed, so that
 * a day is never written twice.
 */
export async function tidyTraffic(database: Database, keep: { hoursForMs: number; daysForMs: number }): Promise<void> {
	const ago = (timeMs: number) => sql`now() - ${timeMs}::bigint * interval '1 millisecond'`;
	await database.transaction().execute(async (transaction) => {
		// Locked: lines that come meanwhile wait, and are then refused if they are of a closed day.
		const { rows } = await sql<{ closing: boolean }>`
			UPDATE traffic_books SET closed_until = greatest(closed_until,
				date_trunc('day', (${ago(keep.hoursForMs)}) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')
			RETURNING EXISTS (SELECT FROM traffic_hours WHERE hour < date_trunc('day',
				(${ago(keep.hoursForMs)}) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS closing`.execute(transaction);
		if (rows[0]?.closing) {
			const added = sql.raw(counts.map((name) => `${name} = traffic_days.${name} + excluded.${name}`).join(", "));
			await sql`
				WITH closed AS (DELETE FROM traffic_hours USING traffic_books
					WHERE traffic_hours.hour < traffic_books.closed_until RETURNING traffic_hours.*)
				INSERT INTO traffic_days (project_id, day, ${countNames})
				SELECT project_id, (hour AT TIME ZONE 'UTC')::date, ${countSums} FROM closed GROUP BY 1, 2
				ON CONFLICT (project_id, day) DO UPDATE SET ${added}`.execute(transaction);
		}
		await sql`DELETE FROM traffic_days WHERE day < (${ago(keep.daysForMs)})::date`.execute(transaction);
	});
}

/** Keeps how a node's network stands now. */
export async function recordNodeTraffic(database: Database, nodeId: string, traffic: NodeTraffic): Promise<void> {
	await database
		.insertInto("nodeTraffic")
		.values({ nodeId, traffic: JSON.stringify(traffic) })
		.onConflict((conflict) =>
			conflict.column("nodeId").doUpdateSet((build) => ({ traffic: build.ref("excluded.traffic") })),
		)
		.execute();
}

/** @returns undefined when the node never told. */
export async function readNodeTraffic(database: Database, nodeId: string): Promise<NodeTraffic | undefined> {
	const row = await database
		.selectFrom("nodeTraffic")
		.select("traffic")
		.where("nodeId", "=", nodeId)
		.executeTakeFirst();
	return row && NodeTrafficSchema.parse(row.traffic);
}
