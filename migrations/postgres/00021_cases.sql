-- +goose Up

-- Cases as their events make them. The columns are what lists ask for; body is the
-- whole of it.
CREATE TABLE cases (
    id           TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    tracking_no  TEXT NOT NULL,
    system       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    open         BIGINT NOT NULL,
    severity     BIGINT NOT NULL,
    category     TEXT NOT NULL, -- '' = none
    area         TEXT NOT NULL,
    owner_unit   TEXT NOT NULL, -- organisation that must act; '' = the office of the area
    assignee     TEXT NOT NULL, -- post; '' = any of the unit
    reporter_id  TEXT NOT NULL, -- account; '' = nobody who is known
    subject_kind TEXT NOT NULL,
    subject_ref  TEXT NOT NULL,
    due_at       BIGINT, -- of the deadline that ends first; NULL = none runs
    next_at      BIGINT, -- when the program has to look at it again; NULL = never
    events       BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    body         TEXT NOT NULL -- JSON
);

CREATE UNIQUE INDEX cases_tracking ON cases (tracking_no);
CREATE INDEX cases_updated ON cases (updated_at, id);
CREATE INDEX cases_open ON cases (open, due_at);
CREATE INDEX cases_next ON cases (next_at);
CREATE INDEX cases_unit ON cases (owner_unit, open);
CREATE INDEX cases_subject ON cases (subject_kind, subject_ref);
CREATE INDEX cases_reporter ON cases (reporter_id);

-- What was done on cases; rows are added only, and each holds the hash of the one
-- before in its case.
CREATE TABLE case_events (
    case_id      TEXT NOT NULL REFERENCES cases (id),
    seq          BIGINT NOT NULL,
    at           BIGINT NOT NULL, -- received, whole seconds
    occurred_at  BIGINT NOT NULL,
    actor        TEXT NOT NULL, -- user:ID, reporter, or service
    post         TEXT NOT NULL,
    on_behalf_of TEXT NOT NULL,
    action       TEXT NOT NULL,
    from_state   TEXT NOT NULL,
    to_state     TEXT NOT NULL,
    visibility   TEXT NOT NULL,
    payload      TEXT NOT NULL,
    request_key  TEXT NOT NULL, -- of who sent it; '' = none
    request_sum  TEXT NOT NULL, -- SHA-256 of the request
    prev         TEXT NOT NULL,
    hash         TEXT NOT NULL,
    PRIMARY KEY (case_id, seq)
);

CREATE UNIQUE INDEX case_events_requests ON case_events (actor, request_key) WHERE request_key <> '';

-- The key from which the PIN and the link of a case are made.
CREATE TABLE case_keys (
    id  BIGINT NOT NULL PRIMARY KEY, -- 1
    key TEXT NOT NULL
);

-- +goose Down

DROP TABLE case_keys;
DROP TABLE case_events;
DROP TABLE cases;
