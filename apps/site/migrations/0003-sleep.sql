-- An administrator's grant: the project's container is neither paused nor stopped for want of use.
ALTER TABLE projects ADD COLUMN always_on boolean NOT NULL DEFAULT false;
CREATE INDEX projects_always_on ON projects (created_at, id) WHERE always_on;

ALTER TABLE placements DROP CONSTRAINT placements_observed_state_check;
ALTER TABLE placements ADD CONSTRAINT placements_observed_state_check
	CHECK (observed_state IN ('stopped', 'starting', 'running', 'paused', 'stopping', 'failed'));

DROP TRIGGER projects_notify ON projects;
CREATE TRIGGER projects_notify
	AFTER UPDATE OF slug, visibility, rights_version, owner_id, memory_bytes, cpus, pids, disk_bytes, always_on ON projects
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_project();
