-- +goose Up

-- Marks in force of outlets ("1 + N"), part of the registry: what the judgement
-- looks at.
CREATE TABLE outlet_marks (
    outlet       BIGINT NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    number       TEXT NOT NULL,
    rule         TEXT NOT NULL,
    rule_version BIGINT NOT NULL,
    code         TEXT NOT NULL,
    mark_group   TEXT NOT NULL, -- device, operating, other
    effect       TEXT NOT NULL, -- invalid, exempt, stopped
    flag         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    quota        TEXT NOT NULL, -- rule; '' = none
    factors      TEXT NOT NULL, -- separated by spaces; '' = all
    from_at      BIGINT NOT NULL,
    to_at        BIGINT NOT NULL,
    PRIMARY KEY (outlet, number)
);

-- Corrections in force: a value in the place of that of whole hours of a factor.
CREATE TABLE outlet_corrections (
    outlet  BIGINT NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    number  TEXT NOT NULL,
    factor  TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    to_at   BIGINT NOT NULL,
    value   DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (outlet, number)
);

-- +goose Down

DROP TABLE outlet_corrections;
DROP TABLE outlet_marks;
