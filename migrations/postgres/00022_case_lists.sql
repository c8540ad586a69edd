-- +goose Up

-- What lists of cases ask for, made from their events: see project.go of
-- internal/platform/casework. shape is how it was made; 0 = it has still to be.
ALTER TABLE cases ADD COLUMN due_order BIGINT NOT NULL DEFAULT 253402300799999999; -- due_at; the end of 9999 = not due
ALTER TABLE cases ADD COLUMN soon_at BIGINT; -- from when on it is due soon; NULL = not due
ALTER TABLE cases ADD COLUMN supervise BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN returned BIGINT NOT NULL DEFAULT 0; -- 1 = came back from a later state
ALTER TABLE cases ADD COLUMN step TEXT NOT NULL DEFAULT ''; -- kind, version and state
ALTER TABLE cases ADD COLUMN handler TEXT NOT NULL DEFAULT ''; -- organisation that last reported the work done
ALTER TABLE cases ADD COLUMN shape BIGINT NOT NULL DEFAULT 0;

-- The first two hold what decides who sees a case, so that lists need not look at
-- those they do not show.
DROP INDEX cases_updated;
DROP INDEX cases_open;
CREATE INDEX cases_updated ON cases (updated_at, id, system, area, reporter_id);
CREATE INDEX cases_due ON cases (open, due_order, id, system, area, reporter_id);
DROP INDEX cases_next;
CREATE INDEX cases_next ON cases (next_at, id);
CREATE INDEX cases_soon ON cases (open, soon_at);
CREATE INDEX cases_step ON cases (step, area);
CREATE INDEX cases_supervised ON cases (open, supervise) WHERE supervise > 0;
CREATE INDEX cases_returned ON cases (open, returned) WHERE returned = 1;
CREATE INDEX cases_shape ON cases (shape, id);

-- Organisations that must act on a case: the one that leads, and those beside it.
CREATE TABLE case_units (
    unit    TEXT NOT NULL,
    case_id TEXT NOT NULL REFERENCES cases (id),
    PRIMARY KEY (unit, case_id)
);

CREATE INDEX case_units_case ON case_units (case_id, unit);

-- What cases are found by: pairs and single characters of Chinese, syllables of
-- Tibetan, words of everything else, tracking numbers.
CREATE TABLE case_terms (
    term    TEXT NOT NULL,
    case_id TEXT NOT NULL REFERENCES cases (id),
    PRIMARY KEY (term, case_id)
);

-- Filters of lists that people keep under a name, each for themselves.
CREATE TABLE case_filters (
    id         TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES users (id),
    name       TEXT NOT NULL,
    query      TEXT NOT NULL, -- as the address of the list has it
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX case_filters_name ON case_filters (account_id, name);

-- When cases were opened, closed and opened again, and how long they took to a
-- state: what statistics count.
CREATE TABLE case_changes (
    case_id  TEXT NOT NULL REFERENCES cases (id),
    seq      BIGINT NOT NULL, -- of the event
    month    TEXT NOT NULL, -- YYYY-MM of Beijing time
    system   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    area     TEXT NOT NULL,
    to_state TEXT NOT NULL,
    what     BIGINT NOT NULL, -- 1 opened, 2 closed, 3 opened again, 0 none of these
    first    BIGINT NOT NULL, -- 1 = it had never been in the state
    hours    BIGINT NOT NULL, -- of the clock since it was opened
    days     BIGINT NOT NULL, -- working days since it was opened
    PRIMARY KEY (case_id, seq)
);

CREATE INDEX case_changes_month ON case_changes (month, system, kind, area, to_state, what, first, hours, days, case_id);

-- +goose Down

DROP TABLE case_changes;
DROP TABLE case_filters;
DROP TABLE case_terms;
DROP TABLE case_units;
DROP INDEX cases_shape;
DROP INDEX cases_returned;
DROP INDEX cases_supervised;
DROP INDEX cases_step;
DROP INDEX cases_soon;
DROP INDEX cases_next;
CREATE INDEX cases_next ON cases (next_at);
DROP INDEX cases_due;
DROP INDEX cases_updated;
ALTER TABLE cases DROP COLUMN shape;
ALTER TABLE cases DROP COLUMN handler;
ALTER TABLE cases DROP COLUMN step;
ALTER TABLE cases DROP COLUMN returned;
ALTER TABLE cases DROP COLUMN supervise;
ALTER TABLE cases DROP COLUMN soon_at;
ALTER TABLE cases DROP COLUMN due_order;
CREATE INDEX cases_open ON cases (open, due_at);
CREATE INDEX cases_updated ON cases (updated_at, id);
