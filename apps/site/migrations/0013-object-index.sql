-- One row. Objects that were stored before belong to a database that is lost, or to a time before this table: that no row
-- of checkpoints names them says nothing. `rebuild-index` takes them in and sets it back to the beginning of time.
CREATE TABLE object_index (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	knows_since timestamptz(3) NOT NULL DEFAULT now()
);
INSERT INTO object_index DEFAULT VALUES;

-- How far each node is with reading back the objects of its projects: a round takes in all of them, by their keys.
CREATE TABLE scrubs (
	node_id uuid PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,
	-- The last key that was read; empty at the beginning of a round.
	after_key text COLLATE "C" NOT NULL DEFAULT '',
	round_began_at timestamptz(3) NOT NULL DEFAULT now(),
	round_ended_at timestamptz(3)
);

-- Checkpoints whose object is not as it was stored. They go with the checkpoint, or when the object is found well again.
CREATE TABLE damaged_checkpoints (
	project_id uuid NOT NULL,
	generation integer NOT NULL,
	sequence bigint NOT NULL,
	problem text NOT NULL CHECK (problem IN ('missing', 'damaged')),
	detail text NOT NULL,
	found_at timestamptz(3) NOT NULL DEFAULT now(),
	PRIMARY KEY (project_id, generation, sequence),
	FOREIGN KEY (project_id, generation, sequence) REFERENCES checkpoints ON DELETE CASCADE
);
