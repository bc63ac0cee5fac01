-- Checkpoints that are in the object store; see Checkpoint in packages/protocol. One whose parent is null is full; from it
-- the chain of parents' children leads to each later one. An object that no row names may be removed.
CREATE TABLE checkpoints (
	project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
	generation integer NOT NULL,
	-- Milliseconds since 1970 when it was taken, or a little more.
	sequence bigint NOT NULL,
	parent_generation integer,
	parent_sequence bigint,
	kind text NOT NULL CHECK (kind IN ('change', 'named', 'before-restore')),
	name text,
	taken_at timestamptz NOT NULL,
	object_key text NOT NULL,
	start bigint NOT NULL,
	bytes bigint NOT NULL,
	sha256 bytea NOT NULL,
	-- Its node had lost the project to another one: kept for its owner, never the project's present state.
	recovered boolean NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project_id, generation, sequence),
	CHECK ((parent_generation IS NULL) = (parent_sequence IS NULL))
);
CREATE INDEX checkpoints_by_object ON checkpoints (object_key);

-- Which checkpoint is a project's present state: moved forward only, and only by the owner of the generation.
CREATE TABLE durable_checkpoints (
	project_id uuid PRIMARY KEY,
	generation integer NOT NULL,
	sequence bigint NOT NULL,
	FOREIGN KEY (project_id, generation, sequence) REFERENCES checkpoints ON DELETE CASCADE
);
