-- One row. Objects that were stored before belong to a database that is lost, or to a time before this table: that no row
-- of checkpoints names them says nothing. `rebuild-index` takes them in and sets it back to the beginning of time.
CREATE TABLE object_index (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	knows_since timestamptz(3) NOT NULL DEFAULT now()
);
INSERT INTO object_index DEFAULT VALUES;
