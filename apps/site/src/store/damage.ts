import { sql } from "kysely";

/**
 * A subquery: projects (`project_id`) whose present state cannot be restored from the store, since it or something that it
 * builds on is damaged. It begins with what is damaged, which is next to nothing.
 */
export const projectsInDamage = sql`(
	WITH RECURSIVE damaged AS (
		SELECT project_id, generation, sequence FROM damaged_checkpoints
		UNION SELECT child.project_id, child.generation, child.sequence FROM damaged JOIN checkpoints AS child
			ON child.parent_project_id = damaged.project_id
			AND child.parent_generation = damaged.generation AND child.parent_sequence = damaged.sequence
	) SELECT durable.project_id FROM durable_checkpoints AS durable JOIN damaged
		ON (durable.checkpoint_project_id, durable.generation, durable.sequence)
			= (damaged.project_id, damaged.generation, damaged.sequence))`;
