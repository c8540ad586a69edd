-- +goose Up

-- Reports that are made in the background. The result is a file beside the
-- database; only its state is here.
CREATE TABLE report_jobs (
    id          TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    scope       TEXT NOT NULL,             -- outlet, enterprise, county, region
    ref         TEXT NOT NULL,             -- whose report: an id or an area code
    level       TEXT NOT NULL,             -- day, month, quarter, year
    period      TEXT NOT NULL,             -- 2026-11-23, 2026-11, 2026-Q4, 2026
    known       INTEGER NOT NULL,          -- as known then; 0 = as known now
    by_id       TEXT NOT NULL,
    by_post     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    state       TEXT NOT NULL,    -- waiting, running, done, failed, cancelled, expired
    done        INTEGER NOT NULL, -- outlets
    total       INTEGER NOT NULL,
    failure     TEXT NOT NULL,    -- catalogue key of the sentence; '' = none
    bytes       INTEGER NOT NULL  -- of the file
) STRICT;

CREATE UNIQUE INDEX report_jobs_one_each ON report_jobs (by_id) WHERE state IN ('waiting', 'running');
CREATE INDEX report_jobs_subject ON report_jobs (scope, ref, level, period, id);

-- What the posts on duty wrote and signed. Rows are only added.
CREATE TABLE handovers (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    shift   INTEGER NOT NULL,          -- start of the shift
    until   INTEGER NOT NULL,          -- its end
    action  TEXT NOT NULL,             -- note, give, take
    at      INTEGER NOT NULL,
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL,
    text    TEXT NOT NULL,
    facts   TEXT                       -- JSON of what was handed over; NULL but for give
) STRICT;

CREATE INDEX handovers_shift ON handovers (shift, id);
CREATE UNIQUE INDEX handovers_once ON handovers (shift, action) WHERE action IN ('give', 'take');

-- +goose StatementBegin
CREATE TRIGGER handovers_keep_update BEFORE UPDATE ON handovers
BEGIN
    SELECT RAISE(ABORT, 'handovers is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER handovers_keep_delete BEFORE DELETE ON handovers
BEGIN
    SELECT RAISE(ABORT, 'handovers is append-only');
END;
-- +goose StatementEnd

-- +goose Down

DROP TABLE handovers;
DROP TABLE report_jobs;
