-- +goose Up

-- A time-based code (RFC 6238) that signing in takes beside the password.
CREATE TABLE second_factors (
    user_id      TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       TEXT NOT NULL, -- encrypted by the key in the data folder
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT,          -- NULL = not in force yet
    last_step    BIGINT NOT NULL -- of the last code that was taken
);

CREATE TABLE recovery_codes (
    hash    TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the code
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    used_at BIGINT
);

CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

-- Who has the link sets the password of an account, once.
CREATE TABLE password_links (
    hash       TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the link's key
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX password_links_user ON password_links (user_id);

-- +goose Down

DROP TABLE password_links;
DROP TABLE recovery_codes;
DROP TABLE second_factors;
