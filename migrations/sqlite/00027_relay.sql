-- +goose Up

-- Platforms that received frames go on to.
CREATE TABLE relay_targets (
    id            TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    name          TEXT NOT NULL,
    host          TEXT NOT NULL,
    port          INTEGER NOT NULL,
    tls           INTEGER NOT NULL,
    version       TEXT NOT NULL,    -- year of the protocol; '' = as the logger sent it
    ack           INTEGER NOT NULL, -- 1: every frame asks for its acknowledgement
    st            TEXT NOT NULL,    -- of all frames; '' = as the logger sent it
    pw            TEXT NOT NULL,    -- sealed; '' = as the logger sent it
    sm4_key       TEXT NOT NULL,    -- sealed; '' = not encrypted
    areas         TEXT NOT NULL,    -- area codes, with all below them
    enterprises   TEXT NOT NULL,    -- ids
    outlets       TEXT NOT NULL,    -- ids; all three '' = every outlet
    kinds         TEXT NOT NULL,    -- command numbers; '' = all
    from_at       INTEGER NOT NULL, -- where it began
    rate          INTEGER NOT NULL, -- thousandths of frames a second of the past
    window_frames INTEGER NOT NULL, -- that may wait for their acknowledgement
    sample        INTEGER NOT NULL,
    paused        INTEGER NOT NULL,
    held          TEXT NOT NULL,    -- why it was paused by itself; '' = by people
    edition       INTEGER NOT NULL, -- counts the changes
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    by_post       TEXT NOT NULL,
    progress      TEXT NOT NULL     -- JSON: how far it has come in the journal
) STRICT;

-- In whose name the frames of a logger or outlet go on; '' = as the target has it.
CREATE TABLE relay_names (
    target  TEXT NOT NULL,
    of      TEXT NOT NULL, -- MN of the logger, or # and the outlet
    theirs  TEXT NOT NULL,
    st      TEXT NOT NULL,
    pw      TEXT NOT NULL, -- sealed
    sm4_key TEXT NOT NULL, -- sealed
    PRIMARY KEY (target, of)
) STRICT;

-- Frames that a target did not take, by their place in the journal.
CREATE TABLE relay_refused (
    target     TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    mn         TEXT NOT NULL,
    outlet     INTEGER NOT NULL,
    cn         INTEGER NOT NULL,
    at         INTEGER NOT NULL, -- DataTime, Unix seconds; 0 = none
    received   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    tries      INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    again      INTEGER NOT NULL, -- 1: to be sent again
    PRIMARY KEY (target, seq, idx)
) STRICT;

CREATE INDEX relay_refused_again ON relay_refused (target, again, seq, idx);

-- How targets did, by the hour.
CREATE TABLE relay_hours (
    target  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    acked   INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    resent  INTEGER NOT NULL,
    behind  INTEGER NOT NULL, -- most frames that waited
    lag     INTEGER NOT NULL, -- microseconds the first of them had waited at most
    seen    INTEGER NOT NULL, -- minutes at work
    linked  INTEGER NOT NULL, -- minutes with a connection
    PRIMARY KEY (target, at)
) STRICT;

-- +goose Down

DROP TABLE relay_hours;
DROP TABLE relay_refused;
DROP TABLE relay_names;
DROP TABLE relay_targets;
