-- +goose Up

-- An alarm is an episode. What is derived from the judged hours is replaced when
-- they change; what people said of it (acked_*, false_*) stays.
CREATE TABLE alarms (
    id              TEXT NOT NULL PRIMARY KEY,
    outlet          BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    factor          TEXT NOT NULL, -- '' = the whole outlet
    factors         TEXT NOT NULL, -- of a group, separated by blanks
    statistic       TEXT NOT NULL,
    severity        TEXT NOT NULL, -- act, warn
    start_at        BIGINT NOT NULL,
    opened_at       BIGINT NOT NULL,
    last_at         BIGINT NOT NULL, -- end of the last value
    end_at          BIGINT,          -- NULL = open
    n               BIGINT NOT NULL,
    blank           BIGINT NOT NULL,
    worst           DOUBLE PRECISION,
    worst_at        BIGINT,
    folded          BIGINT NOT NULL,
    times_over      DOUBLE PRECISION,
    limit_id        TEXT NOT NULL,
    limit_op        TEXT NOT NULL,
    limit_lo        DOUBLE PRECISION,
    limit_hi        DOUBLE PRECISION,
    limit_statistic TEXT NOT NULL,
    rule            TEXT NOT NULL,
    rule_version    BIGINT NOT NULL,
    cause           TEXT NOT NULL, -- JSON: key and arguments
    ended_by        TEXT NOT NULL,
    parent          TEXT NOT NULL, -- '' = stands for itself
    quiet           TEXT NOT NULL, -- why it was not raised; '' = it was
    flags           TEXT NOT NULL,
    stops           TEXT NOT NULL, -- JSON
    live            BIGINT NOT NULL,
    withdrawn_at    BIGINT,
    acked_at        BIGINT,
    acked_by        TEXT NOT NULL,
    acked_post      TEXT NOT NULL, -- JSON: the post's name by language
    acked_note      TEXT NOT NULL,
    false_at        BIGINT,
    false_by        TEXT NOT NULL,
    false_post      TEXT NOT NULL,
    false_note      TEXT NOT NULL
);

CREATE INDEX alarms_outlet ON alarms (outlet, last_at);
CREATE INDEX alarms_open ON alarms (start_at) WHERE end_at IS NULL;
CREATE INDEX alarms_last ON alarms (last_at);
CREATE INDEX alarms_parent ON alarms (parent);

-- What people did with alarms. Rows are only added.
CREATE TABLE alarm_log (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    alarm   TEXT NOT NULL,
    at      BIGINT NOT NULL,
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL, -- JSON: the post's name by language
    action  TEXT NOT NULL, -- ack, unack, false, unfalse
    note    TEXT NOT NULL
);

CREATE INDEX alarm_log_alarm ON alarm_log (alarm, id);

-- Times in which the program did not run: nobody is charged with them.
CREATE TABLE alarm_down (
    from_at BIGINT NOT NULL PRIMARY KEY,
    to_at   BIGINT NOT NULL
);

-- Marks of the alarm service, by name.
CREATE TABLE alarm_marks (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION alarm_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'alarm_log is append-only';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER alarm_log_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON alarm_log
    FOR EACH STATEMENT EXECUTE FUNCTION alarm_log_keep();

-- +goose Down

DROP TABLE alarm_marks;
DROP TABLE alarm_down;
DROP TABLE alarm_log;
DROP FUNCTION alarm_log_keep();
DROP TABLE alarms;
