package supervise

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
)

// nobody is who opens a case where no person does.
var nobody = auth.System

// open opens the case of an episode in the name of somebody, with what a message must
// contain (section 10) in its form.
func (s *Service) open(ctx context.Context, tx *db.Tx, alarms Alarms, e *alarm.Episode, note string, files []string, by auth.Principal) (*casework.Case, error) {
	snap := s.o.Registry.Snapshot()
	o := snap.Outlets[e.Outlet]
	if o == nil {
		return nil, fmt.Errorf("outlet %d of the alarm is not in the registry", e.Outlet)
	}
	form, title, err := s.message(ctx, alarms, snap, o, e)
	if err != nil {
		return nil, err
	}
	if note != "" {
		form["note"] = note
	}
	c, err := s.o.Cases.OpenIn(ctx, tx, casework.Opening{
		Kind: Supervision, Action: "dispatch", Title: title, Lang: string(i18n.Zh), Source: "alarm", Subject: casework.Subject{Kind: Subject, ID: e.ID}, Unit: o.Enterprise,
		Location: location(snap, o),
	}, casework.Input{Form: form, Attachments: files}, by)
	if err != nil {
		return nil, fmt.Errorf("open a case: %w", err)
	}
	return c, nil
}

func location(snap *telemetry.Snapshot, o *telemetry.Outlet) casework.Location {
	return casework.Location{Area: snap.Present(o.Area), Lat: o.Lat, Lon: o.Lon}
}

// message is what a message about an episode has to contain, in Chinese, and the title
// of its case.
func (s *Service) message(ctx context.Context, alarms Alarms, snap *telemetry.Snapshot, o *telemetry.Outlet, e *alarm.Episode) (form map[string]string, title string, err error) {
	l := i18n.Default().For(i18n.Zh)
	outlet, _ := figures.OutletName(l, snap, o)
	factor := Factor(l, e)
	n, _, err := alarm.DaysOver(ctx, alarms, s.o.Rules, e, s.o.Now())
	if err != nil {
		return nil, "", err
	}
	statistic := l.T("statistic." + cmp.Or(e.Statistic, quality.LevelHour))
	if e.Folded {
		statistic = l.T("level." + e.Statistic + "_folded")
	}
	form = map[string]string{
		"outlet": bounded(outlet, 200), "factor": bounded(factor, 100), "statistic": bounded(statistic, 100),
		"value": plain(figures.Beside(e.Max, e.Factor, e.Limit)), "limit": number(limit(e)), "days_over": strconv.Itoa(n),
		"link": bounded(strings.TrimSuffix(s.o.BaseURL, "/")+"/"+string(i18n.Zh)+"/alarms/"+e.ID, 400),
	}
	if e.Times.OK {
		form["times_over"] = strconv.FormatFloat(e.Times.V, 'f', 2, 64)
	}
	return form, bounded(l.T("alarm.one", "kind", l.T("alarm.kind."+string(e.Kind)), "factor", factor)+"："+outlet, 200), nil
}

// limit is the bound that the worst value broke.
func limit(e *alarm.Episode) float64 {
	if figures.Below(e.Max, e.Limit) || !e.Limit.Hi.OK {
		return e.Limit.Lo.V
	}
	return e.Limit.Hi.V
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// plain is a figure without the marks between its thousands.
func plain(s string) string { return strings.ReplaceAll(s, ",", "") }

func bounded(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// Factor names the factors of an episode; one that the table of factors does not have
// is its code.
func Factor(l *i18n.Localizer, e *alarm.Episode) string {
	codes := e.Factors
	if e.Factor != "" {
		codes = []string{e.Factor}
	}
	var names []string
	for _, code := range codes {
		name := figures.Symbol(code)
		if name == "" {
			if key := "factor." + code; l.Has(key) {
				name = l.T(key)
			} else if f, ok := hj212.LookupFactor(code); ok {
				name = f.NameZh
			}
		}
		names = append(names, cmp.Or(name, code))
	}
	return strings.Join(names, l.T("alarm.and"))
}

// after opens an investigation when the county found what the rule names: a real
// excess.
func (s *Service) after(ctx context.Context, tx *db.Tx, r *row) error {
	if r.Case == "" || r.Inquiry != "" {
		return nil
	}
	c, err := s.o.Cases.In(ctx, tx, r.Case)
	if err != nil {
		return err
	}
	if c.State != "verified" && c.State != "closed" {
		return nil
	}
	events, err := s.o.Cases.EventsIn(ctx, tx, r.Case)
	if err != nil {
		return err
	}
	finding := ""
	for i := range events {
		if events[i].Action == "accept" {
			finding = events[i].Body.Form["finding"]
		}
	}
	rule, err := readClasses(s.o.Rules, c.Created)
	if err != nil || !slices.Contains(rule.after, finding) {
		return err
	}
	l := i18n.Default().For(i18n.Zh)
	_, err = s.investigate(ctx, tx, r, c, l.T("supervise.reason", "number", casework.Written(c.TrackingNo), "title", c.Title), nobody)
	return err
}

// investigate opens the investigation that follows a supervision.
func (s *Service) investigate(ctx context.Context, tx *db.Tx, r *row, c *casework.Case, reason string, by auth.Principal) (*casework.Case, error) {
	// Of several alarms with one case each knows of the one investigation.
	list, err := read(ctx, tx, `case_ref = $1 AND inquiry_ref <> ''`, c.ID)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		r.Inquiry = list[0].Inquiry
		return nil, errIf(by.ID != nobody.ID, errs.New(errs.Conflict, "err.supervise.inquiry"))
	}
	x, err := s.o.Cases.OpenIn(ctx, tx, casework.Opening{
		Kind: Investigation, Action: "open", Title: bounded(i18n.Default().For(i18n.Zh).T("supervise.inquiry_title", "title", c.Title), 200), Lang: string(i18n.Zh), Source: "alarm",
		Subject: c.Subject, Parent: c.ID, Location: c.Location,
	}, casework.Input{Form: map[string]string{"reason": reason}}, by)
	if err != nil {
		return nil, fmt.Errorf("open an investigation: %w", err)
	}
	r.Inquiry = x.ID
	_, err = tx.Exec(ctx, `UPDATE supervised SET inquiry_ref = $2 WHERE case_ref = $1`, c.ID, x.ID)
	return x, err
}

func errIf(wrong bool, err error) error {
	if wrong {
		return err
	}
	return nil
}
