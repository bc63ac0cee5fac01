-- Host names of people's own that show a project. Several projects may ask for one name; it is shown by the one that
-- has proved it, which is one at most, so that nobody can keep a name from its owner by asking first.
CREATE TABLE domains (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
	-- Small letters, punycode, without a last dot.
	name text NOT NULL,
	-- What the TXT record must say; another one for each row, so that a proof is this project's alone.
	token text NOT NULL,
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	verified_at timestamptz(3),
	checked_at timestamptz(3),
	-- Since when the proof of a verified name is gone; it is shown for a time of grace.
	missing_since timestamptz(3),
	UNIQUE (project_id, name)
);
CREATE UNIQUE INDEX domains_verified ON domains (name) WHERE verified_at IS NOT NULL;
CREATE INDEX domains_checked ON domains (checked_at NULLS FIRST);

CREATE FUNCTION notify_node_of_domain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('repldock_desired', node_id::text) FROM placements
		WHERE project_id = CASE WHEN TG_OP = 'DELETE' THEN OLD.project_id ELSE NEW.project_id END;
	RETURN NULL;
END $$;
CREATE TRIGGER domains_notify
	AFTER INSERT OR DELETE OR UPDATE OF verified_at ON domains
	FOR EACH ROW EXECUTE FUNCTION notify_node_of_domain();
