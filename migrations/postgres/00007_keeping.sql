-- +goose Up

-- What each kind of data took on the disk, an hour apart for some days, then a
-- day apart.
CREATE TABLE keeping_samples (
    at    BIGINT NOT NULL, -- Unix seconds, a full hour
    kind  TEXT NOT NULL,    -- frames, series, judged, index, archive, database, sensorthings, reports, disk
    bytes BIGINT NOT NULL,
    PRIMARY KEY (at, kind)
);

-- +goose Down

DROP TABLE keeping_samples;
