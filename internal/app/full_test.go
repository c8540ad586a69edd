package app

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/telemetry"
)

// TestFullDatabase lets the database of the running program run out of pages.
// What is written over HTTP is refused with a word on when to try again, nothing
// of it is there, in memory neither; pages go on; and the same request goes
// through when there is room again.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	a, end := serving(t, t.TempDir())
	defer end()
	ctx := t.Context()
	if _, err := a.auth.EnsureSamples(ctx, "ent-1", "", ""); err != nil {
		t.Fatal(err)
	}
	secret, operator, err := a.auth.SignIn(ctx, "operator", "operator-sample", auth.Client{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.auth.OperatorToken(ctx, "test", 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(text string) {
		t.Helper()
		if _, err := a.db.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	number := func(text string) (n int) {
		t.Helper()
		if err := a.db.QueryRow(ctx, text).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	send := func(method, path, body string, head ...string) (status int, header http.Header, text string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, "http://"+a.httpAddr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(head); i += 2 {
			r.Header.Set(head[i], head[i+1])
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, string(b)
	}
	for _, area := range []telemetry.Area{
		{Code: "540000", Level: "province", Name: telemetry.Name{Zh: "西藏自治区"}},
		{Code: "540100", Parent: "540000", Level: "prefecture", Name: telemetry.Name{Zh: "拉萨市"}},
		{Code: "540102", Parent: "540100", Level: "county", Name: telemetry.Name{Zh: "城关区"}},
	} {
		if err := a.registry.PutArea(ctx, area, operator); err != nil {
			t.Fatal(err)
		}
	}
	person := []string{"Cookie", auth.CookieName + "=" + secret, "Accept", "text/html"}
	long := strings.Repeat("x", 120)
	for _, tc := range []struct {
		name, path  string
		body        func(i int) string
		head        []string
		done        int
		refusal     string // type of the refusal
		says        string
		count       string
		also, there func() int
	}{
		{
			name: "form", path: "/zh/registry/enterprises/new", done: http.StatusSeeOther, refusal: "text/html; charset=utf-8", says: "<!doctype html>",
			body: func(i int) string {
				return url.Values{"id": {fmt.Sprint("full-", i)}, "name_zh": {long}, "area": {"540102"}}.Encode()
			},
			head: append([]string{"Content-Type", "application/x-www-form-urlencoded"}, person...), count: `SELECT count(*) FROM enterprises`,
			also:  func() int { return number(`SELECT count(*) FROM registry_log`) },
			there: func() int { return len(a.registry.Snapshot().Enterprises) },
		},
		{
			name: "json", path: "/api/v1/webhooks", done: http.StatusCreated, refusal: "application/problem+json", says: `"status":503`,
			body: func(i int) string {
				return fmt.Sprintf(`{"url": "https://example.org/%d", "kinds": ["alarm.raised"], "note": %q}`, i, long)
			},
			head: []string{"Content-Type", "application/json", "Authorization", "Bearer " + token}, count: `SELECT count(*) FROM webhooks`,
			also: func() int { return number(`SELECT count(*) FROM event_marks`) },
			there: func() int {
				list, err := a.hooks.List(ctx)
				if err != nil {
					t.Fatal(err)
				}
				return len(list)
			},
		},
	} {
		rows := func() [3]int { return [3]int{number(tc.count), tc.also(), tc.there()} }
		exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, number(`PRAGMA page_count`)))
		post := func(i int) (int, http.Header, string) {
			return send(http.MethodPost, tc.path, tc.body(i), tc.head...)
		}
		tries, before := 0, rows()
		status, h, body := post(tries)
		for ; status == tc.done && tries < 1000; status, h, body = post(tries) { // pages that are begun still take some
			tries++
			before = rows()
		}
		if status != http.StatusServiceUnavailable || h.Get("Retry-After") != "10" || h.Get("Content-Type") != tc.refusal || !strings.Contains(strings.ToLower(body), tc.says) {
			t.Fatalf("%s: %d, %q, Retry-After %q, after %d: %s", tc.name, status, h.Get("Content-Type"), h.Get("Retry-After"), tries, body)
		}
		if got := rows(); got != before {
			t.Errorf("%s: %v rows after the refusal, %v before", tc.name, got, before)
		}
		if status, _, body := send(http.MethodGet, "/zh/registry/enterprises", "", person...); status != http.StatusOK {
			t.Errorf("%s: the page that lists them: %d: %s", tc.name, status, body)
		}
		exec(`PRAGMA max_page_count = 1073741823`)
		if status, _, body := post(tries); status != tc.done {
			t.Errorf("%s: with room again: %d: %s", tc.name, status, body)
		}
		if got := rows(); got[0] != before[0]+1 || got[2] != before[2]+1 {
			t.Errorf("%s: with room again %v rows, %v before", tc.name, got, before)
		}
		t.Logf("%s: refused after %d", tc.name, tries)
	}
}
