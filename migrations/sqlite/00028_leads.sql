-- +goose Up

-- What a detector found in a month of an outlet, with its evidence. It is replaced
-- when the month is looked at again; what people said of it stays.
CREATE TABLE leads (
    id          TEXT NOT NULL PRIMARY KEY, -- of detector, outlet, month, factor and peer
    detector    TEXT NOT NULL,
    version     INTEGER NOT NULL, -- of the detector's rule
    hash        TEXT NOT NULL,    -- of the detector's rule
    outlet      INTEGER NOT NULL,
    month       TEXT NOT NULL,    -- YYYY-MM in Beijing time
    factor      TEXT NOT NULL,    -- '' = the whole outlet
    other       TEXT NOT NULL,    -- factor it was compared with; '' = none
    peer        INTEGER NOT NULL, -- outlet it was compared with; 0 = none
    from_at     INTEGER NOT NULL,
    to_at       INTEGER NOT NULL,
    score       REAL NOT NULL,
    figures     TEXT NOT NULL,    -- JSON
    spans       TEXT NOT NULL,    -- JSON
    found_at    INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL, -- of the evidence
    vanished_at INTEGER,          -- when it was no longer found; NULL = it is
    state       TEXT NOT NULL,    -- '' = nobody looked, looking, helpful, unhelpful
    state_at    INTEGER,
    case_id     TEXT NOT NULL,    -- opened from it; '' = none
    case_no     TEXT NOT NULL     -- its tracking number
) STRICT;

CREATE INDEX leads_outlet ON leads (outlet, month);
CREATE INDEX leads_detector ON leads (detector, state);

-- What people said of leads. Rows are only added.
CREATE TABLE lead_log (
    id      TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    lead    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    by_id   TEXT NOT NULL,
    by_post TEXT NOT NULL, -- JSON: the post's name by language
    action  TEXT NOT NULL, -- looking, helpful, unhelpful, case
    reason  TEXT NOT NULL, -- code; '' = none
    note    TEXT NOT NULL
) STRICT;

CREATE INDEX lead_log_lead ON lead_log (lead, id);

-- Months of outlets that were looked at.
CREATE TABLE lead_looks (
    outlet    INTEGER NOT NULL,
    month     TEXT NOT NULL,
    until_at  INTEGER NOT NULL, -- end of the last day that was in it
    looked_at INTEGER NOT NULL,
    hits      INTEGER NOT NULL,
    PRIMARY KEY (outlet, month)
) STRICT;

-- Leads that are left out of the list for a while, by whom and why.
CREATE TABLE lead_quiets (
    id       TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    detector TEXT NOT NULL,    -- '' = all
    outlet   INTEGER NOT NULL, -- 0 = all of the area
    area     TEXT NOT NULL,    -- of the outlet, or all of it where outlet is 0
    reason   TEXT NOT NULL,
    from_at  INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    ended_at INTEGER,          -- ended earlier by somebody
    by_id    TEXT NOT NULL,
    by_post  TEXT NOT NULL     -- JSON: the post's name by language
) STRICT;

CREATE INDEX lead_quiets_until ON lead_quiets (until_at);

-- +goose StatementBegin
CREATE TRIGGER lead_log_keep_update BEFORE UPDATE ON lead_log
BEGIN
    SELECT RAISE(ABORT, 'lead_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lead_log_keep_delete BEFORE DELETE ON lead_log
BEGIN
    SELECT RAISE(ABORT, 'lead_log is append-only');
END;
-- +goose StatementEnd

-- +goose Down

DROP TABLE lead_quiets;
DROP TABLE lead_looks;
DROP TABLE lead_log;
DROP TABLE leads;
