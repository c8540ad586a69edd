package app

import (
	"context"
	"errors"

	"plateau/internal/platform/db"
	"plateau/internal/platform/evidence"
)

// VerifyEvidence reads every file that came with a case and compares its bytes with
// its name; of o it takes the configuration. Nothing is written, and the server may
// run.
func VerifyEvidence(ctx context.Context, o Options) (r evidence.Checked, err error) {
	c, err := o.config()
	if err != nil {
		return r, err
	}
	d, err := db.OpenCurrent(ctx, c.DatabaseURL())
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return evidence.Check(ctx, d, c.Data)
}
