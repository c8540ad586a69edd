-- +goose Up

-- Marks in force of outlets ("1 + N"), part of the registry: what the judgement
-- looks at.
CREATE TABLE outlet_marks (
    outlet       INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    number       TEXT NOT NULL,
    rule         TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    code         TEXT NOT NULL,
    mark_group   TEXT NOT NULL, -- device, operating, other
    effect       TEXT NOT NULL, -- invalid, exempt, stopped, none
    flag         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    quota        TEXT NOT NULL, -- rule; '' = none
    factors      TEXT NOT NULL, -- separated by spaces; '' = all
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL,
    PRIMARY KEY (outlet, number)
) STRICT;

-- Corrections in force: a value in the place of that of whole hours of a factor.
CREATE TABLE outlet_corrections (
    outlet  INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    number  TEXT NOT NULL,
    factor  TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL,
    value   REAL NOT NULL,
    PRIMARY KEY (outlet, number)
) STRICT;

-- Marks and corrections as people set them, and what became of them.
CREATE TABLE marks (
    number       TEXT NOT NULL PRIMARY KEY, -- M000012, K000013
    sort         TEXT NOT NULL, -- mark, correction
    outlet       INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    rule         TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    code         TEXT NOT NULL, -- '' of a correction
    factors      TEXT NOT NULL, -- separated by spaces; '' = all
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL,
    value        REAL, -- of a correction
    cause        TEXT NOT NULL,
    evidence     TEXT NOT NULL,
    state        TEXT NOT NULL,
    late         INTEGER NOT NULL,
    source       TEXT NOT NULL, -- enterprise, regulator
    author_id    TEXT NOT NULL,
    author_post  TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    submitted_at INTEGER,
    decided_at   INTEGER,
    document_due INTEGER, -- of a correction
    document_at  INTEGER
) STRICT;

CREATE INDEX marks_outlet ON marks (outlet, from_at);
CREATE INDEX marks_state ON marks (state, submitted_at);

-- What happened to them; rows are added only.
CREATE TABLE mark_events (
    number     TEXT NOT NULL REFERENCES marks (number) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    act        TEXT NOT NULL,
    from_state TEXT NOT NULL, -- '' = none
    to_state   TEXT NOT NULL,
    by_id      TEXT NOT NULL,
    by_post    TEXT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (number, seq)
) STRICT;

INSERT INTO counters (name, value) VALUES ('mark', 0);

-- +goose Down

DELETE FROM counters WHERE name = 'mark';
DROP TABLE mark_events;
DROP TABLE marks;
DROP TABLE outlet_corrections;
DROP TABLE outlet_marks;
