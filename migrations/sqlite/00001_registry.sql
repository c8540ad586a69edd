-- +goose Up

CREATE TABLE areas (
    code    TEXT NOT NULL PRIMARY KEY, -- GB/T 2260
    parent  TEXT NOT NULL,             -- '' for the province
    level   TEXT NOT NULL,             -- province, prefecture, county
    name_zh TEXT NOT NULL,
    name_bo TEXT NOT NULL,
    name_en TEXT NOT NULL
) STRICT;

CREATE TABLE enterprises (
    id      TEXT NOT NULL PRIMARY KEY,
    name_zh TEXT NOT NULL,
    name_bo TEXT NOT NULL,
    name_en TEXT NOT NULL,
    area    TEXT NOT NULL,
    permit  TEXT NOT NULL,
    sample  INTEGER NOT NULL
) STRICT;

-- The number of an outlet is part of the keys of its series, for ever: it is
-- taken from counters and never given again.
CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

INSERT INTO counters (name, value) VALUES ('outlet', 0);

CREATE TABLE outlets (
    id                INTEGER NOT NULL PRIMARY KEY,
    enterprise        TEXT NOT NULL REFERENCES enterprises (id),
    name_zh           TEXT NOT NULL,
    name_bo           TEXT NOT NULL,
    name_en           TEXT NOT NULL,
    medium            TEXT NOT NULL, -- gas, water, surface
    source_type       TEXT NOT NULL,
    source_condition  TEXT NOT NULL,
    source_level      TEXT NOT NULL,
    area              TEXT NOT NULL,
    lon               REAL NOT NULL, -- WGS-84 degrees; 0, 0 = unknown
    lat               REAL NOT NULL,
    since             INTEGER, -- in service since
    sample            INTEGER NOT NULL,
    missing_flag_is_n INTEGER NOT NULL
) STRICT;

CREATE INDEX outlets_enterprise ON outlets (enterprise);

CREATE TABLE outlet_factors (
    outlet          INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    code            TEXT NOT NULL,
    unit            TEXT NOT NULL,
    range_lo        REAL,
    range_hi        REAL,
    detection_limit REAL,
    position        INTEGER NOT NULL,
    PRIMARY KEY (outlet, code)
) STRICT;

CREATE TABLE intervals (
    outlet   INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    from_at  INTEGER NOT NULL, -- 0 = since ever
    realtime INTEGER NOT NULL, -- seconds between real-time records, 0 = none expected
    minute   INTEGER NOT NULL, -- minutes in one minute record, 0 = none expected
    PRIMARY KEY (outlet, from_at)
) STRICT;

CREATE TABLE stops (
    outlet  INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    from_at INTEGER NOT NULL,
    to_at   INTEGER, -- NULL = until further notice
    reason  TEXT NOT NULL,
    by_id   TEXT NOT NULL,
    PRIMARY KEY (outlet, from_at)
) STRICT;

-- Limits of an outlet's own permit; those of the standards are rule files.
CREATE TABLE limits (
    id             TEXT NOT NULL,
    outlet         INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    standard       TEXT NOT NULL,
    effective_from TEXT NOT NULL, -- YYYY-MM-DD
    effective_to   TEXT NOT NULL, -- YYYY-MM-DD, inclusive; '' = open
    factor         TEXT NOT NULL,
    statistic      TEXT NOT NULL,
    op             TEXT NOT NULL,
    lo             REAL,
    hi             REAL,
    unit           TEXT NOT NULL,
    ref_o2         REAL,
    note           TEXT NOT NULL,
    certainty      TEXT NOT NULL,
    PRIMARY KEY (outlet, id)
) STRICT;

-- A row is the period in which one logger serves one outlet.
CREATE TABLE devices (
    id                TEXT NOT NULL PRIMARY KEY,
    mn                TEXT NOT NULL,
    outlet            INTEGER NOT NULL REFERENCES outlets (id),
    password          TEXT NOT NULL, -- of HJ 212, which sends it in clear: needed as it is to compare and to ask the logger
    networks          TEXT NOT NULL, -- CIDR prefixes, separated by spaces; '' = any
    sm4_keys          TEXT NOT NULL, -- hexadecimal, newest first, separated by spaces
    from_at           INTEGER NOT NULL, -- 0 = since ever
    to_at             INTEGER,          -- NULL = still serving
    accept_bad_crc    INTEGER NOT NULL,
    accept_bad_length INTEGER NOT NULL,
    adopted_by        TEXT NOT NULL,
    auto_adopted      INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX devices_serving_mn ON devices (mn) WHERE to_at IS NULL;
CREATE UNIQUE INDEX devices_serving_outlet ON devices (outlet) WHERE to_at IS NULL;
CREATE INDEX devices_outlet ON devices (outlet);

-- Who changed what, when. Rows are only added.
CREATE TABLE registry_log (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    at      INTEGER NOT NULL,
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL,
    action  TEXT NOT NULL, -- create, update, delete, adopt, unadopt, import, load
    kind    TEXT NOT NULL, -- area, enterprise, outlet, device, …
    ref     TEXT NOT NULL, -- the object's id
    old     TEXT,          -- JSON before; NULL when there was nothing
    new     TEXT           -- JSON after; NULL when nothing is left
) STRICT;

CREATE INDEX registry_log_ref ON registry_log (kind, ref, id);

-- +goose StatementBegin
CREATE TRIGGER registry_log_keep_update BEFORE UPDATE ON registry_log
BEGIN
    SELECT RAISE(ABORT, 'registry_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER registry_log_keep_delete BEFORE DELETE ON registry_log
BEGIN
    SELECT RAISE(ABORT, 'registry_log is append-only');
END;
-- +goose StatementEnd

CREATE TABLE users (
    id         TEXT NOT NULL PRIMARY KEY,
    login      TEXT NOT NULL UNIQUE, -- folded to lower case
    post_zh    TEXT NOT NULL,
    post_bo    TEXT NOT NULL,
    post_en    TEXT NOT NULL,
    role       TEXT NOT NULL, -- officer, enterprise, operator
    area       TEXT NOT NULL, -- '' = all
    enterprise TEXT NOT NULL, -- for the role enterprise
    password   TEXT NOT NULL, -- argon2id in PHC form
    sample     INTEGER NOT NULL,
    disabled   INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    hash       TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the cookie's value
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE api_tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE, -- SHA-256 of the token
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE INDEX api_tokens_user ON api_tokens (user_id);

-- +goose Down

DROP TABLE api_tokens;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE registry_log;
DROP TABLE devices;
DROP TABLE limits;
DROP TABLE stops;
DROP TABLE intervals;
DROP TABLE outlet_factors;
DROP TABLE outlets;
DROP TABLE counters;
DROP TABLE enterprises;
DROP TABLE areas;
