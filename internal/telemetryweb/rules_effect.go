package telemetryweb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/rules"
)

// WhatIfer judges stored records by rules that are not in force.
type WhatIfer interface {
	WhatIf(ctx context.Context, w quality.WhatIf) (*quality.Difference, error)
}

// effectRun is one computation of what a version would change. It goes on when
// the reader leaves, and its answer is kept for a while.
type effectRun struct {
	key    string
	done   chan struct{} // closed with the answer
	cancel context.CancelFunc

	mu       sync.Mutex
	at       time.Time // started, then finished
	n, total int
	diff     *quality.Difference
	err      error
}

func (r *effectRun) progress() (n, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n, r.total
}

const (
	effectKept = 8                // answers kept
	effectAge  = 10 * time.Minute // after which the data are looked at anew
	effectWait = 1500 * time.Millisecond
	effectDays = 7 // looked at unless the reader says otherwise
	paramField = "p."
)

// effect gives the computation of a key, a running or a fresh one. Only one
// runs at a time: reception goes first.
func (h *Handler) effect(key string, now time.Time, start func(context.Context, func(done, total int)) (*quality.Difference, error)) *effectRun {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.effects = slices.DeleteFunc(h.effects, func(r *effectRun) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.diff != nil && now.Sub(r.at) > effectAge || r.err != nil
	})
	for _, r := range h.effects {
		if r.key == key {
			return r
		}
	}
	ctx, cancel := context.WithCancel(h.ctx)
	r := &effectRun{key: key, done: make(chan struct{}), cancel: cancel, at: now}
	h.effects = append(h.effects, r)
	if len(h.effects) > effectKept {
		h.effects[0].cancel() // somebody who tries many figures has no use for the first ones
		h.effects = h.effects[1:]
	}
	h.wait.Go(func() {
		defer close(r.done)
		defer cancel()
		h.effectTurn.Lock()
		defer h.effectTurn.Unlock()
		diff, err := start(ctx, func(n, total int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.n, r.total = n, total
		})
		r.mu.Lock()
		defer r.mu.Unlock()
		r.diff, r.err, r.at = diff, err, h.Now()
	})
	return r
}

type effectCount struct {
	Label          string
	Appear, Vanish int
}

type effectExample struct {
	Href, When, What string
	Factor           word
	Old, New         string
	OldLimit         string
	NewLimit         string
}

type effectTotal struct {
	Factor   word
	Old, New string
}

type effectOutlet struct {
	Name     word
	Href     string
	Counts   []effectCount // without those that are nothing
	Figures  int
	Totals   []effectTotal
	Examples []effectExample
}

type effectView struct {
	exported
	ID, Href string
	Action   string
	Judges   bool
	Version  versionLine
	Fields   []web.Field // version, dates
	Params   []web.Field
	Tried    []diffLine // what the tried version says otherwise
	Asked    bool
	Running  bool
	Done     int
	Total    int
	Percent  int
	Reload   string
	From, To string
	Outlets  int
	Hours    int
	Days     int
	Counts   []effectCount
	Figures  int
	Changed  []effectOutlet
}

// ruleEffect asks what a version of a rule, or one with other figures, would
// change on stored data. Nothing is saved.
func (h *Handler) ruleEffect(c *call) error {
	id, _, err := h.findRule(c)
	if err != nil {
		return err
	}
	_, format := cutFormat(path.Base(c.r.URL.Path))
	set := h.ruleSet()
	shape := set.Shape(id)
	v := &effectView{ID: id, Href: c.path("/rules/" + id), Action: c.path("/rules/" + id + "/effect"), exported: exported{c.path("/rules/" + id + "/effect"), c.r.URL.RawQuery}, Judges: shape.Judges && h.WhatIf != nil, Asked: c.query("from") != ""}
	versions := set.Versions(id)
	r := versions[len(versions)-1]
	if q := c.query("version"); q != "" {
		i := slices.IndexFunc(versions, func(r *rules.Rule) bool { return strconv.Itoa(r.Version) == q })
		if i < 0 {
			return notFound()
		}
		r = versions[i]
	}
	from, to, faults := v.dates(c, versions, r)
	values := map[string]string{}
	for name, list := range c.r.URL.Query() {
		if p, is := strings.CutPrefix(name, paramField); is {
			values[p] = list[0]
		}
	}
	tried, misfits := set.Try(r, values)
	for _, x := range r.Values() {
		p := c.paramLine(shape, x, nil)
		f := web.Field{Name: paramField + x.Path(), Label: p.Words.Text, Hint: p.Unit, Value: cmp.Or(values[x.Path()], x.Text())}
		if p.Words.Lang != string(c.lang) {
			f.LabelIn = p.Words.Lang
		}
		for _, inside := range p.Inside {
			f.Label += " › " + inside.Text
		}
		if x.Number() && !strings.Contains(f.Value, ",") {
			f.Input, f.Width = "decimal", "medium"
		}
		for _, m := range misfits {
			if m.Path == x.Path() || strings.HasPrefix(m.Path, x.Path()+"[") {
				f.Error = c.l.T("rules.param_wrong", "words", p.Words.Text)
				faults = append(faults, web.FieldError{Field: f.Name, Text: f.Error})
			}
		}
		v.Params = append(v.Params, f)
	}
	title := c.ruleTitle(r, shape)
	page := &web.Page{
		Title: c.l.T("rules.effect_title", "rule", title.Text), Module: "registry",
		Crumbs: c.ruleCrumbs(web.Crumb{Text: title.Text, Path: "/rules/" + id}), Data: v,
	}
	show := func() error {
		status := http.StatusOK
		if len(faults) > 0 {
			status, page.Errors, v.Asked = http.StatusUnprocessableEntity, faults, false
		}
		return h.render(c, status, "rule_effect.html", page)
	}
	if len(faults) > 0 || !v.Asked || !v.Judges {
		if format != "" {
			return errs.New(errs.Invalid, "rules.effect_ask")
		}
		return show()
	}
	for _, d := range rules.Diff(r, tried) {
		p, q := c.paramLine(shape, *d.From, d.To), c.paramLine(shape, *d.To, d.From)
		v.Tried = append(v.Tried, diffLine{Words: p.Words, Inside: p.Inside, Path: p.Path, Unit: p.Unit, From: p.Items, To: q.Items})
	}
	ids := []telemetry.OutletID{} // none is not all
	for _, oid := range c.snap.Order {
		if o := c.snap.Outlets[oid]; o != nil && c.sees(o) && shape.Applies(string(o.Medium), o.SourceType) {
			ids = append(ids, oid)
		}
	}
	trial := r
	if len(v.Tried) > 0 {
		trial = tried
	}
	key := fmt.Sprint(id, trial.Version, trial.Hash, from.Unix(), to.Unix(), ids)
	run := h.effect(key, c.now, func(ctx context.Context, progress func(done, total int)) (*quality.Difference, error) {
		return h.WhatIf.WhatIf(ctx, quality.WhatIf{Trial: quality.Trial{Rules: set.With(trial)}, Outlets: ids, From: from, To: to, Progress: progress})
	})
	wait := time.NewTimer(effectWait)
	defer wait.Stop()
	if format != "" {
		wait.Stop() // a file is waited for as long as the reader does
	}
	select {
	case <-run.done:
	case <-wait.C:
	case <-c.ctx().Done():
		return c.ctx().Err()
	}
	select {
	case <-run.done:
	default:
		v.Running, v.Reload = true, c.r.URL.RequestURI()
		if v.Done, v.Total = run.progress(); v.Total > 0 {
			v.Percent = 100 * v.Done / v.Total
		}
		c.w.Header().Set("Refresh", "2")
		return show()
	}
	switch {
	case errors.Is(run.err, quality.ErrTooMuch):
		faults = append(faults, web.FieldError{Field: "from", Text: c.l.T("rules.effect_too_much")})
		v.Fields[1].Error = faults[len(faults)-1].Text
		return show()
	case errors.Is(run.err, rules.ErrInvalid):
		faults = append(faults, web.FieldError{Field: "version", Text: c.l.T("rules.effect_unreadable")})
		v.Fields[0].Error = faults[len(faults)-1].Text
		return show()
	case run.err != nil:
		return fmt.Errorf("what %s would change: %w", id, run.err)
	}
	h.fillEffect(c, v, run.diff)
	if format != "" {
		return h.exportEffect(c, v, format)
	}
	return show()
}

// dates reads the form's version and days, and names what is wrong with them.
func (v *effectView) dates(c *call, versions []*rules.Rule, chosen *rules.Rule) (from, to time.Time, faults []web.FieldError) {
	today := c.now.In(i18n.Zone)
	f := web.Field{Name: "version", Kind: "select", Label: c.l.T("rules.effect_version")}
	for _, r := range versions {
		f.Options = append(f.Options, web.Option{Value: strconv.Itoa(r.Version), Text: c.l.T("rules.version_from", "n", r.Version, "date", r.EffectiveFrom), Selected: r == chosen})
	}
	v.Fields = append(v.Fields, f)
	for i, name := range []string{"from", "to"} {
		f := web.Field{Name: name, Input: "numeric", Label: c.l.T("rules.effect_" + name), Value: cmp.Or(i18n.Digits(c.query(name)), today.AddDate(0, 0, -effectDays*(1-i)).Format(time.DateOnly))}
		day, err := time.ParseInLocation(time.DateOnly, f.Value, i18n.Zone)
		switch {
		case err != nil:
			f.Error = c.l.T("rules.date_wrong")
		case i == 0:
			from = day
		case day.Before(from):
			f.Error = c.l.T("rules.effect_order")
		default:
			to = day.AddDate(0, 0, 1)
		}
		if f.Error != "" {
			faults = append(faults, web.FieldError{Field: name, Text: f.Error})
		}
		v.Fields = append(v.Fields, f)
	}
	v.From, v.To = v.Fields[1].Value, v.Fields[2].Value
	return from, to, faults
}

func (c *call) effectCounts(x quality.Changes, all bool) []effectCount {
	var out []effectCount
	for _, n := range []struct {
		key            string
		appear, vanish int
	}{
		{"hours_valid", x.HoursValid, x.HoursNotValid},
		{"days_valid", x.DaysValid, x.DaysNotValid},
		{"hours_over", x.HoursOver, x.HoursNotOver},
		{"days_over", x.DaysOver, x.DaysNotOver},
		{"warnings", x.Warnings, x.NoWarnings},
	} {
		if all || n.appear+n.vanish > 0 {
			out = append(out, effectCount{Label: c.l.T("rules.effect_" + n.key), Appear: n.appear, Vanish: n.vanish})
		}
	}
	return out
}

func (h *Handler) fillEffect(c *call, v *effectView, d *quality.Difference) {
	v.Outlets, v.Hours, v.Days, v.Figures = d.Outlets, d.Hours, d.Days, d.Sum.Figures
	v.Counts = c.effectCounts(d.Sum, true)
	for i := range d.Changed {
		x := &d.Changed[i]
		o := c.snap.Outlets[x.Outlet]
		if o == nil {
			continue // taken out since
		}
		line := effectOutlet{Name: c.outletName(o), Href: c.path(outletPath(o.ID)), Counts: c.effectCounts(x.Changes, false), Figures: x.Figures}
		for _, t := range x.Totals {
			line.Totals = append(line.Totals, effectTotal{c.factor(t.Factor), figure(quality.Some(t.Old), t.Factor), figure(quality.Some(t.New), t.Factor)})
		}
		for j := range x.Examples {
			e := &x.Examples[j]
			at := time.Unix(e.At, 0)
			key := "rules.effect_" + e.What
			if e.What != quality.ChangeFigure {
				key += map[bool]string{true: "_appears", false: "_vanishes"}[e.Appears]
			}
			ex := effectExample{
				Href: c.path("/values/" + valueID(o.ID, e.Factor, e.Level, at)), When: i18n.Short(at), What: c.l.T(key), Factor: c.factor(e.Factor),
				Old: figureFor(e.Old, e.Factor, e.OldLimit), New: figureFor(e.New, e.Factor, e.NewLimit), OldLimit: limitText(e.OldLimit), NewLimit: limitText(e.NewLimit),
			}
			if e.Level == quality.LevelHour {
				ex.When += " " + i18n.Hours(at, at.Add(time.Hour))
			}
			line.Examples = append(line.Examples, ex)
		}
		v.Changed = append(v.Changed, line)
	}
	// Outlets at which exceedances come or go first: that is what the question is about.
	weight := map[string]int{}
	for i := range d.Changed {
		x := &d.Changed[i]
		weight[c.path(outletPath(x.Outlet))] = min(math.MaxInt32, 1000*(x.HoursOver+x.HoursNotOver+x.DaysOver+x.DaysNotOver)+x.DaysValid+x.DaysNotValid)
	}
	slices.SortStableFunc(v.Changed, func(a, b effectOutlet) int { return weight[b.Href] - weight[a.Href] })
}

func (h *Handler) exportEffect(c *call, v *effectView, format string) error {
	e := export{Name: "effect-" + v.ID, About: h.about(c, v.ID+"?"+v.Query), Codes: []string{"outlet", "what", "factor", "when", "old", "new", "old_limit", "new_limit", "appear", "vanish"}}
	for _, col := range e.Codes {
		e.Words = append(e.Words, c.l.T("rules.col_"+col))
	}
	for _, o := range v.Changed {
		for _, n := range o.Counts {
			e.add(o.Name.Text, n.Label, nil, nil, nil, nil, nil, nil, n.Appear, n.Vanish)
		}
		for _, x := range o.Examples {
			e.add(o.Name.Text, x.What, x.Factor.Text, x.When, x.Old, x.New, x.OldLimit, x.NewLimit, nil, nil)
		}
		for _, t := range o.Totals {
			e.add(o.Name.Text, c.l.T("rules.effect_totals"), t.Factor.Text, nil, t.Old, t.New, nil, nil, nil, nil)
		}
	}
	return e.send(c, format)
}

// effectLink leads from a version to what it would change on the last days.
func (c *call) effectLink(id string, version int) string {
	return c.path("/rules/" + id + "/effect?" + url.Values{"version": {strconv.Itoa(version)}}.Encode())
}
