-- +goose Up

-- What somebody was told: a row for each recipient, written in the transaction
-- of what it tells of.
CREATE TABLE notifications (
    id           TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,    -- of what caused it: the same is told once
    kind         TEXT NOT NULL,
    at           INTEGER NOT NULL,
    urgent       INTEGER NOT NULL,
    path         TEXT NOT NULL,    -- of the page about it, below a language
    text         TEXT NOT NULL,    -- JSON: key of the catalogue and its words
    area         TEXT NOT NULL,    -- of what it is about
    organisation TEXT NOT NULL,
    page         INTEGER NOT NULL, -- 1 = stands in the list of the recipient
    read_at      INTEGER
) STRICT;

CREATE UNIQUE INDEX notifications_once ON notifications (user_id, key);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL AND page = 1;
CREATE INDEX notifications_user ON notifications (user_id, id);
CREATE INDEX notifications_path ON notifications (user_id, path);
CREATE INDEX notifications_at ON notifications (at);

-- What goes out over a channel: one mail, one request, one short message.
CREATE TABLE notify_deliveries (
    id         TEXT NOT NULL PRIMARY KEY, -- UUIDv7; by it a receiver recognises a repeat
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel    TEXT NOT NULL,
    batch      TEXT NOT NULL,    -- what goes out together
    purpose    TEXT NOT NULL,    -- told, code, test
    state      TEXT NOT NULL,    -- waiting, sent, failed, given_up
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL, -- not sent before
    next_try   INTEGER NOT NULL, -- nor before this: the next try, or the end of the lease
    lease      TEXT NOT NULL,    -- who tries it now; '' = nobody
    items      INTEGER NOT NULL,
    tries      INTEGER NOT NULL,
    first_try  INTEGER,
    ended_at   INTEGER,
    status     INTEGER NOT NULL, -- of the last answer; 0 = there was none
    fault      TEXT NOT NULL     -- of the last try, without the address
) STRICT;

CREATE UNIQUE INDEX notify_deliveries_batch ON notify_deliveries (user_id, channel, batch);
CREATE INDEX notify_deliveries_waiting ON notify_deliveries (due_at) WHERE state = 'waiting';

CREATE TABLE notify_items (
    delivery     TEXT NOT NULL REFERENCES notify_deliveries (id) ON DELETE CASCADE,
    notification TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    PRIMARY KEY (delivery, notification)
) STRICT;

CREATE INDEX notify_items_notification ON notify_items (notification);

-- How somebody wants to be told. Who has no row is told in Chinese, at any hour.
CREATE TABLE notify_settings (
    user_id    TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    lang       TEXT NOT NULL,
    quiet_from INTEGER,          -- minutes from midnight; NULL = no quiet hours
    quiet_to   INTEGER,
    breaks     INTEGER NOT NULL, -- 1 = what is urgent is told in quiet hours, too
    digest_at  INTEGER NOT NULL  -- minutes from midnight
) STRICT;

CREATE TABLE notify_choices (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    channel TEXT NOT NULL,
    mode    TEXT NOT NULL, -- off, now, digest
    PRIMARY KEY (user_id, kind, channel)
) STRICT;

-- Personal: kept to tell their owner what the owner has chosen, for nothing else.
CREATE TABLE notify_addresses (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel      TEXT NOT NULL,
    address      TEXT NOT NULL,
    secret       TEXT NOT NULL,    -- signs requests of webhooks
    code         TEXT NOT NULL,    -- confirms the address; '' = none is open
    code_until   INTEGER,
    code_tries   INTEGER NOT NULL,
    confirmed_at INTEGER,
    PRIMARY KEY (user_id, channel)
) STRICT;

-- Alarms of which it is told again when nobody has taken note of them by then.
CREATE TABLE alarm_reminders (
    alarm  TEXT NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX alarm_reminders_due ON alarm_reminders (due_at);

-- +goose Down

DROP TABLE alarm_reminders;
DROP TABLE notify_addresses;
DROP TABLE notify_choices;
DROP TABLE notify_settings;
DROP TABLE notify_items;
DROP TABLE notify_deliveries;
DROP TABLE notifications;
