-- Somebody waits for what a project is now to be in the object store: `wanted` rises, and its node says which one it has
-- answered last, and whether all was stored by then.
ALTER TABLE placements
	ADD COLUMN checkpoint_wanted integer NOT NULL DEFAULT 0,
	ADD COLUMN checkpoint_answered integer NOT NULL DEFAULT 0,
	ADD COLUMN checkpoint_up_to_date boolean NOT NULL DEFAULT false;

CREATE TRIGGER placements_notify_wanted AFTER UPDATE OF checkpoint_wanted ON placements
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_placement();
