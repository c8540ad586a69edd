package telemetryweb

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/apiclient"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
)

// generated serves a rig over real connections and returns the generated client
// for it, as a role ("" = nobody).
func generated(t *testing.T, r *rig, role string) *apiclient.ClientWithResponses {
	t.Helper()
	srv := httptest.NewServer(r.edge)
	t.Cleanup(srv.Close)
	c, err := apiclient.NewClientWithResponses(srv.URL, apiclient.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		if role != "" {
			req.Header.Set("Authorization", "Bearer "+role)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGeneratedClientPages(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 23)
	c := generated(t, r, "officer")
	limit := 5
	seen, pages := map[int64]bool{}, 0
	p := &apiclient.ListOutletsParams{Limit: &limit}
	for {
		page, err := c.ListOutletsWithResponse(t.Context(), p)
		if err != nil || page.JSON200 == nil {
			t.Fatalf("%v, %s", err, page.Body)
		}
		pages++
		for _, o := range page.JSON200.Outlets {
			if seen[o.ID] {
				t.Errorf("outlet %d comes twice", o.ID)
			}
			seen[o.ID] = true
		}
		if page.JSON200.Next == nil {
			break
		}
		if link := page.HTTPResponse.Header.Get("Link"); link != `</api/v1/outlets?cursor=`+*page.JSON200.Next+`&limit=5>; rel="next"` {
			t.Errorf("Link %q", link)
		}
		p.Cursor = page.JSON200.Next
		if pages == 2 { // the one the cursor names goes: nothing is given twice or left out
			r.registry.change(func(s *telemetry.Snapshot) {
				s.Outlets = maps.Clone(s.Outlets)
				delete(s.Outlets, 10)
			})
		}
	}
	if pages != 5 || len(seen) != 23 {
		t.Errorf("%d outlets on %d pages", len(seen), pages)
	}
	// Events: to the end, then on from there.
	one := 1
	ep := &apiclient.ListEventsParams{Limit: &one}
	var got []string
	for {
		page, err := c.ListEventsWithResponse(t.Context(), ep)
		if err != nil || page.JSON200 == nil {
			t.Fatalf("%v, %s", err, page.Body)
		}
		for _, e := range page.JSON200.Events {
			got = append(got, e.Kind)
		}
		ep.Cursor = &page.JSON200.Cursor
		if len(page.JSON200.Events) == 0 {
			break
		}
	}
	if d := cmp.Diff([]string{"alarm.raised", "outlet.state", "outlet.state"}, got); d != "" {
		t.Error(d)
	}
}

func TestGeneratedClientConditions(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 4)
	c := generated(t, r, "operator")
	first, err := c.GetAlarmWithResponse(t.Context(), "over1", nil)
	if err != nil || first.JSON200 == nil {
		t.Fatalf("%v, %s", err, first.Body)
	}
	tag := first.HTTPResponse.Header.Get("ETag")
	again, err := c.GetAlarmWithResponse(t.Context(), "over1", &apiclient.GetAlarmParams{IfNoneMatch: &tag})
	if err != nil || again.StatusCode() != http.StatusNotModified {
		t.Errorf("%v, %d with %s", err, again.StatusCode(), tag)
	}
	old := `"another"`
	note := "on the way"
	refused, err := c.AcknowledgeAlarmWithResponse(t.Context(), "over1", &apiclient.AcknowledgeAlarmParams{IfMatch: &old}, apiclient.AcknowledgeAlarmJSONRequestBody{Note: &note})
	if err != nil || refused.StatusCode() != http.StatusPreconditionFailed || refused.ApplicationProblemJSONDefault == nil || refused.ApplicationProblemJSONDefault.Kind != "conflict" {
		t.Errorf("%v, %d %s", err, refused.StatusCode(), refused.Body)
	}
	done, err := c.AcknowledgeAlarmWithResponse(t.Context(), "over1", &apiclient.AcknowledgeAlarmParams{IfMatch: &tag}, apiclient.AcknowledgeAlarmJSONRequestBody{Note: &note})
	if err != nil || done.JSON200 == nil || done.JSON200.Acknowledged == nil {
		t.Fatalf("%v, %d %s", err, done.StatusCode(), done.Body)
	}
	if now := done.HTTPResponse.Header.Get("ETag"); now == "" || now == tag {
		t.Errorf("ETag %s after the change, %s before", now, tag)
	}
	hook, err := c.GetWebhookWithResponse(t.Context(), testHook, nil)
	if err != nil || hook.JSON200 == nil || hook.JSON200.Secret != nil {
		t.Fatalf("%v, %s", err, hook.Body)
	}
	tag, paused := hook.HTTPResponse.Header.Get("ETag"), true
	change := func(tag string) int {
		w, err := c.ChangeWebhookWithResponse(t.Context(), testHook, &apiclient.ChangeWebhookParams{IfMatch: &tag}, apiclient.ChangeWebhookJSONRequestBody{Paused: &paused})
		if err != nil {
			t.Fatal(err)
		}
		return w.StatusCode()
	}
	if got := [2]int{change(tag), change(tag)}; got != [2]int{200, 412} {
		t.Errorf("changed once, then by the old tag: %v", got)
	}
}

func TestGeneratedClientErrors(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 4)
	nobody, err := generated(t, r, "").ListOutletsWithResponse(t.Context(), nil)
	if err != nil || nobody.StatusCode() != 401 || nobody.ApplicationProblemJSONDefault == nil {
		t.Errorf("%v, %d %s", err, nobody.StatusCode(), nobody.Body)
	}
	c := generated(t, r, "enterprise")
	for want, ask := range map[int]func() (int, *apiclient.Problem){
		403: func() (int, *apiclient.Problem) {
			w, err := c.ListDevicesWithResponse(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return w.StatusCode(), w.ApplicationProblemJSONDefault
		},
		404: func() (int, *apiclient.Problem) {
			w, err := c.GetOutletWithResponse(t.Context(), 99, nil)
			if err != nil {
				t.Fatal(err)
			}
			return w.StatusCode(), w.ApplicationProblemJSONDefault
		},
		400: func() (int, *apiclient.Problem) {
			fields := "id,nonsense"
			w, err := c.ListOutletsWithResponse(t.Context(), &apiclient.ListOutletsParams{Fields: &fields})
			if err != nil {
				t.Fatal(err)
			}
			return w.StatusCode(), w.ApplicationProblemJSONDefault
		},
	} {
		status, p := ask()
		if status != want || p == nil || p.Status != int64(want) || p.Detail == "" {
			t.Errorf("%d: %d %+v", want, status, p)
		}
	}

	w, err := generated(t, r, "operator").AddWebhookWithResponse(t.Context(), apiclient.WebhookInput{URL: new("http://example.org")})
	if err != nil || w.StatusCode() != 422 || w.ApplicationProblemJSONDefault == nil || w.ApplicationProblemJSONDefault.Errors == nil {
		t.Fatalf("a field to mend: %v, %d %s", err, w.StatusCode(), w.Body)
	}
	words := i18n.Default().For(i18n.Zh).T("webhook.err.https")
	if d := cmp.Diff([]apiclient.FieldError{{Field: "url", Code: "https", Message: words, Detail: words}}, *w.ApplicationProblemJSONDefault.Errors); d != "" {
		t.Error(d)
	}
}

func TestGeneratedClientIsSlowedDown(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 2)
	now := testNow
	r.Limiter = httpd.NewLimiter(1, 3, func() time.Time { return now })
	c := generated(t, r, "officer")
	var got []int
	var last *apiclient.ListStatesResponse
	for range 4 {
		w, err := c.ListStatesWithResponse(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, last = append(got, w.StatusCode()), w
	}
	if d := cmp.Diff([]int{200, 200, 200, 429}, got); d != "" {
		t.Error(d)
	}
	h := last.HTTPResponse.Header
	if h.Get("Retry-After") != "1" || h.Get("RateLimit") != `"token";r=0;t=1` || h.Get("RateLimit-Policy") != `"token";q=3;w=3` {
		t.Errorf("%v", h)
	}
	if w, err := generated(t, r, "operator").ListStatesWithResponse(t.Context(), nil); err != nil || w.StatusCode() != 200 {
		t.Errorf("another token is slowed down too: %v", err)
	}
	now = now.Add(time.Second)
	if w, err := c.ListStatesWithResponse(t.Context(), nil); err != nil || w.StatusCode() != 200 {
		t.Errorf("after the wait: %v", err)
	}
}
