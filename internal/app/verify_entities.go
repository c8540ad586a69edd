package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"plateau/internal/sensorthings/entitystore"
)

// VerifyEntities reads everything that SensorThings clients made on a server
// that is not running. Of o it takes the configuration; a folder that never had
// any has none.
func VerifyEntities(ctx context.Context, o Options) (r entitystore.Report, err error) {
	c, err := o.config()
	if err != nil {
		return r, err
	}
	dir := filepath.Join(c.Data, SensorThingsDir)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	s, err := entitystore.Open(dir, entitystore.Options{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Verify(ctx)
}
