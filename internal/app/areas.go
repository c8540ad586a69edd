package app

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
)

// AreasOrder is what a command asks about administrative divisions. Which fields
// count depends on Act:
//
//	list    Under, Day: those in force on the day, in an area or everywhere
//	export  all versions as CSV
//	import  CSV, DryRun
type AreasOrder struct {
	Act    string
	Under  string // code; "" = everywhere
	Day    string // YYYY-MM-DD; "" = today
	CSV    string
	DryRun bool
}

// AreasAnswer is what came of it.
type AreasAnswer struct {
	Areas  []telemetry.Area
	CSV    string
	Report AreasReport
}

// AreasReport tells what an import of areas did or would do, in words.
type AreasReport struct {
	Rows, Added, Changed, Same int
	Applied                    bool
	News                       []telemetry.AreaNews
	Faults                     []string // row, column and what to do
	More                       int      // faults beyond those
}

func (o *AreasOrder) query() url.Values {
	return url.Values{"act": {o.Act}, "under": {o.Under}, "day": {o.Day}, "csv": {o.CSV}, "dry_run": {strconv.FormatBool(o.DryRun)}}
}

func (a *App) orderAreas(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	o := AreasOrder{Act: q.Get("act"), Under: q.Get("under"), Day: q.Get("day"), CSV: q.Get("csv"), DryRun: q.Get("dry_run") == "true"}
	return o.do(ctx, a.registry, a.now())
}

// Areas lists, imports or exports administrative divisions: the running server
// does it, or, when there is none, this process. Of o it takes the configuration.
func Areas(ctx context.Context, o Options, order AreasOrder) (out AreasAnswer, err error) {
	err = ordered(ctx, &o, "areas", "registry", order.query(), &out, func(ctx context.Context, _ *config.Config, d *db.DB, now func() time.Time) error {
		r, err := telemetry.Open(ctx, d, now)
		if err != nil {
			return err
		}
		defer r.Close()
		out, err = order.do(ctx, r, now())
		return err
	})
	return out, err
}

// do carries an order out. Errors are worded in English: a shell reads them.
func (o *AreasOrder) do(ctx context.Context, r *telemetry.Registry, now time.Time) (out AreasAnswer, err error) {
	defer func() { err = worded(err) }()
	s := r.Snapshot()
	switch o.Act {
	case "list":
		day := o.Day
		if day == "" {
			day = telemetry.Day(now)
		}
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return out, fmt.Errorf("%q is no day; write it as 2026-11-23", day)
		}
		if o.Under != "" && s.Areas[o.Under] == nil {
			return out, fmt.Errorf("there is no area %q; \"plateau area list\" shows them", o.Under)
		}
		out.Areas = s.AreasOn(day, o.Under)
		return out, nil
	case "export":
		var b strings.Builder
		err := s.Export(&b, telemetry.AreaTable, nil, nil)
		out.CSV = b.String()
		return out, err
	case "import":
		rep, err := r.Import(ctx, telemetry.AreaTable, strings.NewReader(o.CSV), o.DryRun, auth.System)
		out.Report = AreasReport{Rows: rep.Rows, Added: rep.Added, Changed: rep.Changed, Same: rep.Same, Applied: rep.Applied, News: rep.Areas, More: rep.More}
		l := i18n.Default().For(i18n.En)
		for _, f := range rep.Faults {
			out.Report.Faults = append(out.Report.Faults, strings.TrimSpace(fmt.Sprintf("row %d %s", f.Row, f.Column))+": "+l.T(f.Key, f.Args...))
		}
		return out, err
	}
	return out, errs.New(errs.Malformed, "")
}
