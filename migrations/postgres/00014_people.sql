-- +goose Up

CREATE TABLE organisations (
    id         TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    kind       TEXT NOT NULL, -- authority, maintenance, enterprise, …
    code       TEXT NOT NULL, -- such as the unified social credit code; '' = none
    name_zh    TEXT NOT NULL,
    name_bo    TEXT NOT NULL,
    name_en    TEXT NOT NULL,
    area       TEXT NOT NULL,
    from_date  TEXT NOT NULL, -- YYYY-MM-DD; '' = since ever
    to_date    TEXT NOT NULL, -- last day; '' = open
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX organisations_code ON organisations (code) WHERE code <> '';

CREATE TABLE posts (
    id           TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    organisation TEXT NOT NULL REFERENCES organisations (id),
    kind         TEXT NOT NULL, -- of the policy's accounts
    area         TEXT NOT NULL, -- '' = all
    enterprise   TEXT NOT NULL, -- whose objects it is for, where the kind reaches by organisation
    title_zh     TEXT NOT NULL,
    title_bo     TEXT NOT NULL,
    title_en     TEXT NOT NULL,
    phone        TEXT NOT NULL, -- of the office
    several      BIGINT NOT NULL,   -- may have several holders at a time
    from_date    TEXT NOT NULL,
    to_date      TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE INDEX posts_organisation ON posts (organisation);

-- Who holds a post, from an instant to another. Rows are added; only the end is set.
CREATE TABLE appointments (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    post    TEXT NOT NULL REFERENCES posts (id),
    account TEXT NOT NULL REFERENCES users (id),
    from_at BIGINT NOT NULL,
    to_at   BIGINT, -- exclusive; NULL = open
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL,
    made_at BIGINT NOT NULL
);

CREATE INDEX appointments_post ON appointments (post, from_at);
CREATE INDEX appointments_account ON appointments (account, from_at);

-- Who may act in an appointment's post for its holder, until an instant.
CREATE TABLE delegations (
    id          TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    appointment TEXT NOT NULL REFERENCES appointments (id),
    account     TEXT NOT NULL REFERENCES users (id),
    from_at     BIGINT NOT NULL,
    to_at       BIGINT NOT NULL, -- exclusive
    made_at     BIGINT NOT NULL
);

CREATE INDEX delegations_appointment ON delegations (appointment);
CREATE INDEX delegations_account ON delegations (account, to_at);

-- The appointment or delegation that a session or a token acts in; '' = the first
-- appointment of its account, else the kind of the account.
ALTER TABLE sessions ADD COLUMN acting TEXT NOT NULL DEFAULT '';
ALTER TABLE api_tokens ADD COLUMN acting TEXT NOT NULL DEFAULT '';

-- +goose Down

ALTER TABLE api_tokens DROP COLUMN acting;
ALTER TABLE sessions DROP COLUMN acting;
DROP TABLE delegations;
DROP TABLE appointments;
DROP TABLE posts;
DROP TABLE organisations;
