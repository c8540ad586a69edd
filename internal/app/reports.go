package app

import (
	"context"
	"path/filepath"

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
		Rows: func(context.Context, string) (report.Rows, *telemetry.Snapshot, error) {
			return a.engine, a.registry.Snapshot(), nil
		},
	})
}
