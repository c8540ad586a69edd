-- +goose Up

-- Alarms that have a case, or are to have one: one row for an episode, so that none has
-- two.
CREATE TABLE supervised (
    alarm       TEXT NOT NULL PRIMARY KEY, -- episode
    outlet      INTEGER NOT NULL,
    about       TEXT NOT NULL, -- kind, factor and statistic of the episode
    from_at     INTEGER NOT NULL, -- of the episode as it was last looked at
    to_at       INTEGER NOT NULL, -- end of its last value
    case_ref    TEXT NOT NULL, -- '' = to be opened
    inquiry_ref TEXT NOT NULL, -- case of the investigation; '' = none
    said        TEXT NOT NULL, -- what the case was last told of the episode
    look        INTEGER NOT NULL -- 1 = the episode or its case has changed since
) STRICT;

CREATE INDEX supervised_look ON supervised (look, alarm);
CREATE INDEX supervised_case ON supervised (case_ref);
CREATE INDEX supervised_outlet ON supervised (outlet, about);

-- 1 = the case was drawn by lot, and nobody has looked at it yet.
ALTER TABLE cases ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE cases DROP COLUMN drawn;
DROP TABLE supervised;
