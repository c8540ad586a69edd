-- +goose Up

-- Platforms that received frames go on to.
CREATE TABLE relay_targets (
    id            TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    name          TEXT NOT NULL,
    host          TEXT NOT NULL,
    port          BIGINT NOT NULL,
    tls           BIGINT NOT NULL,
    version       TEXT NOT NULL,    -- year of the protocol; '' = as the logger sent it
    ack           BIGINT NOT NULL, -- 1: every frame asks for its acknowledgement
    st            TEXT NOT NULL,    -- of all frames; '' = as the logger sent it
    pw            TEXT NOT NULL,    -- sealed; '' = as the logger sent it
    sm4_key       TEXT NOT NULL,    -- sealed; '' = not encrypted
    areas         TEXT NOT NULL,    -- area codes, with all below them
    enterprises   TEXT NOT NULL,    -- ids
    outlets       TEXT NOT NULL,    -- ids; all three '' = every outlet
    kinds         TEXT NOT NULL,    -- command numbers; '' = all
    from_at       BIGINT NOT NULL, -- where it began
    rate          BIGINT NOT NULL, -- thousandths of frames a second of the past
    window_frames BIGINT NOT NULL, -- that may wait for their acknowledgement
    sample        BIGINT NOT NULL,
    paused        BIGINT NOT NULL,
    held          TEXT NOT NULL,    -- why it was paused by itself; '' = by people
    edition       BIGINT NOT NULL, -- counts the changes
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    by_post       TEXT NOT NULL,
    progress      TEXT NOT NULL     -- JSON: how far it has come in the journal
);

-- In whose name the frames of a logger or outlet go on; '' = as the target has it.
CREATE TABLE relay_names (
    target  TEXT NOT NULL,
    of      TEXT NOT NULL, -- MN of the logger, or # and the outlet
    theirs  TEXT NOT NULL,
    st      TEXT NOT NULL,
    pw      TEXT NOT NULL, -- sealed
    sm4_key TEXT NOT NULL, -- sealed
    PRIMARY KEY (target, of)
);

-- Frames that a target did not take, by their place in the journal.
CREATE TABLE relay_refused (
    target     TEXT NOT NULL,
    seq        BIGINT NOT NULL,
    idx        BIGINT NOT NULL,
    mn         TEXT NOT NULL,
    outlet     BIGINT NOT NULL,
    cn         BIGINT NOT NULL,
    at         BIGINT NOT NULL, -- DataTime, Unix seconds; 0 = none
    received   BIGINT NOT NULL,
    reason     TEXT NOT NULL,
    tries      BIGINT NOT NULL,
    refused_at BIGINT NOT NULL,
    again      BIGINT NOT NULL, -- 1: to be sent again
    PRIMARY KEY (target, seq, idx)
);

CREATE INDEX relay_refused_again ON relay_refused (target, again, seq, idx);

-- How targets did, by the hour.
CREATE TABLE relay_hours (
    target  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    acked   BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    resent  BIGINT NOT NULL,
    behind  BIGINT NOT NULL, -- most frames that waited
    lag     BIGINT NOT NULL, -- microseconds the first of them had waited at most
    seen    BIGINT NOT NULL, -- minutes at work
    linked  BIGINT NOT NULL, -- minutes with a connection
    PRIMARY KEY (target, at)
);

-- +goose Down

DROP TABLE relay_hours;
DROP TABLE relay_refused;
DROP TABLE relay_names;
DROP TABLE relay_targets;
