-- Where the edges of other nodes reach this node's, `address:port`; empty when they cannot.
ALTER TABLE nodes ADD COLUMN edge_address text NOT NULL DEFAULT '';
