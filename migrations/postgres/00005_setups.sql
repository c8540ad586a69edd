-- +goose Up

-- What of a measuring point's build the judgement needs, from a day on.
CREATE TABLE setups (
    outlet     BIGINT NOT NULL REFERENCES outlets (id) ON DELETE CASCADE,
    from_date  TEXT NOT NULL,    -- YYYY-MM-DD
    area_m2    DOUBLE PRECISION, -- cross-section of the duct; NULL = unknown
    kv         DOUBLE PRECISION, -- velocity field coefficient
    ambient_pa DOUBLE PRECISION, -- mean air pressure of the place
    wet        TEXT NOT NULL,    -- factors measured in wet gas, separated by spaces
    profile    TEXT NOT NULL,    -- rules of validity and substitution; '' = those in force
    PRIMARY KEY (outlet, from_date)
);

-- +goose Down

DROP TABLE setups;
