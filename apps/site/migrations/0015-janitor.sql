-- One row: when the janitor looked last, and for how long it has looked by now without a gap. What is old by the clock is
-- removed for good only after a day of looks: docs/decisions/0028-clocks-that-jump.md.
CREATE TABLE janitor_looks (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	looked_at timestamptz NOT NULL DEFAULT now(),
	seen interval NOT NULL
);
-- Where nothing is yet, nothing can be lost. What is there already was last looked at nobody knows when.
INSERT INTO janitor_looks (seen)
	SELECT CASE WHEN EXISTS (SELECT FROM projects) THEN interval '0' ELSE interval '1 day' END;
