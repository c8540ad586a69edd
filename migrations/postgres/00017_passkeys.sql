-- +goose Up

-- A key pair in a device of a person (WebAuthn): its public half.
CREATE TABLE passkeys (
    id           TEXT NOT NULL PRIMARY KEY, -- UUIDv7, for addresses and forms
    credential   TEXT NOT NULL UNIQUE,      -- id that the device gave it, base64url
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    rp_id        TEXT NOT NULL, -- name of the host it was made for
    label        TEXT NOT NULL, -- as its owner named it
    public_key   TEXT NOT NULL, -- COSE, base64
    transports   TEXT NOT NULL, -- how a browser reaches the device, separated by spaces
    sign_count   BIGINT NOT NULL, -- 0 = the device does not count
    backup       BIGINT NOT NULL, -- may be copied to other devices of the person; never changes
    created_at   BIGINT NOT NULL,
    used_at      BIGINT,
    blocked_at   BIGINT -- when the count went backwards, as that of a copy does
);

CREATE INDEX passkeys_user ON passkeys (user_id);

-- +goose Down

DROP TABLE passkeys;
