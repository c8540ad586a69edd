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
    effect       TEXT NOT NULL, -- invalid, exempt, stopped
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

-- +goose Down

DROP TABLE outlet_corrections;
DROP TABLE outlet_marks;
