//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// apiGap is what this test reads of a gap.
type apiGap struct {
	ID, MN, From, To, State, How, Cause string
	Outlet, Missing, Requests           int
}

// ask reads the interface as the operator.
func ask(t *testing.T, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.http+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+demo.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, resp.StatusCode, err)
	}
}

// TestBackfill: minute records that a connected logger left out stand open in
// the ledger; the officer asks for them, sees the answer come, and finds the
// records on the outlet's page of that day.
func TestBackfill(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	signIn(ctx, t, "officer")
	g := leftOut(t)
	id := g.ID
	open(ctx, t, "/zh/gaps?state=open&cause=logger&kind=minute")
	follow(ctx, t, "#gap-list tbody", "/zh/gaps/"+id+"$")
	if got := text(ctx, t, "main .head"); !strings.Contains(got, "未补齐") {
		t.Fatalf("the gap is not open: %s", got)
	}
	from, err := time.Parse(time.RFC3339, g.From)
	if err != nil {
		t.Fatal(err)
	}
	there := func() (n int) {
		var rec struct{ Times []int64 }
		ask(t, "/api/v1/outlets/"+itoa(g.Outlet)+"/records?kind=minute&from="+url.QueryEscape(g.From)+"&to="+url.QueryEscape(g.To), &rec)
		return len(rec.Times)
	}
	if g.State != "open" || g.Missing == 0 || there() != 0 {
		t.Fatalf("%+v, %d records there", g, there())
	}
	press(ctx, t, `form[action$="/request"] button`)
	until(ctx, t, `document.querySelector("#live-gap .steps") !== null && document.querySelector("#live-gap").innerText.includes("补调补齐")`)
	ask(t, "/api/v1/gaps/"+id, &g)
	if g.State != "closed" || g.How != "request" || g.Requests < 1 || there() == 0 {
		t.Errorf("%+v, %d records there", g, there())
	}
	follow(ctx, t, "#live-gap", `/outlets/\d+/\d{4}-\d\d-\d\d$`)
	clock := from.In(time.FixedZone("", 8*3600)).Format("15:04")
	t.Logf("the gap began at %s; page %s", clock, text(ctx, t, "h1"))
}

// leftOut waits for an open gap of two minutes: one would be a frame that is
// only late, and longer ones are of loggers that have no such data either.
func leftOut(t *testing.T) apiGap {
	t.Helper()
	for range 90 {
		var list struct{ Gaps []apiGap }
		ask(t, "/api/v1/gaps?state=open&cause=logger&kind=minute", &list)
		for _, g := range list.Gaps {
			from, e1 := time.Parse(time.RFC3339, g.From)
			to, e2 := time.Parse(time.RFC3339, g.To)
			if e1 == nil && e2 == nil && g.Missing == 2 && to.Sub(from) == 2*time.Minute {
				return g
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatal("no logger left records out")
	return apiGap{}
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}
