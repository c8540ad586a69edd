-- +goose Up

-- How who reported a case without an account wants to be reached. Not among its events:
-- it is erased some time after the case ended, and they are not.
CREATE TABLE case_contacts (
    case_id  TEXT NOT NULL PRIMARY KEY REFERENCES cases (id),
    contact  TEXT NOT NULL,
    given_at INTEGER NOT NULL
) STRICT;

-- +goose Down

DROP TABLE case_contacts;
