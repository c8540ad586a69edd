package app

import (
	"context"
	"path/filepath"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/report"
	"plateau/internal/telemetry/reportjob"
	"plateau/rules"
)

// ReportsDir is the folder of reports made in the background, inside the data
// folder.
const ReportsDir = "reports"

func (a *App) reportJobs() (*reportjob.Service, error) {
	return reportjob.New(reportjob.Options{
		DB: a.db, Dir: filepath.Join(a.c.Data, ReportsDir), Registry: a.registry.Snapshot, Rules: rules.Default(), Now: a.now, Logger: a.log,
		Rows: func(ctx context.Context, known time.Time, outlets []*telemetry.Outlet) (report.Rows, []*telemetry.Outlet, error) {
			if known.IsZero() {
				return a.engine, outlets, nil
			}
			k, err := a.engine.AsKnown(known)
			if err != nil {
				return nil, nil, err
			}
			return report.AsKnown(ctx, k, outlets)
		},
	})
}
