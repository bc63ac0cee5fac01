-- Accounts: the first five tables are written by better-auth, under the names that src/auth/auth.ts gives it.
CREATE TABLE users (
	id text PRIMARY KEY,
	name text NOT NULL,
	email text NOT NULL UNIQUE,
	email_verified boolean NOT NULL DEFAULT false,
	image text,
	role text NOT NULL DEFAULT 'user' CHECK (role IN ('admin', 'user')),
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	updated_at timestamptz(3) NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
	id text PRIMARY KEY,
	user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
	token text NOT NULL UNIQUE,
	expires_at timestamptz(3) NOT NULL,
	ip_address text,
	user_agent text,
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	updated_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE accounts (
	id text PRIMARY KEY,
	user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
	account_id text NOT NULL,
	provider_id text NOT NULL,
	access_token text,
	refresh_token text,
	id_token text,
	access_token_expires_at timestamptz(3),
	refresh_token_expires_at timestamptz(3),
	scope text,
	password text,
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	updated_at timestamptz(3) NOT NULL DEFAULT now(),
	UNIQUE (provider_id, account_id)
);
CREATE INDEX accounts_user_id ON accounts (user_id);

CREATE TABLE verifications (
	id text PRIMARY KEY,
	identifier text NOT NULL,
	value text NOT NULL,
	expires_at timestamptz(3) NOT NULL,
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	updated_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX verifications_identifier ON verifications (identifier);

CREATE TABLE rate_limits (
	id text PRIMARY KEY,
	key text NOT NULL UNIQUE,
	count integer NOT NULL,
	-- Milliseconds since 1970.
	last_request bigint NOT NULL
);

-- Secrets below are kept as SHA-256 digests: who reads the database cannot use them.
CREATE TABLE personal_tokens (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
	name text NOT NULL,
	digest bytea NOT NULL UNIQUE,
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	last_used_at timestamptz(3)
);
CREATE INDEX personal_tokens_user_id ON personal_tokens (user_id);

CREATE TABLE operator_links (
	digest bytea PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('first-administrator', 'sign-in')),
	created_at timestamptz(3) NOT NULL DEFAULT now(),
	expires_at timestamptz(3) NOT NULL,
	used_at timestamptz(3)
);

-- One row.
CREATE TABLE settings (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	registration text NOT NULL CHECK (registration IN ('open', 'closed'))
);
