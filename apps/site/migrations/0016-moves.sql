-- Which machine speaks for a node, and which object store it reads; null for agents that do not tell.
ALTER TABLE nodes
	ADD COLUMN machine_id uuid,
	ADD COLUMN store_id uuid;

-- Projects that were taken from a node which may still have a volume of them. The node stores what no checkpoint holds
-- of it, removes it, and says so; then the row goes.
CREATE TABLE departures (
	project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
	node_id uuid NOT NULL REFERENCES nodes ON DELETE CASCADE,
	generation integer NOT NULL,
	PRIMARY KEY (project_id, node_id)
);
CREATE INDEX departures_by_node ON departures (node_id);
CREATE TRIGGER departures_notify AFTER INSERT OR DELETE ON departures
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_placement();
