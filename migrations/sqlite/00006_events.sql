-- +goose Up

-- What happened, for programs that follow it. Rows are written in the
-- transaction of what they tell of, in the order of seq, and dropped when old.
CREATE TABLE events (
    seq    INTEGER NOT NULL PRIMARY KEY, -- the cursor: taken from event_marks under its lock, so its order is that of the commits
    id     TEXT NOT NULL,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,    -- alarm.raised, outlet.state, …
    outlet INTEGER NOT NULL, -- 0 = of no outlet
    body   TEXT NOT NULL     -- JSON: the event without its cursor
) STRICT;

CREATE UNIQUE INDEX events_id ON events (id);
CREATE INDEX events_at ON events (at);

-- Numbers of the events, by name: last (the last cursor given), dropped (the
-- last one that is no longer kept).
CREATE TABLE event_marks (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

INSERT INTO event_marks (name, value) VALUES ('last', 0), ('dropped', 0);

-- The state of each outlet that the last event about it told.
CREATE TABLE event_states (
    outlet INTEGER NOT NULL PRIMARY KEY,
    state  TEXT NOT NULL,
    factor TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT;

-- Who is told of events by a request to an address of theirs.
CREATE TABLE webhooks (
    id         TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    url        TEXT NOT NULL,
    kinds      TEXT NOT NULL,    -- separated by blanks; '' = all
    areas      TEXT NOT NULL,    -- area codes, with all below them; '' = all
    outlets    TEXT NOT NULL,    -- ids; '' = all
    note       TEXT NOT NULL,
    secret     TEXT NOT NULL,
    paused     INTEGER NOT NULL,
    next_seq   INTEGER NOT NULL, -- events up to here are delivered, left out or given up
    tries      INTEGER NOT NULL, -- of the event that is next
    first_try  INTEGER,          -- of that event
    next_try   INTEGER,          -- NULL = at once
    given_up   INTEGER NOT NULL, -- events that were given up since the last success
    version    INTEGER NOT NULL, -- counts the changes people made
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    by_post    TEXT NOT NULL
) STRICT;

-- The last deliveries of each, so that the page can show them.
CREATE TABLE webhook_log (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    webhook TEXT NOT NULL,
    event   TEXT NOT NULL,    -- id of the event; '' = a test
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    try     INTEGER NOT NULL,
    status  INTEGER NOT NULL, -- of the answer; 0 = there was none
    took    INTEGER NOT NULL, -- microseconds
    outcome TEXT NOT NULL,    -- done, retry, given_up
    fault   TEXT NOT NULL     -- what went wrong; '' = nothing
) STRICT;

CREATE INDEX webhook_log_webhook ON webhook_log (webhook, id);

-- +goose Down

DROP TABLE webhook_log;
DROP TABLE webhooks;
DROP TABLE event_states;
DROP TABLE event_marks;
DROP TABLE events;
