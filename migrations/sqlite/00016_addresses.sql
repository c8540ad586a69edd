-- +goose Up

-- An address is committed to apart from the detail, so that it alone can be
-- erased when its time is over. '' = of before: both are committed to as one.
ALTER TABLE audit_details ADD COLUMN address_salt TEXT NOT NULL DEFAULT ''; -- '' with an address_sum: the address was erased
ALTER TABLE audit_details ADD COLUMN address_sum TEXT NOT NULL DEFAULT ''; -- SHA-256 of salt and address

-- +goose Down

ALTER TABLE audit_details DROP COLUMN address_sum;
ALTER TABLE audit_details DROP COLUMN address_salt;
