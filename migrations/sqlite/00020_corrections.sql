-- +goose Up

-- What people ask to have put right of what is held on them, and the answers.
CREATE TABLE corrections (
    id          TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    asked_at    INTEGER NOT NULL,
    text        TEXT NOT NULL,
    answered_at INTEGER, -- NULL = open
    by_id       TEXT NOT NULL, -- '' = nobody yet
    by_post     TEXT NOT NULL,
    answer      TEXT NOT NULL
) STRICT;

CREATE INDEX corrections_user ON corrections (user_id);
CREATE INDEX corrections_open ON corrections (answered_at);

-- +goose Down

DROP TABLE corrections;
