-- +goose Up

-- Whom an identity provider knows as the owner of an account.
CREATE TABLE identities (
    id         TEXT NOT NULL PRIMARY KEY, -- UUIDv7, for forms
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL, -- as the provider numbers people
    label      TEXT NOT NULL, -- as its owner is called there, to be recognised in the list
    created_at BIGINT NOT NULL,
    used_at    BIGINT,
    UNIQUE (issuer, subject),
    UNIQUE (user_id, issuer)
);

-- What a token is for, as words of the policy, and when it was last used. Tokens
-- of before keep what they had.
ALTER TABLE api_tokens ADD COLUMN scope TEXT NOT NULL DEFAULT ''; -- '' = all that the account may
ALTER TABLE api_tokens ADD COLUMN used_at BIGINT;

-- +goose Down

ALTER TABLE api_tokens DROP COLUMN used_at;
ALTER TABLE api_tokens DROP COLUMN scope;

DROP TABLE identities;
