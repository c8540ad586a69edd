package sensorthingsweb

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

// TestLinks wants links that work behind proxies.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, external string
		header         map[string]string
		tls            bool
		want           string
	}{
		{"host", "", nil, false, "http://example.com/sta/v1.1/Things"},
		{"tls", "", nil, true, "https://example.com/sta/v1.1/Things"},
		{"proxy", "", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example, b.example", "X-Forwarded-Prefix": "/plateau/"}, false, "https://a.example/plateau/sta/v1.1/Things"},
		{"nonsense", "", map[string]string{"X-Forwarded-Proto": "ftp", "X-Forwarded-Host": `x"/y`, "X-Forwarded-Prefix": "//evil"}, false, "http://example.com/sta/v1.1/Things"},
		{"configured", "https://example.org/p/", map[string]string{"X-Forwarded-Host": "a.example"}, false, "https://example.org/p/sta/v1.1/Things"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := New(Deps{Open: true, Reader: func(*http.Request) sensorthings.Reader { return sensorthingstest.World() }, ExternalURL: tc.external, Now: noon})
			r := request(http.MethodGet, "")
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			if tc.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), `"url":"`+tc.want+`"`) {
				t.Errorf("no %s in %s", tc.want, w.Body)
			}
		})
	}
}

// TestEdge looks at what HTTP asks for beside the body.
func TestEdge(t *testing.T) {
	t.Parallel()
	h := handlerOver(sensorthingstest.World(), read.Limits{})
	t.Run("head", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"", "/", "/Things", "/Things(1)", "/Things(1)/name/$value", "/Observations?$resultFormat=CSV", "/Things(99)"} {
			get, head := ask(t, h, http.MethodGet, target), ask(t, h, http.MethodHead, target)
			if head.Code != get.Code || head.Header().Get("Content-Type") != get.Header().Get("Content-Type") {
				t.Errorf("HEAD %s: %d %s, GET has %d %s", target, head.Code, head.Header(), get.Code, get.Header())
			}
			if head.Body.Len() > 0 && get.Code == http.StatusOK {
				t.Errorf("HEAD %s has a body", target)
			}
		}
	})
	t.Run("etag", func(t *testing.T) {
		t.Parallel()
		tag := ask(t, h, http.MethodGet, "/Things(1)").Header().Get("ETag")
		r := request(http.MethodGet, "/Things(1)")
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if tag == "" || w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("with %s: %d %s", tag, w.Code, w.Body)
		}
		if other := ask(t, h, http.MethodGet, "/Things(2)").Header().Get("ETag"); other == tag {
			t.Error("two entities with one tag")
		}
	})
	t.Run("csv is no formula", func(t *testing.T) {
		t.Parallel()
		m := sensorthingstest.New()
		m.Add(sensorthings.Things, 1, map[string]string{"name": `"=cmd|'/c calc'!A0"`, "description": `"-1"`, "properties": `{"+x":-5}`})
		body := ask(t, handlerOver(m, read.Limits{}), http.MethodGet, "/Things?$resultFormat=CSV&$select=name,description,properties").Body.String()
		if body != "name,description,properties/+x\r\n'=cmd|'/c calc'!A0,'-1,-5\r\n" {
			t.Errorf("got %q", body)
		}
	})
	t.Run("other addresses", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/sta", "/sta/", "/sta/v1.0/Things", "/sta/v1.1x"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), Root) {
				t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
			}
		}
	})
	t.Run("mqtt endpoints", func(t *testing.T) {
		t.Parallel()
		h := New(Deps{
			Open:   true,
			Reader: func(*http.Request) sensorthings.Reader { return sensorthingstest.New() }, Now: noon, Conformance: []string{"data-array/data-array"},
			MQTT: func() []string { return []string{"mqtt://host:1883"} },
		})
		body := ask(t, h, http.MethodGet, "").Body.String()
		for _, want := range []string{
			`"` + read.Requirements + `data-array/data-array"`, `"` + read.Requirements + `receive-updates-via-mqtt/receive-updates":{"endpoints":["mqtt://host:1883"]}`,
			`"` + read.Requirements + `create-observations-via-mqtt/observations-creation":{"endpoints":["mqtt://host:1883"]}`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("no %s in %s", want, body)
			}
		}
	})
}

// TestCost stops what reads too much, says what to do instead, and lets through
// what only looks expensive.
func TestCost(t *testing.T) {
	t.Parallel()
	world := sensorthingstest.World()
	t.Run("rows", func(t *testing.T) {
		t.Parallel()
		h := handlerOver(world, read.Limits{Rows: 10})
		w := ask(t, h, http.MethodGet, "/Observations?$filter=result eq 77")
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "phenomenonTime") || !strings.Contains(w.Body.String(), "nextLink") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := ask(t, h, http.MethodGet, "/Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=5"); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("time", func(t *testing.T) {
		t.Parallel()
		at := noon()
		h := New(Deps{Open: true, Reader: func(*http.Request) sensorthings.Reader { return many(5000) }, Now: func() time.Time { at = at.Add(20 * time.Second); return at }})
		if w := ask(t, h, http.MethodGet, "/Observations?$filter=result eq 77"); w.Code != http.StatusBadRequest {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("heavy ones wait", func(t *testing.T) {
		t.Parallel()
		gate := make(chan struct{})
		began := make(chan struct{}, 1)
		slow := &slowReader{Memory: many(100), began: began, gate: gate}
		h := handlerOver(slow, read.Limits{HeavyRows: 20, Heavy: 1, HeavyWait: 20 * time.Millisecond})
		done := make(chan int)
		go func() {
			done <- ask(t, h, http.MethodGet, "/Observations?$filter=result eq 77").Code
		}()
		<-began
		w := ask(t, h, http.MethodGet, "/Observations?$filter=result eq 77")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("second heavy one: %d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := ask(t, h, http.MethodGet, "/Datastreams(1)/Observations?$top=5"); w.Code != http.StatusOK {
			t.Errorf("a light one beside it: %d %s", w.Code, w.Body)
		}
		close(gate)
		if code := <-done; code != http.StatusOK {
			t.Errorf("first heavy one: %d", code)
		}
	})
	t.Run("inlined entities are cut", func(t *testing.T) {
		t.Parallel()
		h := handlerOver(world, read.Limits{Inline: 8})
		body := ask(t, h, http.MethodGet, "/Things?$expand=Datastreams($expand=Observations)").Body.String()
		if n := strings.Count(body, `"result":`); n != 2 {
			t.Errorf("%d observations, want 2", n)
		}
		if !strings.Contains(body, `"Observations@iot.nextLink":"http://host/sta/v1.1/Datastreams(2)/Observations?`) || !strings.Contains(body, "PM10 field") {
			t.Errorf("no share for each: %s", body)
		}
		// What was cut to nothing is reached by its link.
		h = handlerOver(world, read.Limits{Inline: 1})
		a := get(t, h, "/Datastreams?$select=name&$expand=Thing($select=name),Observations($select=id)&$top=1")
		if string(a.Value[0]["Observations"]) != "[]" || !strings.Contains(string(a.Value[0]["Observations@iot.nextLink"]), "/Datastreams(1)/Observations?$skip=0&$select=@iot.id") {
			t.Errorf("got %s", a.Value[0])
		}
	})
	t.Run("index reads", func(t *testing.T) {
		t.Parallel()
		for target, most := range map[string]int64{
			"/Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=1000":                    1010,
			"/Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=1":                       10,
			"/Datastreams(1)/Observations?$count=true&$top=0":                                        10,
			"/Observations?$count=true&$top=0":                                                       10,
			"/Observations?$orderby=phenomenonTime desc&$top=1":                                      20,
			"/Observations?$orderby=phenomenonTime desc&$top=100":                                    300,
			"/Observations?$filter=phenomenonTime ge 2016-01-01T00:00:50Z&$top=10":                   40,
			"/Observations?$filter=id eq 7":                                                          5,
			"/Observations?$filter=Datastream/id eq 1&$orderby=phenomenonTime desc&$top=5":           20,
			"/Things?$filter=Datastreams/Observations/result ge 1&$top=1":                            20,
			"/Things?$expand=Datastreams($expand=Observations($orderby=phenomenonTime desc;$top=1))": 20,
		} {
			m := many(20_000)
			if w := ask(t, handlerOver(m, read.Limits{}), http.MethodGet, target); w.Code != http.StatusOK || m.Reads.Load() > most {
				t.Errorf("GET %s: %d, %d reads, want at most %d", target, w.Code, m.Reads.Load(), most)
			}
		}
	})
}

// many is one Datastream with n observations, one a second.
func many(n int) *sensorthingstest.Memory {
	m := sensorthingstest.New()
	m.Add(sensorthings.Things, 1, map[string]string{"name": `"T"`, "description": `"d"`})
	m.Add(sensorthings.Datastreams, 1, map[string]string{"name": `"D"`, "description": `"d"`}, 1, 1, 1)
	list := make([]sensorthings.Observation, n)
	for i := range list {
		at := sensorthingstest.Begin.Add(time.Duration(i) * time.Second).UnixMicro()
		list[i] = sensorthings.Observation{ID: sensorthings.ID(i + 1), Datastream: 1, Phenomenon: sensorthings.Span{Start: at, End: at}, Result: []byte("21.5")}
	}
	m.Observe(list...)
	return m
}

// slowReader stops in the middle of its first scan until the gate opens.
type slowReader struct {
	*sensorthingstest.Memory
	began chan struct{}
	gate  chan struct{}
}

func (s *slowReader) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	n := 0
	return s.Memory.Observations(ctx, sc, func(o *sensorthings.Observation) bool {
		more := fn(o)
		if n++; n == 50 {
			select {
			case s.began <- struct{}{}:
			default:
			}
			<-s.gate
		}
		return more
	})
}

// brokenReader fails in the middle of a scan.
type brokenReader struct{ *sensorthingstest.Memory }

func (b brokenReader) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	n := 0
	if err := b.Memory.Observations(ctx, sc, func(o *sensorthings.Observation) bool { n++; return fn(o) && n < 4000 }); err != nil {
		return err
	}
	return errors.New("disk on fire at /var/lib")
}

// TestBroken tells nothing of the reason of a failure, and breaks off when part
// of the answer is out already, so that the client does not take it for all.
func TestBroken(t *testing.T) {
	t.Parallel()
	h := handlerOver(brokenReader{many(100)}, read.Limits{})
	w := ask(t, h, http.MethodGet, "/Datastreams(1)/Observations")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "fire") || !strings.Contains(w.Body.String(), `"code":500`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h = handlerOver(brokenReader{many(10_000)}, read.Limits{})
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("recovered %v", err)
		}
	}()
	ask(t, h, http.MethodGet, "/Datastreams(1)/Observations?$top=10000")
	t.Error("a broken answer ended well")
}
