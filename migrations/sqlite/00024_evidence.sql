-- +goose Up

-- Files that are kept as evidence; the bytes are in the data folder.
CREATE TABLE evidence_files (
    sha256      TEXT NOT NULL PRIMARY KEY,
    size        INTEGER NOT NULL,
    mime        TEXT NOT NULL, -- by the bytes
    kind        TEXT NOT NULL, -- photo, video, audio, pdf, track, other
    width       INTEGER NOT NULL, -- of the picture as it is looked at; 0 = not known
    height      INTEGER NOT NULL,
    captured_at INTEGER, -- by the camera's clock
    added_at    INTEGER NOT NULL
) STRICT;

-- Who brought which; two people may bring the same.
CREATE TABLE evidence_uploads (
    sha256 TEXT NOT NULL REFERENCES evidence_files (sha256),
    by_id  TEXT NOT NULL, -- account; '' = somebody without one
    name   TEXT NOT NULL, -- as it was given
    at     INTEGER NOT NULL,
    PRIMARY KEY (sha256, by_id)
) STRICT;

CREATE INDEX evidence_uploads_by ON evidence_uploads (by_id);

-- What refers to a file: it is kept as long as anything does.
CREATE TABLE evidence_refs (
    sha256 TEXT NOT NULL REFERENCES evidence_files (sha256),
    kind   TEXT NOT NULL, -- case
    ref    TEXT NOT NULL,
    by_id  TEXT NOT NULL, -- account; '' = somebody without one
    name   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (sha256, kind, ref)
) STRICT;

CREATE INDEX evidence_refs_of ON evidence_refs (kind, ref);

-- +goose Down

DROP TABLE evidence_refs;
DROP TABLE evidence_uploads;
DROP TABLE evidence_files;
