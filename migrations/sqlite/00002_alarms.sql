-- +goose Up

-- An alarm is an episode. What is derived from the judged hours is replaced when
-- they change; what people said of it (acked_*, false_*) stays.
CREATE TABLE alarms (
    id              TEXT NOT NULL PRIMARY KEY,
    outlet          INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    factor          TEXT NOT NULL, -- '' = the whole outlet
    factors         TEXT NOT NULL, -- of a group, separated by blanks
    statistic       TEXT NOT NULL,
    severity        TEXT NOT NULL, -- act, warn
    start_at        INTEGER NOT NULL,
    opened_at       INTEGER NOT NULL,
    last_at         INTEGER NOT NULL, -- end of the last value
    end_at          INTEGER,          -- NULL = open
    n               INTEGER NOT NULL,
    blank           INTEGER NOT NULL,
    worst           REAL,
    worst_at        INTEGER,
    folded          INTEGER NOT NULL,
    times_over      REAL,
    limit_id        TEXT NOT NULL,
    limit_op        TEXT NOT NULL,
    limit_lo        REAL,
    limit_hi        REAL,
    limit_statistic TEXT NOT NULL,
    rule            TEXT NOT NULL,
    rule_version    INTEGER NOT NULL,
    cause           TEXT NOT NULL, -- JSON: key and arguments
    ended_by        TEXT NOT NULL,
    parent          TEXT NOT NULL, -- '' = stands for itself
    quiet           TEXT NOT NULL, -- why it was not raised; '' = it was
    flags           TEXT NOT NULL,
    stops           TEXT NOT NULL, -- JSON
    live            INTEGER NOT NULL,
    withdrawn_at    INTEGER,
    acked_at        INTEGER,
    acked_by        TEXT NOT NULL,
    acked_post      TEXT NOT NULL, -- JSON: the post's name by language
    acked_note      TEXT NOT NULL,
    false_at        INTEGER,
    false_by        TEXT NOT NULL,
    false_post      TEXT NOT NULL,
    false_note      TEXT NOT NULL
) STRICT;

CREATE INDEX alarms_outlet ON alarms (outlet, last_at);
CREATE INDEX alarms_open ON alarms (start_at) WHERE end_at IS NULL;
CREATE INDEX alarms_last ON alarms (last_at);
CREATE INDEX alarms_parent ON alarms (parent);

-- What people did with alarms. Rows are only added.
CREATE TABLE alarm_log (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    alarm   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL, -- JSON: the post's name by language
    action  TEXT NOT NULL, -- ack, unack, false, unfalse
    note    TEXT NOT NULL
) STRICT;

CREATE INDEX alarm_log_alarm ON alarm_log (alarm, id);

-- Times in which the program did not run: nobody is charged with them.
CREATE TABLE alarm_down (
    from_at INTEGER NOT NULL PRIMARY KEY,
    to_at   INTEGER NOT NULL
) STRICT;

-- Marks of the alarm service, by name.
CREATE TABLE alarm_marks (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER alarm_log_keep_update BEFORE UPDATE ON alarm_log
BEGIN
    SELECT RAISE(ABORT, 'alarm_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER alarm_log_keep_delete BEFORE DELETE ON alarm_log
BEGIN
    SELECT RAISE(ABORT, 'alarm_log is append-only');
END;
-- +goose StatementEnd

-- +goose Down

DROP TABLE alarm_marks;
DROP TABLE alarm_down;
DROP TABLE alarm_log;
DROP TABLE alarms;
