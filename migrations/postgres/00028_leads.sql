-- +goose Up

-- What a detector found in a month of an outlet, with its evidence. It is replaced
-- when the month is looked at again; what people said of it stays.
CREATE TABLE leads (
    id          TEXT NOT NULL PRIMARY KEY, -- of detector, outlet, month, factor and peer
    detector    TEXT NOT NULL,
    version     BIGINT NOT NULL, -- of the detector's rule
    hash        TEXT NOT NULL,    -- of the detector's rule
    outlet      BIGINT NOT NULL,
    month       TEXT NOT NULL,    -- YYYY-MM in Beijing time
    factor      TEXT NOT NULL,    -- '' = the whole outlet
    other       TEXT NOT NULL,    -- factor it was compared with; '' = none
    peer        BIGINT NOT NULL, -- outlet it was compared with; 0 = none
    from_at     BIGINT NOT NULL,
    to_at       BIGINT NOT NULL,
    score       DOUBLE PRECISION NOT NULL,
    figures     TEXT NOT NULL,    -- JSON
    spans       TEXT NOT NULL,    -- JSON
    found_at    BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL, -- of the evidence
    vanished_at BIGINT,          -- when it was no longer found; NULL = it is
    state       TEXT NOT NULL,    -- '' = nobody looked, looking, helpful, unhelpful
    state_at    BIGINT,
    case_id     TEXT NOT NULL,    -- opened from it; '' = none
    case_no     TEXT NOT NULL     -- its tracking number
);

CREATE INDEX leads_outlet ON leads (outlet, month);
CREATE INDEX leads_detector ON leads (detector, state);

-- What people said of leads. Rows are only added.
CREATE TABLE lead_log (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    lead    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL, -- JSON: the post's name by language
    action  TEXT NOT NULL, -- looking, helpful, unhelpful, case
    reason  TEXT NOT NULL, -- code; '' = none
    note    TEXT NOT NULL
);

CREATE INDEX lead_log_lead ON lead_log (lead, id);

-- Months of outlets that were looked at.
CREATE TABLE lead_looks (
    outlet    BIGINT NOT NULL,
    month     TEXT NOT NULL,
    until_at  BIGINT NOT NULL, -- end of the last day that was in it
    looked_at BIGINT NOT NULL,
    hits      BIGINT NOT NULL,
    PRIMARY KEY (outlet, month)
);

-- Leads that are left out of the list for a while, by whom and why.
CREATE TABLE lead_quiets (
    id       TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    detector TEXT NOT NULL,    -- '' = all
    outlet   BIGINT NOT NULL, -- 0 = all of the area
    area     TEXT NOT NULL,    -- of the outlet, or all of it where outlet is 0
    reason   TEXT NOT NULL,
    from_at  BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    ended_at BIGINT,          -- ended earlier by somebody
    by_id    TEXT NOT NULL,
    by_post  TEXT NOT NULL     -- JSON: the post's name by language
);

CREATE INDEX lead_quiets_until ON lead_quiets (until_at);

-- +goose StatementBegin
CREATE FUNCTION lead_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lead_log is append-only';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER lead_log_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON lead_log
    FOR EACH STATEMENT EXECUTE FUNCTION lead_log_keep();

-- +goose Down

DROP TABLE lead_quiets;
DROP TABLE lead_looks;
DROP TABLE lead_log;
DROP FUNCTION lead_log_keep();
DROP TABLE leads;
