-- +goose Up

-- What of a measuring point's build the judgement needs, from a day on.
CREATE TABLE setups (
    outlet     INTEGER NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    from_date  TEXT NOT NULL, -- YYYY-MM-DD
    area_m2    REAL,          -- cross-section of the duct; NULL = unknown
    kv         REAL,          -- velocity field coefficient
    ambient_pa REAL,          -- mean air pressure of the place
    wet        TEXT NOT NULL, -- factors measured in wet gas, separated by spaces
    profile    TEXT NOT NULL, -- rules of validity and substitution; '' = those in force
    PRIMARY KEY (outlet, from_date)
) STRICT;

-- +goose Down

DROP TABLE setups;
