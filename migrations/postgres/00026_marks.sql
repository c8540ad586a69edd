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
    effect       TEXT NOT NULL, -- invalid, exempt, stopped, none
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

-- Marks and corrections as people set them, and what became of them.
CREATE TABLE marks (
    number       TEXT NOT NULL PRIMARY KEY, -- M000012, K000013
    sort         TEXT NOT NULL, -- mark, correction
    outlet       BIGINT NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    rule         TEXT NOT NULL,
    rule_version BIGINT NOT NULL,
    code         TEXT NOT NULL, -- '' of a correction
    factors      TEXT NOT NULL, -- separated by spaces; '' = all
    from_at      BIGINT NOT NULL,
    to_at        BIGINT NOT NULL,
    value        DOUBLE PRECISION, -- of a correction
    cause        TEXT NOT NULL,
    evidence     TEXT NOT NULL,
    state        TEXT NOT NULL,
    late         BIGINT NOT NULL,
    source       TEXT NOT NULL, -- enterprise, regulator
    author_id    TEXT NOT NULL,
    author_post  TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    submitted_at BIGINT,
    decided_at   BIGINT,
    document_due BIGINT, -- of a correction
    document_at  BIGINT
);

CREATE INDEX marks_outlet ON marks (outlet, from_at);
CREATE INDEX marks_state ON marks (state, submitted_at);

-- What happened to them; rows are added only.
CREATE TABLE mark_events (
    number     TEXT NOT NULL REFERENCES marks (number) ON DELETE CASCADE,
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    act        TEXT NOT NULL,
    from_state TEXT NOT NULL, -- '' = none
    to_state   TEXT NOT NULL,
    by_id      TEXT NOT NULL,
    by_post    TEXT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (number, seq)
);

INSERT INTO counters (name, value) VALUES ('mark', 0);

-- +goose Down

DELETE FROM counters WHERE name = 'mark';
DROP TABLE mark_events;
DROP TABLE marks;
DROP TABLE outlet_corrections;
DROP TABLE outlet_marks;
