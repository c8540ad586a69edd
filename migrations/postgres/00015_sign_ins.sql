-- +goose Up

-- When each account last signed in is asked of the record.
CREATE INDEX audit_sign_ins ON audit_entries (ref, at) WHERE act = 'account.sign_in';

-- +goose Down

DROP INDEX audit_sign_ins;
