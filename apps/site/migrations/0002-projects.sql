-- A machine that runs containers. It is alive while `last_seen_at` is fresh; `session_id` names the control socket that
-- may say so, so that a socket which was replaced cannot.
CREATE TABLE nodes (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	name text NOT NULL UNIQUE,
	gateway_url text NOT NULL,
	slots integer NOT NULL CHECK (slots > 0),
	session_id uuid NOT NULL,
	last_seen_at timestamptz(3) NOT NULL,
	created_at timestamptz(3) NOT NULL DEFAULT now()
);

CREATE TABLE projects (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	owner_id text NOT NULL REFERENCES users ON DELETE RESTRICT,
	name text NOT NULL,
	-- Projects in the trash keep theirs, so that they can be restored to it.
	slug text NOT NULL UNIQUE,
	template text NOT NULL,
	visibility text NOT NULL CHECK (visibility IN ('public', 'private')),
	-- Rises when rights are taken away; nodes refuse tickets that carry a lower one.
	rights_version integer NOT NULL DEFAULT 1,
	memory_bytes bigint NOT NULL CHECK (memory_bytes > 0),
	cpus double precision NOT NULL CHECK (cpus > 0),
	pids integer NOT NULL CHECK (pids > 0),
	disk_bytes bigint NOT NULL CHECK (disk_bytes > 0),
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	updated_at timestamptz(3) NOT NULL DEFAULT now(),
	opened_at timestamptz(3),
	deleted_at timestamptz(3),
	-- What the list is ordered by, newest first.
	touched_at timestamptz(3) NOT NULL GENERATED ALWAYS AS (coalesce(opened_at, created_at)) STORED
);
CREATE INDEX projects_owner ON projects (owner_id, touched_at DESC, id DESC);
CREATE INDEX projects_trash ON projects (deleted_at) WHERE deleted_at IS NOT NULL;

-- Project → node. `want…` is desired and written by the site alone; `observed…` is what the node last reported.
CREATE TABLE placements (
	project_id uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
	node_id uuid NOT NULL REFERENCES nodes ON DELETE RESTRICT,
	generation integer NOT NULL DEFAULT 1 CHECK (generation > 0),
	want text NOT NULL CHECK (want IN ('running', 'stopped', 'purged')),
	want_version integer NOT NULL DEFAULT 1,
	observed_state text CHECK (observed_state IN ('stopped', 'starting', 'running', 'stopping', 'failed')),
	observed_want_version integer,
	observed_problem jsonb,
	observed_at timestamptz(3)
);
CREATE INDEX placements_node ON placements (node_id);

-- Any change to what a node should do wakes the site instance that holds its control socket. The payload is the node's
-- id; the rows are the truth.
CREATE FUNCTION notify_node_of_placement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN PERFORM pg_notify('repldock_desired', OLD.node_id::text); END IF;
	IF TG_OP <> 'DELETE' THEN PERFORM pg_notify('repldock_desired', NEW.node_id::text); END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER placements_notify
	AFTER INSERT OR DELETE OR UPDATE OF node_id, generation, want, want_version ON placements
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_placement();

CREATE FUNCTION notify_node_of_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('repldock_desired', node_id::text) FROM placements WHERE project_id = NEW.id;
	RETURN NULL;
END $$;
CREATE TRIGGER projects_notify
	AFTER UPDATE OF slug, visibility, rights_version, owner_id, memory_bytes, cpus, pids, disk_bytes ON projects
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_project();
