package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/parquetexport"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// Export says what ExportParquet writes; the fields are those of
// parquetexport.Options.
type Export struct {
	To          string
	From, Until time.Time
	Kinds       []string
}

// Exported is what ExportParquet wrote, and whether the running server did it.
type Exported struct {
	parquetexport.Report
	Running bool
}

func (e *Export) query() url.Values {
	q := url.Values{"to": {e.To}, "kind": e.Kinds}
	for name, t := range map[string]time.Time{"from": e.From, "until": e.Until} {
		if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339))
		}
	}
	return q
}

func exportOf(q url.Values) (e Export, err error) {
	e = Export{To: q.Get("to"), Kinds: q["kind"]}
	for name, t := range map[string]*time.Time{"from": &e.From, "until": &e.Until} {
		if q.Has(name) {
			if *t, err = time.Parse(time.RFC3339, q.Get(name)); err != nil {
				return e, err
			}
		}
	}
	return e, nil
}

// write exports to a folder outside the data folder.
func (e *Export) write(ctx context.Context, data, version string, s *store.Store, reg *telemetry.Snapshot, judged *quality.Engine, progress func(done, total int64)) (parquetexport.Report, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return parquetexport.Report{}, err
	}
	if rel, err := filepath.Rel(data, e.To); err == nil && filepath.IsLocal(rel) {
		return parquetexport.Report{}, fmt.Errorf("%s is inside the data folder %s; name a folder outside, best on another disk", e.To, data)
	}
	return parquetexport.Write(ctx, parquetexport.Options{
		Store: s, Judged: judged, Registry: reg, To: e.To, From: e.From, Until: e.Until, Kinds: e.Kinds, Version: version, Progress: progress,
	})
}

func (a *App) orderParquet(ctx context.Context, q url.Values, progress func(done, total int64)) (any, error) {
	if !a.exports.TryLock() {
		return nil, errors.New("an export is being made already; wait for its end")
	}
	defer a.exports.Unlock()
	e, err := exportOf(q)
	if err != nil {
		return nil, err
	}
	r, err := e.write(ctx, a.c.Data, a.o.Version, a.store, a.registry.Snapshot(), a.engine, progress)
	return Exported{r, true}, err
}

// ExportParquet writes what was received and judged as Parquet files: the
// running server does it, or, when there is none, this process. Of o it takes
// the configuration and the version. progress (may be nil) gets months of
// outlets and tables.
func ExportParquet(ctx context.Context, o Options, e Export, progress func(done, total int64)) (out Exported, err error) {
	c, err := o.config()
	if err != nil {
		return out, err
	}
	if e.To, err = filepath.Abs(e.To); err != nil {
		return out, err
	}
	if _, err := os.Stat(filepath.Join(c.Data, TelemetryDir)); err != nil {
		return out, fmt.Errorf("%s holds no journal: %w", c.Data, err)
	}
	err = command(ctx, c.Data, "parquet", e.query(), &out, progress)
	if !errors.Is(err, errNoServer) {
		return out, err
	}
	err = judgement(ctx, &c, func(s *store.Store, reg *telemetry.Registry, judged *quality.Engine) error {
		out.Report, err = e.write(ctx, c.Data, o.Version, s, reg.Snapshot(), judged, progress)
		return err
	})
	return out, held(err, c.Data, "restore a backup to another folder and export that, or read /api/v1 as NDJSON")
}
