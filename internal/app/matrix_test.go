package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/relay"
	"plateau/internal/telemetry/reportjob"
	"plateau/internal/telemetry/store"
	"plateau/internal/telemetry/webhook"
	"plateau/internal/telemetryweb"
	"plateau/internal/testkit"
)

var update = flag.Bool("update", false, "write the table of who may what anew")

// The four objects of the matrix, in the order of its cells: in the area of the
// posts or not, of the enterprise of the posts or of another one.
var objects = []struct{ area, enterprise string }{
	{"540121", "own"}, {"540121", "other"}, {"540221", "own"}, {"540221", "other"},
}

// askers are who asks: a kind of account, and its area.
var askers = []struct{ kind, area string }{
	{"", ""},
	{"officer", ""},
	{"officer", "540121"},
	{"supervisor_county", "540121"},
	{"supervisor_city", "540100"},
	{"supervisor_region", ""},
	{"enterprise", ""},
	{"enterprise", "540121"},
	{"maintainer", ""},
	{"keeper", "540121"},
	{"operator", ""},
	{"administrator", ""},
	{"auditor", ""},
	{"administrator", "540100"},
	{"person", ""},
	{"platform", ""},
	{"platform", "540121"},
	{"office_clerk", "540121"},
}

// byPeople are the permissions that open pages to a person who is signed in and
// never to a token; those of one's own account stay refused here, which shows it.
var byPeople = []access.Permission{"platform.accounts", "platform.record"}

const matrixFile = "testdata/matrix.csv"

// TestMatrix asks every route as every kind of account for every kind of object,
// over the handlers of the whole program, and holds the answers against the table
// in testdata. A difference is a change of who may what: look at it, then write it
// with -update.
func TestMatrix(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("thousands of requests, one after the other; this test runs without the race detector")
	}
	for i, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			newMatrix(t, database.URL(t)).compare(t, *update && i == 0)
		})
	}
}

func (m *matrix) compare(t *testing.T, write bool) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Answers of every route. A cell with four stands for an object inside the area of the post and of its enterprise / inside, of another / outside, of its own / outside, of another.\n")
	b.WriteString("# Made by go test ./internal/app -run TestMatrix -update. \"login\" leads to the sign-in page.\n")
	b.WriteString("method,route,permission")
	for _, a := range askers {
		name := "nobody"
		if a.kind != "" {
			name = strings.TrimSpace(a.kind + " " + a.area)
		}
		b.WriteString("," + name)
	}
	b.WriteString("\n")
	for _, rt := range matrixRoutes() {
		fmt.Fprintf(&b, "%s,%s,%s", rt.Method, rt.Path, rt.May)
		for i := range askers {
			b.WriteString("," + m.cell(t, rt, i))
		}
		b.WriteString("\n")
	}
	got := b.String()
	if write {
		if err := os.WriteFile(matrixFile, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("who may what is not what the table (-) says; where that is meant, go test ./internal/app -run TestMatrix -update:\n%s", d)
	}
	m.holdsTheLine(t, got)
}

// holdsTheLine looks at the table itself, whatever was written into it: who may
// not is refused, and who may not see an object never gets it.
func (m *matrix) holdsTheLine(t *testing.T, table string) {
	t.Helper()
	policy := access.Default()
	for _, want := range []string{"200/403/200/403", "200/200/403/403", "login", "401"} {
		if !strings.Contains(table, want) {
			t.Errorf("no cell is %s: the objects do not tell apart what they should", want)
		}
	}
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		if len(cells) != 3+len(askers) || cells[0] == "method" {
			continue
		}
		rows++
		if strings.Contains(line, "500") {
			t.Errorf("an answer is a failure: %s", line)
		}
		may := access.Permission(cells[2])
		for i, a := range askers {
			if policy.Opens(policy.Account(a.kind, a.area, "own"), may) {
				continue
			}
			for status := range strings.SplitSeq(cells[3+i], "/") {
				if status != "403" && status != "401" && status != "login" && (cells[1] != "/{lang}/{$}" || status != "303") {
					t.Errorf("%s %s answers %s to %q, who may not", cells[0], cells[1], status, a.kind)
				}
			}
		}
		if cells[0] != http.MethodGet || may != "telemetry.view" || !strings.Contains(cells[1], "/outlets/{id}") {
			continue
		}
		for _, i := range []int{2, 3, 4, 7} { // of one county, or of one prefecture
			for k, status := range strings.Split(cells[3+i], "/") {
				if inside := k < 2; !inside && status != "403" && status != "404" {
					t.Errorf("%s answers %s to %q for an outlet outside of its area", cells[1], status, askers[i].kind)
				}
			}
		}
	}
	if rows != len(matrixRoutes()) {
		t.Errorf("%d rows for %d routes", rows, len(matrixRoutes()))
	}
}

// matrix is the program with the four objects in it.
type matrix struct {
	*App
	handler http.Handler
	asked   int
	tokens  []string            // by asker; "" = nobody, or a service
	certs   []*x509.Certificate // of services
	cookies []string            // of their sessions, for pages that no token opens
	frames  []string
	jobs    []string
	hook    string
	relay   string
	entry   string   // CHAIN/SEQ of an entry of the record
	person  string   // id of an account of nobody who asks
	bureaus []string // an organisation of each object's area
	posts   []string // a post for each object's area
	cases   []string // a case in each object's area
	numbers []string // of those cases
}

var matrixNow = time.Date(2026, 11, 23, 8, 30, 0, 0, i18n.Zone)

func mnOf(i int) string { return fmt.Sprintf("%s00000000000000M%d", objects[i].area, i) + "00" }

// matrixRoutes are all routes, and those again whose one address stands for
// several things.
func matrixRoutes() []access.Route {
	list := Routes()
	for _, path := range []string{"/{lang}/reports/enterprise/{enterprise}/day/2026-11-22", "/{lang}/reports/county/{county}/day/2026-11-22"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			list = append(list, access.Route{Method: method, Path: path, May: telemetryweb.View})
		}
	}
	return append(list, access.Route{Method: http.MethodGet, Path: "/{lang}/registry/enterprises/{enterprise}", May: telemetryweb.ReadList})
}

func newMatrix(t *testing.T, url string) *matrix {
	t.Helper()
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr, o.Now = t.Output(), t.Output(), func() time.Time { return matrixNow }
	o.Flags["hj212.adopt_unknown"], o.Flags["api.rate"] = "false", "0"
	o.Flags["database.url"] = url
	o.Flags["webhooks.allow_private"] = "true" // a port of this machine where nobody listens, so that nothing goes out
	o.Flags["relay.allow_private"] = "true"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	m := &matrix{App: a}
	if m.handler, err = a.handler(); err != nil {
		t.Fatal(err)
	}
	m.fill(t)
	for _, who := range askers {
		token, cookie := "", ""
		var cert *x509.Certificate
		if who.kind != "" && !access.Default().ForPerson(who.kind) {
			cert = m.service(t, who.kind, who.area)
		} else if who.kind != "" {
			u := auth.User{Login: who.kind + who.area, Post: auth.Post{Zh: who.kind}, Role: auth.Role(who.kind), Area: who.area}
			if access.Default().NeedsOrganisation(who.kind) {
				u.Enterprise = "own"
			}
			if u, err = a.auth.CreateUser(t.Context(), u, "long enough"); err != nil {
				t.Fatal(who, err)
			}
			if token, _, err = a.auth.CreateToken(t.Context(), u.ID, "matrix", "", time.Time{}); err != nil {
				t.Fatal(err)
			}
			if cookie, _, err = a.auth.SignIn(t.Context(), u.Login, "long enough", auth.Client{Address: "192.0.2.1"}); err != nil {
				t.Fatal(err)
			}
		}
		m.tokens, m.cookies, m.certs = append(m.tokens, token), append(m.cookies, cookie), append(m.certs, cert)
	}
	u, err := a.auth.AddUser(t.Context(), auth.User{Login: "bystander", Post: auth.Post{Zh: "x"}, Role: auth.Officer})
	if err != nil {
		t.Fatal(err)
	}
	m.person = u.ID
	if err := a.db.QueryRow(t.Context(), `SELECT chain FROM audit_entries LIMIT 1`).Scan(&m.entry); err != nil {
		t.Fatal(err)
	}
	m.entry += "/1"
	return m
}

// service makes the account of a service and returns by what it is known.
func (m *matrix) service(t *testing.T, kind, area string) *x509.Certificate {
	t.Helper()
	u, err := m.auth.AddUser(t.Context(), auth.User{Login: kind + area, Post: auth.Post{Zh: kind}, Role: auth.Role(kind), Area: area})
	if err != nil {
		t.Fatal(err)
	}
	pair, text := serviceKey(t)
	key, err := auth.ParseKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.auth.AddKey(t.Context(), u.ID, "matrix", key, "", matrixNow.AddDate(0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// fill makes an outlet for each object, with a logger, a frame, a stop, an alarm, a
// gap, a dialogue, and a report of its enterprise or county.
func (m *matrix) fill(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	in := telemetry.LoadInput{Areas: []telemetry.Area{
		{Code: "540000", Level: "province", Name: telemetry.Name{Zh: "区"}},
		{Code: "540100", Parent: "540000", Level: "prefecture", Name: telemetry.Name{Zh: "市一"}},
		{Code: "540121", Parent: "540100", Level: "county", Name: telemetry.Name{Zh: "县一"}},
		{Code: "540200", Parent: "540000", Level: "prefecture", Name: telemetry.Name{Zh: "市二"}},
		{Code: "540221", Parent: "540200", Level: "county", Name: telemetry.Name{Zh: "县二"}},
	}, Enterprises: []telemetry.Enterprise{
		{ID: "own", Area: "540121", Name: telemetry.Name{Zh: "甲（示例）"}, Sample: true},
		{ID: "other", Area: "540221", Name: telemetry.Name{Zh: "乙（示例）"}, Sample: true},
	}}
	for i, x := range objects {
		in.Outlets = append(in.Outlets, telemetry.Outlet{
			ID: telemetry.OutletID(i + 1), Enterprise: x.enterprise, Area: x.area, Name: telemetry.Name{Zh: "排口" + strconv.Itoa(i+1)}, Medium: telemetry.Gas, Sample: true,
			Factors: []telemetry.OutletFactor{{Code: "a21026", Order: 1}},
			Stops:   []telemetry.Stop{{From: matrixNow.AddDate(0, 0, -9), To: matrixNow.AddDate(0, 0, -8), Reason: "x"}},
		})
		in.Devices = append(in.Devices, telemetry.Device{MN: mnOf(i), Outlet: telemetry.OutletID(i + 1)})
	}
	if err := m.registry.Load(ctx, in, auth.System); err != nil {
		t.Fatal(err)
	}
	for i, x := range objects {
		outlet := telemetry.OutletID(i + 1)
		at := matrixNow.Add(-2 * time.Hour).Truncate(time.Hour)
		done := make(chan store.Result, 1)
		if err := m.store.Submit(ctx, &store.Frame{
			MN: mnOf(i), Outlet: outlet, Kind: telemetry.KindMinute, At: at.Unix(), Received: at, Raw: []byte("##0000\r\n"), Verdict: telemetry.Stored, Done: func(r store.Result) { done <- r },
		}); err != nil {
			t.Fatal(err)
		}
		r := <-done
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		m.frames = append(m.frames, r.Locator.String())
		m.exec(t, `INSERT INTO alarms (id, outlet, kind, factor, factors, statistic, severity, start_at, opened_at, last_at, n, blank, folded, limit_id, limit_op, limit_statistic, rule, rule_version, cause, ended_by,
			parent, quiet, flags, stops, live, acked_by, acked_post, acked_note, false_by, false_post, false_note)
			VALUES ($1, $2, 'link', '', '', '', 'act', $3, $3, $3, 1, 0, 0, '', '', '', 'state.order', 1, '{"Key":"reason.offline"}', '', '', '', '', '[]', 1, '', '{}', '', '', '{}', '')`, "alarm-"+strconv.Itoa(i), int(outlet), db.Micros(at))
		m.exec(t, `INSERT INTO leads (id, detector, version, hash, outlet, month, factor, other, peer, from_at, to_at, score, figures, spans, found_at, changed_at, state, case_id, case_no)
			VALUES ($1, 'clock', 1, '', $2, '2026-10', '', '', 0, $3, $3, 0.5, '[]', '[]', $3, $3, '', '', '')`, "lead-"+strconv.Itoa(i), int(outlet), db.Micros(at))
		m.exec(t, `INSERT INTO lead_quiets (id, detector, outlet, area, reason, from_at, until_at, by_id, by_post) VALUES ($1, '', $2, $3, 'x', $4, $5, '', '{}')`, "quiet-"+strconv.Itoa(i), int(outlet), x.area, db.Micros(at), db.Micros(matrixNow.AddDate(0, 0, -1)))
		m.exec(t, `INSERT INTO gaps (id, outlet, mn, kind, from_at, to_at, cause, due, missing, detected, changed, state, how, by_post, reason, requests, fails, next_at)
			VALUES ($1, $2, $3, 6, $4, $5, 'link', 1, 1, $5, $5, 'open', '', '', '', 0, 0, 0)`, "gap-"+strconv.Itoa(i), int(outlet), mnOf(i), db.Micros(at), db.Micros(at.Add(time.Hour)))
		m.exec(t, `INSERT INTO marks (number, sort, outlet, rule, rule_version, code, factors, from_at, to_at, cause, evidence, state, late, source, author_id, author_post, created_at)
			VALUES ($1, 'mark', $2, 'mark.device', 1, 'fault', '', $3, $4, '', 'x', 'final', 0, 'enterprise', '', '', $3)`, "M90000"+strconv.Itoa(i+1), int(outlet), db.Micros(at), db.Micros(at.Add(time.Hour)))
		m.exec(t, `INSERT INTO dialogues (id, mn, outlet, act, cn, params, origin, by_id, by_post, started, ended, outcome, qn, attempts, qn_rtn, exe_rtn, frames, detail)
			VALUES ($1, $2, $3, 'get_clock', 1011, '{}', $4, '', '', $5, $5, 'done', '', 1, 1, 1, 0, '{}')`, "dialogue-"+strconv.Itoa(i), mnOf(i), int(outlet), dialogue.FromPage, db.Micros(at))
		sub := reportjob.Subject{Scope: "county", Ref: x.area, Level: "day", Period: "2026-11-22"}
		if i%2 == 0 {
			sub.Scope, sub.Ref = "enterprise", x.enterprise
		}
		job, err := m.reports.Request(ctx, sub, "asker-"+strconv.Itoa(i), "x")
		if err != nil {
			t.Fatal(err)
		}
		m.jobs = append(m.jobs, job.ID)
		bureau, err := m.people.PutOrganisation(ctx, people.Organisation{Kind: "authority", Name: auth.Post{Zh: "局" + strconv.Itoa(i)}, Area: x.area}, auth.System)
		if err != nil {
			t.Fatal(err)
		}
		post, err := m.people.AddPost(ctx, people.Post{Organisation: bureau.ID, Kind: "officer", Area: x.area, Title: auth.Post{Zh: "岗"}}, auth.System)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := m.App.cases.Open(ctx, casework.Opening{Kind: "river_case", Category: "litter", Title: "x", Source: "patrol", Location: casework.Location{Area: x.area}}, casework.Input{}, auth.System, casework.Request{})
		if err != nil {
			t.Fatal(err)
		}
		m.cases, m.numbers = append(m.cases, c.ID), append(m.numbers, c.TrackingNo)
		m.bureaus, m.posts = append(m.bureaus, bureau.ID), append(m.posts, post.ID)
	}
	hook, err := m.hooks.Add(ctx, webhook.Hook{URL: "https://127.0.0.1:1/"})
	if err != nil {
		t.Fatal(err)
	}
	m.hook = hook.ID
	target, err := m.relays.Add(ctx, relay.Target{Name: "x", Host: "127.0.0.1", Port: 1, Rate: 1, Window: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.relay = target.ID
}

func (m *matrix) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := m.db.Exec(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// again makes good what a request may have undone: a logger that was released.
func (m *matrix) again(t *testing.T, i int) {
	t.Helper()
	if m.registry.Snapshot().Devices[mnOf(i)] == nil {
		if _, err := m.registry.Adopt(t.Context(), mnOf(i), telemetry.AdoptInput{Outlet: telemetry.OutletID(i + 1)}, auth.System); err != nil {
			t.Fatal(err)
		}
	}
}

// path is an address of a route for one of the objects.
func (m *matrix) path(route string, i int) string {
	n := strconv.Itoa(i + 1)
	x := objects[i]
	for _, r := range []struct{ in, out string }{
		{"/{lang}", "/zh"},
		{"/{$}", "/"},
		{"{enterprise}", x.enterprise},
		{"{county}", x.area},
		{"/outlets/{id}", "/outlets/" + n},
		{"/leads/detectors/{id}", "/leads/detectors/clock"},
		{"/leads/quiet/{id}", "/leads/quiet/quiet-" + strconv.Itoa(i)},
		{"/leads/{id}", "/leads/lead-" + strconv.Itoa(i)},
		{"/public/counties/{code}", "/public/counties/" + x.area},
		{"/alarms/{id}", "/alarms/alarm-" + strconv.Itoa(i)},
		{"/gaps/{id}", "/gaps/gap-" + strconv.Itoa(i)},
		{"/values/{id}", "/values/" + n + "-a21026-hour-2026112206"},
		{"/frames/{locator}", "/frames/" + m.frames[i]},
		{"{mn}", mnOf(i)},
		{"/accounts/{id}", "/accounts/" + m.person},
		{"/audit/entries/{chain}/{seq}", "/audit/entries/" + m.entry},
		{"/dialogues/{id}", "/dialogues/dialogue-" + strconv.Itoa(i)},
		{"/registry/stops/{id}/delete", "/registry/stops/" + n + ":20200101000000/delete"},
		{"/registry/{kind}/{id}", "/registry/outlets/" + n},
		{"/registry/{kind}", "/registry/outlets"},
		{"/posts/{id}", "/posts/" + m.posts[i]},
		{"/cases/filters/{id}", "/cases/filters/none"},
		{"/cases/{id}", "/cases/" + m.cases[i]},
		{"/cases/{number}", "/cases/" + m.numbers[i]},
		{"/uploads/{upload}", "/uploads/none"},
		{"/marks/{number}", "/marks/M90000" + n},
		{"{sha256}", strings.Repeat("0", 64)},
		{"/actions/{action}", "/actions/hand_out"},
		{"/organisations/{id}", "/organisations/" + m.bureaus[i]},
		{"/policy/{permission}", "/policy/telemetry.view"},
		{"/enterprises/{id}", "/enterprises/" + x.enterprise},
		{"/reports/{scope}/{id}/{level}/{date}", "/reports/outlet/" + n + "/day/2026-11-22"},
		{"/reports/jobs/{id}", "/reports/jobs/" + m.jobs[i]},
		{"/reports/{period}", "/reports/2026-11-22"},
		{"/{date}", "/2026-11-22"},
		{"/rules/{id}", "/rules/cems.hour_mean"},
		{"/things/{id}", "/things/1000000001"},
		{"/webhooks/{id}", "/webhooks/" + m.hook},
		{"/relay/{id}", "/relay/" + m.relay},
		{"/handover/{shift}", "/handover/2026-11-22T2030"},
		{"/public-data/{file}", "/public-data/none.csv"},
		{"{file}", "none.csv"},
		{"/v1.1/{path...}", "/v1.1/Things(" + n + ")"},
	} {
		route = strings.ReplaceAll(route, r.in, r.out)
	}
	return route
}

// cell asks a route for all objects; one answer stands for four equal ones.
func (m *matrix) cell(t *testing.T, rt access.Route, asker int) string {
	t.Helper()
	same := true // whatever object is asked for
	for i := range objects {
		same = same && m.path(rt.Path, i) == m.path(rt.Path, 0)
	}
	var all []string
	for i := range objects {
		path := m.path(rt.Path, i)
		if strings.Contains(path, "{") {
			t.Fatalf("no example for %s", path)
		}
		if i > 0 && same {
			break
		}
		all = append(all, m.ask(t, rt, path, asker))
		m.again(t, i)
	}
	if len(slices.Compact(slices.Clone(all))) == 1 {
		return all[0]
	}
	return strings.Join(all, "/")
}

// ask sends a request whose body is of no use, so that what is allowed changes
// nothing; who may not is refused before anybody looks at it.
func (m *matrix) ask(t *testing.T, rt access.Route, path string, asker int) string {
	t.Helper()
	method := rt.Method
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m.asked++
	body := "{"
	if strings.HasSuffix(path, "/login") { // guessing is slowed down by name and address
		body = "name=nobody" + strconv.Itoa(m.asked) + "&password=x"
	}
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", m.asked%250)
	switch {
	case method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions:
		r.Body = http.NoBody
	case strings.HasPrefix(path, "/zh/"):
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	default:
		r.Header.Set("Content-Type", "application/json")
		if !strings.HasPrefix(path, "/sta/") {
			r.Header.Set("If-Match", `"none"`)
		}
	}
	r.Header.Set("Accept", "text/html,application/json,*/*")
	switch token := m.tokens[asker]; {
	case m.certs[asker] != nil:
		r.TLS = &tls.ConnectionState{PeerCertificates: m.certs[asker : asker+1]}
	case token == "":
	case slices.Contains(byPeople, rt.May):
		r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: m.cookies[asker]})
	default:
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	if w.Code == http.StatusSeeOther && strings.Contains(w.Header().Get("Location"), "/login") {
		return "login"
	}
	return strconv.Itoa(w.Code)
}
