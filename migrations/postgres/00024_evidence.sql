-- +goose Up

-- Files that are kept as evidence; the bytes are in the data folder.
CREATE TABLE evidence_files (
    sha256      TEXT NOT NULL PRIMARY KEY,
    size        BIGINT NOT NULL,
    mime        TEXT NOT NULL, -- by the bytes
    kind        TEXT NOT NULL, -- photo, video, audio, pdf, track, other
    width       BIGINT NOT NULL, -- of the picture as it is looked at; 0 = not known
    height      BIGINT NOT NULL,
    captured_at BIGINT, -- by the camera's clock
    added_at    BIGINT NOT NULL
);

-- Who brought which; two people may bring the same.
CREATE TABLE evidence_uploads (
    sha256 TEXT NOT NULL REFERENCES evidence_files (sha256),
    by_id  TEXT NOT NULL, -- account; '' = somebody without one
    name   TEXT NOT NULL, -- as it was given
    at     BIGINT NOT NULL,
    PRIMARY KEY (sha256, by_id)
);

CREATE INDEX evidence_uploads_by ON evidence_uploads (by_id);

-- What refers to a file: it is kept as long as anything does.
CREATE TABLE evidence_refs (
    sha256 TEXT NOT NULL REFERENCES evidence_files (sha256),
    kind   TEXT NOT NULL, -- case
    ref    TEXT NOT NULL,
    by_id  TEXT NOT NULL, -- account; '' = somebody without one
    name   TEXT NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (sha256, kind, ref)
);

CREATE INDEX evidence_refs_of ON evidence_refs (kind, ref);

-- +goose Down

DROP TABLE evidence_refs;
DROP TABLE evidence_uploads;
DROP TABLE evidence_files;
