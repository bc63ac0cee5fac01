-- Where the edges of other nodes reach this node's by TLS, at its edge_address; null when it does not speak TLS.
ALTER TABLE nodes ADD COLUMN edge_tls_port integer;
