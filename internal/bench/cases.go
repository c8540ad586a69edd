package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
)

// caseTemplates are how many cases are made by acting on them; the others are copies
// with numbers, areas and words of their own.
const caseTemplates = 400

// openShare of a hundred cases are open.
const openShare = 10

// Cases measures lists, search, actions and the sweep of deadlines over many cases, on
// SQLite and, with c.Database, on PostgreSQL, too. The cases are written as rows.
func Cases(ctx context.Context, c Config) (r Report, err error) {
	if c.Cases <= 0 {
		c.Cases = 200_000
	}
	c.defaults()
	r = newReport("cases")
	dir, remove, err := c.tempDir()
	if err != nil {
		return r, err
	}
	defer remove()
	urls := map[string]string{"sqlite": filepath.Join(dir, "cases.db")}
	if c.Database != "" {
		urls["postgres"] = c.Database
	}
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		if err := casesOn(ctx, &c, &r, name, urls[name]); err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
	}
	r.Notes = append(r.Notes, fmt.Sprintf("%d cases, %d %% of them open, in %d areas; each figure is of one call in this process, without HTTP, over one connection at a time; writes are synced", c.Cases, openShare, len(casePlaces{}.Codes())))
	return r, nil
}

// casePlaces are a region of 7 prefectures with 11 counties each, of 10 townships.
type casePlaces struct{}

var caseAreas = func() (out []string) {
	out = append(out, "540000")
	for p := range 7 {
		out = append(out, fmt.Sprintf("540%d00", p+1))
		for k := range 11 {
			county := fmt.Sprintf("540%d%02d", p+1, 21+k)
			out = append(out, county)
			for t := range 10 {
				out = append(out, fmt.Sprintf("%s%03d", county, 100+t))
			}
		}
	}
	return out
}()

func (casePlaces) Codes() []string { return caseAreas }

// Within implements casework.Places: codes tell where areas lie.
func (casePlaces) Within(code, above string) bool {
	return above == "" || above == "540000" || code == above || strings.HasPrefix(code, strings.TrimSuffix(above, "00"))
}

func (casePlaces) HasArea(code string) bool { return slices.Contains(caseAreas, code) }

func (casePlaces) Unit(id string) (string, bool) { return "540000", strings.HasPrefix(id, "unit-") }

// caseWeek counts Mondays to Fridays to 18:00.
type caseWeek struct{}

func works(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }

// Due implements casework.Calendar.
func (caseWeek) Due(start time.Time, span casework.Span) (time.Time, bool) {
	local := start.In(i18n.Zone)
	switch span.Unit {
	case casework.Hours, casework.WorkingHours:
		return local.Add(time.Duration(span.N) * time.Hour), false
	case casework.Days:
		return local.AddDate(0, 0, span.N), false
	case casework.WorkingDays:
	}
	for n := 0; n < span.N; {
		if local = local.AddDate(0, 0, 1); works(local) {
			n++
		}
	}
	return time.Date(local.Year(), local.Month(), local.Day(), 18, 0, 0, 0, i18n.Zone), false
}

// WorkingDays implements casework.Calendar.
func (caseWeek) WorkingDays(from, to time.Time) (n int) {
	last := to.In(i18n.Zone).Format(time.DateOnly)
	for d := from.In(i18n.Zone); d.Format(time.DateOnly) < last; {
		if d = d.AddDate(0, 0, 1); works(d) {
			n++
		}
	}
	return n
}

// caseBench is one database while it is measured.
type caseBench struct {
	c   *Config
	db  *db.DB
	svc *casework.Service
	rnd *mathrand.Rand
	at  time.Time // what the service takes for now
	end time.Time // the present of the bench
}

func clerkOf(area string) auth.Principal {
	return auth.Principal{ID: "clerk" + area, Login: "clerk" + area, Post: auth.Post{Zh: "岗"}, Role: "office_clerk", Area: area}
}

func casesOn(ctx context.Context, c *Config, r *Report, name, url string) (err error) {
	d, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	b := &caseBench{c: c, db: d, rnd: mathrand.New(mathrand.NewPCG(1, 2)), end: time.Date(2026, 11, 25, 10, 0, 0, 0, i18n.Zone)}
	b.at = b.end
	if b.svc, err = casework.New(ctx, casework.Options{
		DB: d, Types: casework.Default(), Places: casePlaces{}, Calendars: func(string) casework.Calendar { return caseWeek{} }, Now: func() time.Time { return b.at },
		Units: func(_ context.Context, p auth.Principal) ([]string, error) {
			if strings.HasPrefix(p.ID, "unit-") {
				return []string{p.ID}, nil
			}
			return nil, nil
		},
	}); err != nil {
		return err
	}
	var there int
	if err := d.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 AS one FROM cases LIMIT 1) AS few`).Scan(&there); err != nil {
		return err
	}
	if there > 0 {
		return errors.New("the database has cases already; give an empty one")
	}
	began := c.Now()
	if err := b.fill(ctx); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	c.tell("%s: %d cases written in %s", name, c.Cases, c.Now().Sub(began).Round(time.Second))
	if err := b.measure(ctx, r, name); err != nil {
		return err
	}
	return nil
}

// caseWords are what titles and texts are put together from.
var caseWords = strings.Fields("岸边 垃圾 污水 直排 采砂 堤防 损坏 桥下 河道 侵占 违建 畜禽 养殖 异味 泡沫 水色 公示牌 破损 倾倒 渣土 鱼类 捕捞 渗漏 管网 排口 油污 绿藻 冰凌 塌岸 护栏 村庄 上游 下游 支流 湿地 水库 取水 源地 标志 围网 塑料 农药 包装 死畜 尾矿 石料 便道 施工 废水 雨污")

func (b *caseBench) words(n int) string {
	var out strings.Builder
	for range n {
		out.WriteString(caseWords[b.rnd.IntN(len(caseWords))])
	}
	return out.String()
}

// template opens a case and acts on it as its age wants.
func (b *caseBench) template(ctx context.Context, i int) (id string, err error) {
	open := i*100/caseTemplates < openShare
	age := 60 + b.rnd.IntN(260)
	if open {
		age = b.rnd.IntN(40)
	}
	b.at = b.end.AddDate(0, 0, -age).Add(-time.Duration(b.rnd.IntN(8)) * time.Hour)
	clerk := clerkOf("540000")
	c, _, err := b.svc.Open(ctx, casework.Opening{
		Kind: "river_case", Category: []string{"litter", "sewage", "bank_dump"}[b.rnd.IntN(3)], Title: b.words(4), Text: b.words(12) + "。" + b.words(8), Source: "resident", Location: casework.Location{Area: "540121"},
	}, casework.Input{}, clerk, casework.Request{})
	if err != nil {
		return "", err
	}
	unit := auth.Principal{ID: fmt.Sprintf("unit-%d", b.rnd.IntN(100)), Role: "person"}
	act := func(hours int, by auth.Principal, action string, form map[string]string) {
		if err != nil {
			return
		}
		if b.at = b.at.Add(time.Duration(hours) * time.Hour); b.at.After(b.end) {
			b.at = b.end
		}
		_, _, err = b.svc.Act(ctx, c.ID, action, casework.Input{Form: form, Attachments: []string{strings.Repeat("a", 64)}}, by, casework.Request{})
	}
	kind := b.rnd.IntN(3)
	if !open {
		kind = 3 + b.rnd.IntN(2)
	}
	switch kind {
	case 1, 2, 4:
		act(1+b.rnd.IntN(20), clerk, "hand_out", map[string]string{"unit": unit.ID})
		act(1+b.rnd.IntN(20), unit, "accept", nil)
	}
	switch kind {
	case 2, 4:
		act(1+b.rnd.IntN(60), unit, "report_done", map[string]string{"note": "已处理"})
	case 3:
		act(1+b.rnd.IntN(20), clerk, "reject", map[string]string{"reason": "not_ours"})
	}
	if kind == 4 {
		act(1+b.rnd.IntN(40), clerk, "verify_ok", map[string]string{"summary": b.words(4)})
		act(1+b.rnd.IntN(400), clerk, "close", nil)
	}
	return c.ID, err
}

// caseTables are what a case stands in, the row itself first.
var caseTables = []struct{ name, id string }{{"cases", "id"}, {"case_units", "case_id"}, {"case_events", "case_id"}, {"case_changes", "case_id"}, {"case_terms", "case_id"}}

// rowsOf reads what stands of a case in a table.
func (b *caseBench) rowsOf(ctx context.Context, table, column, id string) (columns []string, rows [][]any, err error) {
	q, err := b.db.Query(ctx, `SELECT * FROM `+table+` WHERE `+column+` = $1`, id)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = q.Close() }()
	if columns, err = q.Columns(); err != nil {
		return nil, nil, err
	}
	for q.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := q.Scan(to...); err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	return columns, rows, q.Err()
}

// v7 is an id whose order is that of a time.
func v7(at time.Time) string {
	random := make([]byte, 10)
	_, _ = rand.Read(random)
	x := fmt.Sprintf("%012x", at.UnixMilli()) + "7" + hex.EncodeToString(random)[1:]
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-8" + x[17:20] + "-" + x[20:32]
}

// fill makes templates and copies them.
func (b *caseBench) fill(ctx context.Context) error {
	counties := slices.DeleteFunc(slices.Clone(caseAreas), func(code string) bool { return len(code) == 6 && strings.HasSuffix(code, "00") })
	used := map[string]bool{}
	templates := min(caseTemplates, b.c.Cases)
	ids := make([]string, templates)
	for i := range ids {
		var err error
		if ids[i], err = b.template(ctx, i); err != nil {
			return err
		}
	}
	b.at = b.end
	if err := b.late(ctx); err != nil {
		return err
	}
	for i, id := range ids {
		var err error
		all := make([][][]any, len(caseTables))
		columns := make([][]string, len(caseTables))
		for k, t := range caseTables {
			if columns[k], all[k], err = b.rowsOf(ctx, t.name, t.id, id); err != nil {
				return err
			}
		}
		at := func(k int, name string) int { return slices.Index(columns[k], name) }
		number := all[0][0][at(0, "tracking_no")].(string)         //nolint:forcetypeassert // text
		created := db.Time(all[0][0][at(0, "created_at")].(int64)) //nolint:forcetypeassert // a number
		copies := b.c.Cases/templates - 1
		if i == 0 {
			copies += b.c.Cases % templates
		}
		out := make([][][]any, len(caseTables))
		for n := range copies {
			newID, newNumber := v7(created), casework.Tracking(created)
			for used[newNumber] || newNumber == number {
				newNumber = casework.Tracking(created)
			}
			used[newNumber] = true
			area := counties[b.rnd.IntN(len(counties))]
			swap := strings.NewReplacer(id, newID, number, newNumber, `"area":"540121"`, `"area":"`+area+`"`)
			for k := range caseTables {
				for _, row := range all[k] {
					row = slices.Clone(row)
					for j, v := range row {
						switch s, ok := v.(string); {
						case !ok:
						case columns[k][j] == "area":
							row[j] = area
						case columns[k][j] == "body", columns[k][j] == "payload", s == id, s == number:
							row[j] = swap.Replace(s)
						}
					}
					out[k] = append(out[k], row)
				}
			}
			out[4] = append(out[4], b.term(columns[4], fmt.Sprint("n", i*1000+n), newID))
		}
		err = b.db.Tx(ctx, func(tx *db.Tx) error {
			for k, t := range caseTables {
				if err := tx.Insert(ctx, t.name, columns[k], out[k]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, t := range caseTables { // as the databases do by themselves after a while
		if _, err := b.db.Exec(ctx, `ANALYZE `+t.name); err != nil {
			return err
		}
	}
	return nil
}

// term is one more row of case_terms.
func (b *caseBench) term(columns []string, term, id string) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		if c == "term" {
			row[i] = term
		} else {
			row[i] = id
		}
	}
	return row
}

// each times a call several times, in milliseconds.
func (b *caseBench) each(n int, fn func(i int) error) (ms []float64, err error) {
	for i := range n {
		began := b.c.Now()
		if err := fn(i); err != nil {
			return nil, err
		}
		ms = append(ms, float64(b.c.Now().Sub(began))/float64(time.Millisecond))
	}
	return ms, nil
}

func (b *caseBench) measure(ctx context.Context, r *Report, name string) error {
	runs := max(b.c.Runs, 21)
	note := func(what, target string, ms []float64, err error) error {
		if err == nil {
			r.Figures[name+"_"+what] = figure("ms", target, ms)
		}
		return err
	}
	people := []struct {
		name string
		p    auth.Principal
	}{{"county", clerkOf("540325")}, {"prefecture", clerkOf("540300")}, {"region", clerkOf("540000")}, {"unit", auth.Principal{ID: "unit-7", Role: "person"}}}
	for _, x := range people {
		ms, err := b.each(runs, func(int) error {
			_, _, err := b.svc.List(ctx, casework.Filter{Queue: casework.Mine, Order: casework.ByDue}, x.p)
			return err
		})
		if err := note("inbox_list_"+x.name, "< 50", ms, err); err != nil {
			return err
		}
		ms, err = b.each(runs, func(int) error {
			_, err := b.svc.Counts(ctx, x.p, casework.Queues()...)
			return err
		})
		if err := note("inbox_counts_"+x.name, "< 50", ms, err); err != nil {
			return err
		}
		ms, err = b.each(runs, func(int) error {
			_, _, err := b.svc.List(ctx, casework.Filter{}, x.p)
			return err
		})
		if err := note("all_by_change_"+x.name, "", ms, err); err != nil {
			return err
		}
		for _, q := range []struct{ name, text string }{{"common", "垃圾"}, {"three", "垃圾 桥下 冰凌"}, {"one", "n7"}, {"nothing", "垃圾 没有"}} {
			ms, err = b.each(runs, func(int) error {
				_, _, err := b.svc.List(ctx, casework.Filter{Query: q.text}, x.p)
				return err
			})
			if err := note("search_"+q.name+"_"+x.name, "< 100", ms, err); err != nil {
				return err
			}
		}
		ms, err = b.each(max(b.c.Runs, 3), func(int) error {
			_, err := b.svc.Statistics(ctx, casework.StatisticsFilter{From: "2025-12", To: "2026-11"}, x.p)
			return err
		})
		if err := note("statistics_"+x.name, "", ms, err); err != nil {
			return err
		}
	}
	return b.writes(ctx, note)
}

// writes measures what changes cases.
func (b *caseBench) writes(ctx context.Context, note func(what, target string, ms []float64, err error) error) error {
	clerk := clerkOf("540000")
	list, _, err := b.svc.List(ctx, casework.Filter{State: "handling", N: 200}, clerk)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("no case is handled")
	}
	ms, err := b.each(len(list), func(i int) error {
		_, _, err := b.svc.Act(ctx, list[i].ID, "escalate", casework.Input{Form: map[string]string{"reason": "请上级协调"}}, clerk, casework.Request{})
		return err
	})
	if err := note("action", "< 20", ms, err); err != nil {
		return err
	}
	if err := b.late(ctx); err != nil {
		return err
	}
	ms, err = b.each(max(b.c.Runs, 21), func(int) error {
		n, err := b.svc.Sweep(ctx)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d were due", n)
		}
		return err
	})
	if err := note("sweep_none_due", "< 2000", ms, err); err != nil {
		return err
	}
	return b.sweeps(ctx, note)
}

// late lets all that is late go up the ladder, until nothing is left.
func (b *caseBench) late(ctx context.Context) error {
	for {
		if n, err := b.svc.Sweep(ctx); err != nil || n == 0 {
			return err
		}
	}
}

// sweeps lets a thousand cases be due at once: their next look is set to now.
func (b *caseBench) sweeps(ctx context.Context, note func(what, target string, ms []float64, err error) error) error {
	const due = 1000
	some := min(due, b.c.Cases/20) // of few cases fewer, told as the time of a thousand
	var ms []float64
	for range b.c.Runs {
		// The next rung of some open cases, a day at a time, until a thousand are due.
		for {
			var n int
			if err := b.db.QueryRow(ctx, `SELECT count(*) FROM cases WHERE next_at <= $1`, db.Micros(b.at)).Scan(&n); err != nil {
				return err
			}
			if n >= some {
				break
			}
			var next int64
			if err := b.db.QueryRow(ctx, `SELECT COALESCE(max(next_at), 0) FROM (SELECT next_at FROM cases WHERE next_at > $1 ORDER BY next_at LIMIT `+fmt.Sprint(some-n)+`) AS few`, db.Micros(b.at)).Scan(&next); err != nil {
				return err
			}
			if next == 0 {
				return note("sweep_1000_due", "< 2000", ms, errors.New("too few cases ever become due"))
			}
			b.at = db.Time(next)
		}
		var n int
		if err := b.db.QueryRow(ctx, `SELECT count(*) FROM cases WHERE next_at <= $1`, db.Micros(b.at)).Scan(&n); err != nil {
			return err
		}
		began := b.c.Now()
		if _, err := b.svc.Sweep(ctx); err != nil {
			return err
		}
		ms = append(ms, float64(b.c.Now().Sub(began))/float64(time.Millisecond)*due/float64(n)) // many may be due at one instant
	}
	return note("sweep_1000_due", "< 2000", ms, nil)
}
