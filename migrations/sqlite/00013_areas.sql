-- +goose Up

-- From when to when a code is in force, and which codes it stands in for. The row
-- of a code is its last version.
ALTER TABLE areas ADD COLUMN effective_from TEXT NOT NULL DEFAULT ''; -- YYYY-MM-DD; '' = since ever
ALTER TABLE areas ADD COLUMN effective_to TEXT NOT NULL DEFAULT '';   -- last day; '' = open
ALTER TABLE areas ADD COLUMN replaces TEXT NOT NULL DEFAULT '';       -- codes, separated by spaces

-- What a code stood for before its last version.
CREATE TABLE area_past (
    code           TEXT NOT NULL,
    effective_from TEXT NOT NULL,
    effective_to   TEXT NOT NULL,
    parent         TEXT NOT NULL,
    level          TEXT NOT NULL,
    name_zh        TEXT NOT NULL,
    name_bo        TEXT NOT NULL,
    name_en        TEXT NOT NULL,
    replaces       TEXT NOT NULL,
    PRIMARY KEY (code, effective_from)
) STRICT;

-- +goose Down

DROP TABLE area_past;
ALTER TABLE areas DROP COLUMN replaces;
ALTER TABLE areas DROP COLUMN effective_to;
ALTER TABLE areas DROP COLUMN effective_from;
