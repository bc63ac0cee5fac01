-- The ledger: what each project sent and received, as its node counted. A node tells an hour many times while it goes on;
-- the greatest of what it said of one book (`ledger`) is right, and the books are added up.
CREATE TABLE traffic_hours (
	project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
	hour timestamptz(3) NOT NULL,
	node_id uuid NOT NULL REFERENCES nodes ON DELETE CASCADE,
	ledger uuid NOT NULL,
	generation integer NOT NULL,
	sent_bytes bigint NOT NULL CHECK (sent_bytes >= 0),
	sent_packets bigint NOT NULL CHECK (sent_packets >= 0),
	dropped_packets bigint NOT NULL CHECK (dropped_packets >= 0),
	received_bytes bigint NOT NULL CHECK (received_bytes >= 0),
	received_packets bigint NOT NULL CHECK (received_packets >= 0),
	refused_packets bigint NOT NULL CHECK (refused_packets >= 0),
	PRIMARY KEY (project_id, hour, node_id, ledger)
);
CREATE INDEX traffic_hours_hour ON traffic_hours (hour);

-- What hours become after a time. Days are UTC's.
CREATE TABLE traffic_days (
	project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
	day date NOT NULL,
	sent_bytes bigint NOT NULL,
	sent_packets bigint NOT NULL,
	dropped_packets bigint NOT NULL,
	received_bytes bigint NOT NULL,
	received_packets bigint NOT NULL,
	refused_packets bigint NOT NULL,
	PRIMARY KEY (project_id, day)
);
CREATE INDEX traffic_days_day ON traffic_days (day);

-- Hours before this moment are days now: a node that tells one again is late, and must not be added once more.
CREATE TABLE traffic_books (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	closed_until timestamptz(3) NOT NULL
);
INSERT INTO traffic_books (closed_until) VALUES ('1970-01-01Z');

-- How each node's network stands: a NodeTraffic, the latest alone.
CREATE TABLE node_traffic (
	node_id uuid PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,
	traffic jsonb NOT NULL
);

-- What nodes noticed, and how far the webhook is with it. `deliver_at` is null when nothing is to be sent any more.
CREATE TABLE network_alerts (
	id uuid PRIMARY KEY,
	node_id uuid NOT NULL REFERENCES nodes ON DELETE CASCADE,
	project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
	kind text NOT NULL,
	detail text NOT NULL,
	noticed_at timestamptz(3) NOT NULL,
	deliver_at timestamptz(3),
	attempts integer NOT NULL DEFAULT 0,
	delivered_at timestamptz(3)
);
CREATE INDEX network_alerts_node ON network_alerts (node_id, noticed_at DESC);
CREATE INDEX network_alerts_due ON network_alerts (deliver_at) WHERE deliver_at IS NOT NULL;

-- When an administrator restricted it, and what its owner answered.
ALTER TABLE projects ADD COLUMN network_restricted_at timestamptz(3);
ALTER TABLE projects ADD COLUMN network_answer text;
CREATE INDEX projects_restricted ON projects (id) WHERE network_restriction IS NOT NULL;
