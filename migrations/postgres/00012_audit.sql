-- +goose Up

-- The end of the chain of each process that writes.
CREATE TABLE audit_chains (
    id       TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    began_at BIGINT NOT NULL,
    seq      BIGINT NOT NULL, -- of the last entry
    head     TEXT NOT NULL     -- its hash
);

-- Who did what. Rows are only added; each hash covers the one before.
CREATE TABLE audit_entries (
    chain        TEXT NOT NULL REFERENCES audit_chains (id),
    seq          BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    who          TEXT NOT NULL, -- account id
    post         TEXT NOT NULL,
    on_behalf_of TEXT NOT NULL,
    system       TEXT NOT NULL,
    act          TEXT NOT NULL,
    kind         TEXT NOT NULL,
    ref          TEXT NOT NULL,
    subjects     TEXT NOT NULL, -- JSON, account ids
    commitment   TEXT NOT NULL, -- to address and detail, salted
    hash         TEXT NOT NULL,
    PRIMARY KEY (chain, seq)
);

CREATE INDEX audit_entries_at ON audit_entries (at);
CREATE INDEX audit_entries_ref ON audit_entries (kind, ref);
CREATE INDEX audit_entries_who ON audit_entries (who, at);

-- What may be erased without breaking the chain.
CREATE TABLE audit_details (
    chain   TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    salt    TEXT NOT NULL,
    address TEXT NOT NULL,
    detail  TEXT NOT NULL, -- JSON; '' = nothing
    PRIMARY KEY (chain, seq),
    FOREIGN KEY (chain, seq) REFERENCES audit_entries (chain, seq)
);

CREATE TABLE audit_subjects (
    subject TEXT NOT NULL, -- account id
    chain   TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    PRIMARY KEY (subject, chain, seq),
    FOREIGN KEY (chain, seq) REFERENCES audit_entries (chain, seq)
);

-- +goose StatementBegin
CREATE FUNCTION audit_entries_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_entries is append-only';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER audit_entries_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_keep();

-- +goose Down

DROP TABLE audit_subjects;
DROP TABLE audit_details;
DROP TABLE audit_entries;
DROP FUNCTION audit_entries_keep();
DROP TABLE audit_chains;
