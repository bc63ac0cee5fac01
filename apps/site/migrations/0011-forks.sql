-- A fork's checkpoints build on those of its origin, so they may outlive the origin: what somebody's present state or
-- version builds on is kept by these references alone, whoever's it was. Thinning removes the rest.
ALTER TABLE checkpoints ADD COLUMN parent_project_id uuid;
UPDATE checkpoints SET parent_project_id = project_id WHERE parent_sequence IS NOT NULL;
ALTER TABLE checkpoints
	DROP CONSTRAINT checkpoints_project_id_fkey,
	DROP CONSTRAINT checkpoints_check,
	ADD CHECK (
		(parent_project_id IS NULL) = (parent_sequence IS NULL) AND (parent_generation IS NULL) = (parent_sequence IS NULL)),
	-- What was written before is not looked at again: a version without its beginning is no reason not to start.
	ADD FOREIGN KEY (parent_project_id, parent_generation, parent_sequence) REFERENCES checkpoints
		DEFERRABLE INITIALLY IMMEDIATE NOT VALID;
CREATE INDEX checkpoints_by_parent ON checkpoints (parent_project_id, parent_generation, parent_sequence);

-- The present state of a fork is a checkpoint of its origin until it has one of its own.
ALTER TABLE durable_checkpoints ADD COLUMN checkpoint_project_id uuid;
UPDATE durable_checkpoints SET checkpoint_project_id = project_id;
ALTER TABLE durable_checkpoints
	ALTER COLUMN checkpoint_project_id SET NOT NULL,
	DROP CONSTRAINT durable_checkpoints_project_id_generation_sequence_fkey,
	ADD FOREIGN KEY (project_id) REFERENCES projects ON DELETE CASCADE,
	ADD FOREIGN KEY (checkpoint_project_id, generation, sequence) REFERENCES checkpoints DEFERRABLE INITIALLY IMMEDIATE;
CREATE INDEX durable_checkpoints_by_checkpoint ON durable_checkpoints (checkpoint_project_id, generation, sequence);

-- Whose volume a fork's first one is a copy of, on the node that has it.
ALTER TABLE projects ADD COLUMN copy_of uuid REFERENCES projects ON DELETE SET NULL;
CREATE INDEX projects_copies ON projects (copy_of) WHERE copy_of IS NOT NULL;

-- A node must know soon that something of a project is stored, lest it seed the project anew.
CREATE FUNCTION notify_node_of_durable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('repldock_desired', node_id::text) FROM placements WHERE project_id = NEW.project_id;
	RETURN NULL;
END $$;
CREATE TRIGGER durable_checkpoints_notify_first AFTER INSERT ON durable_checkpoints
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_durable();
CREATE TRIGGER durable_checkpoints_notify_own AFTER UPDATE ON durable_checkpoints
	FOR EACH ROW WHEN (OLD.checkpoint_project_id IS DISTINCT FROM NEW.checkpoint_project_id)
	EXECUTE FUNCTION notify_node_of_durable();
