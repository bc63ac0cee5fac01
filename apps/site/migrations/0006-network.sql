-- What the containers of a project may reach, and how much they may send; see NetworkPolicy in packages/protocol.
ALTER TABLE projects ADD COLUMN network_mode text NOT NULL DEFAULT 'open'
	CHECK (network_mode IN ('open', 'allow-list', 'closed'));
ALTER TABLE projects ADD COLUMN allowed_domains text[] NOT NULL DEFAULT '{}';
ALTER TABLE projects ADD COLUMN egress_bits_per_second bigint CHECK (egress_bits_per_second > 0);
-- What an administrator did to it, and why: a NetworkRestriction, or null.
ALTER TABLE projects ADD COLUMN network_restriction jsonb;

DROP TRIGGER projects_notify ON projects;
CREATE TRIGGER projects_notify
	AFTER UPDATE OF slug, visibility, rights_version, owner_id, memory_bytes, cpus, pids, disk_bytes, always_on,
		network_mode, allowed_domains, egress_bits_per_second, network_restriction ON projects
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_project();
