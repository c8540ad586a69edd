-- +goose Up

-- While the password of a logger is changed, and a while after, frames with
-- either of two are accepted.
ALTER TABLE devices ADD COLUMN password_other TEXT NOT NULL DEFAULT ''; -- '' = only one is accepted
ALTER TABLE devices ADD COLUMN password_since BIGINT NOT NULL DEFAULT 0; -- when the second came to be accepted

-- A command of the host and what came of it. Rows stay.
CREATE TABLE dialogues (
    id       TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    mn       TEXT NOT NULL,
    outlet   BIGINT NOT NULL, -- that the logger served then; 0 = none
    act      TEXT NOT NULL, -- what was asked, such as set_clock
    cn       BIGINT NOT NULL, -- command number
    params   TEXT NOT NULL, -- JSON, as asked, without secrets
    origin   TEXT NOT NULL, -- page, api, backfill, first_link, clock
    by_id    TEXT NOT NULL,
    by_post  TEXT NOT NULL,
    ask_key  TEXT, -- of an idempotent request; NULL = none
    started  BIGINT NOT NULL,
    ended    BIGINT, -- NULL = under way, or broken off by the end of the program
    outcome  TEXT NOT NULL, -- running, done, no_answer, …
    qn       TEXT NOT NULL, -- request number; '' = nothing was sent
    attempts BIGINT NOT NULL,
    qn_rtn   BIGINT NOT NULL, -- -1 = none
    exe_rtn  BIGINT NOT NULL, -- -1 = none
    frames   BIGINT NOT NULL, -- of data
    detail   TEXT NOT NULL -- JSON: steps and returned settings
);

CREATE INDEX dialogues_mn ON dialogues (mn, id);
CREATE UNIQUE INDEX dialogues_asked ON dialogues (by_id, ask_key) WHERE ask_key IS NOT NULL;

-- When the program ran and could store what it received.
CREATE TABLE platform_runs (
    from_at BIGINT NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL -- last sign of life
);

-- Records that were due and had not come after the grace time.
CREATE TABLE gaps (
    id        TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    outlet    BIGINT NOT NULL,
    mn        TEXT NOT NULL, -- logger that served then
    kind      BIGINT NOT NULL, -- 3 day, 5 minute, 6 hour
    from_at   BIGINT NOT NULL, -- start of the first record's period
    to_at     BIGINT NOT NULL, -- end of the last one's
    cause     TEXT NOT NULL, -- platform, link, logger, refused
    due       BIGINT NOT NULL, -- records expected in it
    missing   BIGINT NOT NULL, -- of these, not there now
    detected  BIGINT NOT NULL,
    changed   BIGINT NOT NULL,
    state     TEXT NOT NULL, -- open, closed, given_up
    how       TEXT NOT NULL, -- self, request, stop; no_data, unable, late, person; '' = open
    closed    BIGINT, -- NULL = open
    by_post   TEXT NOT NULL, -- of who gave it up
    reason    TEXT NOT NULL,
    requests  BIGINT NOT NULL, -- made so far
    fails     BIGINT NOT NULL, -- of these, without any gain, one after the other
    next_at   BIGINT NOT NULL -- no request before
);

CREATE INDEX gaps_outlet ON gaps (outlet, kind, from_at);
CREATE INDEX gaps_state ON gaps (state, from_at);
CREATE INDEX gaps_from ON gaps (from_at);

-- A request for the records of a gap.
CREATE TABLE gap_requests (
    gap      TEXT NOT NULL REFERENCES gaps (id),
    dialogue TEXT NOT NULL,
    at       BIGINT NOT NULL,
    ended    BIGINT NOT NULL,
    from_at  BIGINT NOT NULL, -- first and last DataTime asked for
    to_at    BIGINT NOT NULL,
    outcome  TEXT NOT NULL,
    gained   BIGINT NOT NULL, -- records that closed a part of the gap
    PRIMARY KEY (gap, dialogue)
);

-- Clock of a logger against ours, kept when it changed or a day has passed.
CREATE TABLE clock_offsets (
    mn     TEXT NOT NULL,
    at     BIGINT NOT NULL,
    offset_ms BIGINT NOT NULL, -- milliseconds, positive = fast
    PRIMARY KEY (mn, at)
);

-- +goose Down

DROP TABLE clock_offsets;
DROP TABLE gap_requests;
DROP TABLE gaps;
DROP TABLE platform_runs;
DROP TABLE dialogues;
ALTER TABLE devices DROP COLUMN password_since;
ALTER TABLE devices DROP COLUMN password_other;
