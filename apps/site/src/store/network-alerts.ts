import type { NetworkAlert, NetworkAlertKind } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

/** An alert with the names that a person knows. */
export interface StoredAlert {
	readonly id: string;
	readonly kind: NetworkAlertKind;
	readonly detail: string;
	readonly noticedAt: Date;
	readonly deliveredAt: Date | null;
	readonly attempts: number;
	readonly nodeName: string;
	readonly projectId: string;
	readonly projectName: string;
	readonly slug: string;
	readonly ownerName: string;
}

function selectAlerts(database: Database) {
	return database
		.selectFrom("networkAlerts")
		.innerJoin("projects", "projects.id", "networkAlerts.projectId")
		.innerJoin("users", "users.id", "projects.ownerId")
		.innerJoin("nodes", "nodes.id", "networkAlerts.nodeId")
		.select([
			"networkAlerts.id",
			"networkAlerts.kind",
			"networkAlerts.detail",
			"networkAlerts.noticedAt",
			"networkAlerts.deliveredAt",
			"networkAlerts.attempts",
			"nodes.name as nodeName",
			"projects.id as projectId",
			"projects.name as projectName",
			"projects.slug",
			"users.name as ownerName",
		]);
}

/**
 * Keeps one of each alert, however often a node tells it. Those of projects that are gone are left out.
 * @param deliver whether somebody is to be told.
 */
export async function recordAlerts(
	database: Database,
	nodeId: string,
	alerts: readonly NetworkAlert[],
	deliver: boolean,
): Promise<void> {
	for (const { id, projectId, kind, detail, atMs } of alerts) {
		await sql`
			INSERT INTO network_alerts (id, node_id, project_id, kind, detail, noticed_at, deliver_at)
			SELECT ${id}::uuid, ${nodeId}::uuid, id, ${kind}, ${detail}, ${new Date(atMs)}::timestamptz,
				CASE WHEN ${deliver}::boolean THEN now() END
			FROM projects WHERE id = ${projectId}
			ON CONFLICT (id) DO NOTHING`.execute(database);
	}
}

/** The latest alerts of a node. */
export async function listAlerts(database: Database, nodeId: string, limit: number): Promise<StoredAlert[]> {
	return selectAlerts(database)
		.where("networkAlerts.nodeId", "=", nodeId)
		.orderBy("networkAlerts.noticedAt", "desc")
		.limit(limit)
		.execute();
}

/**
 * Takes alerts whose delivery is due, for one attempt each: nobody else takes them within `leaseMs`, after which they
 * are due again unless `endDelivery` or `postponeDelivery` says otherwise.
 */
export async function takeDueAlerts(database: Database, leaseMs: number, limit: number): Promise<StoredAlert[]> {
	const { rows } = await sql<{ id: string }>`
		UPDATE network_alerts SET attempts = attempts + 1,
			deliver_at = now() + ${leaseMs}::bigint * interval '1 millisecond'
		WHERE id IN (SELECT id FROM network_alerts WHERE deliver_at <= now()
			ORDER BY deliver_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)
		RETURNING id`.execute(database);
	if (rows.length === 0) return [];
	const ids = rows.map(({ id }) => id);
	return selectAlerts(database).where("networkAlerts.id", "in", ids).orderBy("networkAlerts.noticedAt").execute();
}

/** @param delivered false: it is given up. */
export async function endDelivery(database: Database, id: string, delivered: boolean): Promise<void> {
	await database
		.updateTable("networkAlerts")
		.set({ deliverAt: null, ...(delivered ? { deliveredAt: sql<Date>`now()` } : {}) })
		.where("id", "=", id)
		.execute();
}

export async function postponeDelivery(database: Database, id: string, waitMs: number): Promise<void> {
	await database
		.updateTable("networkAlerts")
		.set({ deliverAt: sql<Date>`now() + ${Math.round(waitMs)}::bigint * interval '1 millisecond'` })
		.where("id", "=", id)
		.execute();
}

/** Forgets alerts that are older. */
export async function tidyAlerts(database: Database, keptForMs: number): Promise<void> {
	await sql`DELETE FROM network_alerts
		WHERE noticed_at < now() - ${keptForMs}::bigint * interval '1 millisecond'`.execute(database);
}
