-- +goose Up

-- What a person sees in the list of own sessions, and when the credential was
-- last given. A session of before counts as proved at its sign-in.
ALTER TABLE sessions ADD COLUMN id TEXT NOT NULL DEFAULT ''; -- shown; not the secret
ALTER TABLE sessions ADD COLUMN proved_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT ''; -- of the browser that signed in; goes with the session
ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT ''; -- its family

UPDATE sessions SET id = substr(hash, 1, 32), proved_at = created_at;

-- +goose Down

ALTER TABLE sessions DROP COLUMN browser;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN proved_at;
ALTER TABLE sessions DROP COLUMN id;
