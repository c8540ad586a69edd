-- +goose Up

-- What each kind of data took on the disk, an hour apart for some days, then a
-- day apart.
CREATE TABLE keeping_samples (
    at    INTEGER NOT NULL, -- Unix seconds, a full hour
    kind  TEXT NOT NULL,    -- frames, series, judged, index, archive, database, sensorthings, reports, disk
    bytes INTEGER NOT NULL,
    PRIMARY KEY (at, kind)
) STRICT;

-- +goose Down

DROP TABLE keeping_samples;
