package relayweb

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/relay"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
	"plateau/internal/web"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
})

var at = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

type registry struct{ snap telemetry.Snapshot }

func (r *registry) Snapshot() *telemetry.Snapshot { return &r.snap }

var places = &registry{telemetry.Snapshot{
	Version: 1, Areas: map[string]*telemetry.Area{"540102": {Code: "540102", Name: telemetry.Name{Zh: "城关区"}}},
	Enterprises: map[string]*telemetry.Enterprise{"e1": {ID: "e1", Name: telemetry.Name{Zh: "水泥厂（示例）"}}},
	Outlets:     map[telemetry.OutletID]*telemetry.Outlet{1: {ID: 1, Area: "540102", Name: telemetry.Name{Zh: "一号窑", En: "Kiln 1"}}, 2: {ID: 2, Area: "540102", Name: telemetry.Name{Zh: "二号窑"}}},
}}

// rig is the pages over a real service, journal and database.
type rig struct {
	t     *testing.T
	mux   *http.ServeMux
	s     *relay.Service
	store *store.Store
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	base, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = base.Close() })
	journal, err := store.Open(t.TempDir(), store.Options{NoSync: true, CacheMB: 1, MemMB: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journal.Close() })
	sealer, err := auth.OpenSealer(filepath.Join(t.TempDir(), auth.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	s, err := relay.New(relay.Options{DB: base, Journal: journal, Registry: places, Sealer: sealer, Now: func() time.Time { return at }, Private: true, SaveEvery: 5 * time.Millisecond, Look: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, mux: http.NewServeMux(), s: s, store: journal}
	New(Deps{Engine: engine, Relays: s, Registry: places, Now: func() time.Time { return at }}).Register(r.mux)
	return r
}

var (
	keeper  = auth.Principal{ID: "u1", Role: "keeper", Area: "", Post: auth.Post{Zh: "系统管理员（示例）"}}
	officer = auth.Principal{ID: "u2", Role: "officer"}
	edge    = &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}
)

func (r *rig) ask(who auth.Principal, method, target string, form ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	in := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		in.Add(form[i], form[i+1])
	}
	req := httptest.NewRequestWithContext(auth.With(httpd.WithEdge(r.t.Context(), edge), who), method, target, strings.NewReader(in.Encode()))
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, req)
	return w
}

// sees fails where a page lacks one of texts or, behind "not", holds one.
func (r *rig) sees(target string, texts ...string) string {
	r.t.Helper()
	w := r.ask(keeper, http.MethodGet, target)
	body := w.Body.String()
	if w.Code != http.StatusOK {
		r.t.Fatalf("%s: %d", target, w.Code)
	}
	not := false
	for _, s := range texts {
		if s == "not" {
			not = true
		} else if strings.Contains(body, s) == not {
			r.t.Errorf("%s: %q, wanted %v", target, s, !not)
		}
	}
	return body
}

// goes fails where a form was not taken, and returns where the reader is sent.
func (r *rig) goes(target string, form ...string) string {
	r.t.Helper()
	w := r.ask(keeper, http.MethodPost, target, form...)
	if w.Code != http.StatusSeeOther {
		r.t.Fatalf("%s: %d %s", target, w.Code, regexp.MustCompile(`wrong-text[^<]*<?[^<]*`).FindAllString(w.Body.String(), -1))
	}
	return w.Header().Get("Location")
}

// platform acknowledges, but for one MN.
func platform(t *testing.T, unknown string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				s := hj212.NewScanner(hj212.ScanOptions{})
				var p hj212.Packet
				for {
					if _, err := s.Fill(c); err != nil {
						return
					}
					for ev, ok := s.Next(); ok; ev, ok = s.Next() {
						if ev.Err != nil || p.Parse(ev.Seg) != nil {
							continue
						}
						b, _ := hj212.AppendAck(nil, &p)
						if string(p.Bytes(p.MN)) == unknown {
							m := hj212.Logger{Version: hj212.V2017, MN: unknown}.Ready(&p, hj212.QnBadMN, 0)
							b, _ = m.AppendTo(nil)
						}
						_, _ = c.Write(b)
					}
				}
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func (r *rig) put(outlet int, mn string, at time.Time) {
	r.t.Helper()
	seg := "QN=" + string(hj212.AppendQN(nil, at)) + ";ST=31;CN=2011;PW=1;MN=" + mn + ";Flag=5;CP=&&DataTime=" + string(hj212.AppendTime(nil, at)) + ";a21026-Rtd=1.5,a21026-Flag=N&&"
	raw := hj212.AppendFrame(nil, []byte(seg))
	done := make(chan store.Result, 1)
	f := &store.Frame{MN: mn, Outlet: telemetry.OutletID(outlet), Kind: telemetry.KindRealtime, At: at.Unix(), Received: at, Raw: raw[:len(raw)-2], Verdict: telemetry.Stored, Key: mn + at.String(), Done: func(x store.Result) { done <- x }}
	if err := r.store.Submit(r.t.Context(), f); err != nil {
		r.t.Fatal(err)
	}
	if x := <-done; x.Err != nil {
		r.t.Fatal(x.Err)
	}
}

// TestKeeperAddsAPlatform: from an empty list to frames that are acknowledged,
// refused and sent again, a name, other settings, a pause, and the end.
func TestKeeperAddsAPlatform(t *testing.T) {
	t.Parallel()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, d.URL(t))
			ctx, stop := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- r.s.Run(ctx) }()
			defer func() {
				stop()
				if err := <-over; err != nil {
					t.Error(err)
				}
			}()
			r.sees("/en/relay", "No frames go on yet", `href="/en/relay/new"`)
			r.sees("/en/relay/new", `name="from"`, `name="kinds" value="2011" checked`, "not", `name="pw_clear"`)
			to := r.goes("/en/relay/new", "name", "省平台", "host", "127.0.0.1", "port", platform(t, "B2"), "version", "2017", "ack", "1", "pw", "sesame", "rate", "50", "window", "64", "kinds", "2011", "kinds", "2061", "areas", "540102")
			r.put(1, "A1", at)
			r.put(2, "B2", at)
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if _, n, err := r.s.Refused(t.Context(), filepath.Base(to), 1); err != nil || n == 1 {
					break
				}
			}
			r.sees("/en/relay", "省平台", "connected", "城关区", "2011 2061")
			page := r.sees(to, "unknown MN (QnRtn 4)", "二号窑", "B2", "own password", "1 acknowledged", "系统管理员（示例）", "not", "sesame", `name="from"`)
			frame := regexp.MustCompile(`name="frame" value="(\d+-\d+)"`).FindStringSubmatch(page)
			if frame == nil {
				t.Fatal("no frame to choose")
			}
			if w := r.ask(keeper, http.MethodPost, to+"/name", "of", "B2", "theirs", "a b"); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Enter an MN") {
				t.Errorf("%d", w.Code)
			}
			r.goes(to+"/name", "of", "B2", "theirs", "THERE2", "map_pw", "simsim")
			r.goes(to+"/name", "of", "#1", "theirs", "THERE1")
			r.sees(to, "THERE2", "THERE1", "#1 Kiln 1", "not", "simsim")
			r.goes(to+"/again", "frame", frame[1])
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if _, n, err := r.s.Refused(t.Context(), filepath.Base(to), 1); err != nil || n == 0 {
					break
				}
			}
			r.sees(to, "The platform refused nothing", "2 acknowledged")
			r.goes(to+"/name/drop", "of", "#1")
			r.sees(to, "not", "THERE1")
			r.goes(to + "/test")
			edition := regexp.MustCompile(`name="edition" value="(\d+)"`).FindStringSubmatch(r.sees(to))[1]
			set := []string{"edition", edition, "name", "部平台", "host", "127.0.0.1", "port", "1", "rate", "5", "window", "8", "kinds", "2061", "enterprises", "e1", "outlets", "2"}
			if w := r.ask(keeper, http.MethodPost, to, append(set, "rate", "x", "outlets", "x")...); w.Code != http.StatusSeeOther { // the first value counts
				t.Errorf("%d", w.Code)
			}
			now, err := r.s.Get(t.Context(), filepath.Base(to))
			if err != nil || now.PW != "sesame" || now.Name != "部平台" || now.Rate != 5 || now.Ack || len(now.Outlets) != 1 {
				t.Errorf("%+v, %v", now, err)
			}
			if w := r.ask(keeper, http.MethodPost, to, set...); w.Code != http.StatusConflict {
				t.Errorf("an old edition: %d", w.Code)
			}
			bad := []string{"edition", "0", "name", "", "host", "http://x", "port", "0", "rate", "x", "window", "0", "outlets", "x y", "pw_clear", "1"}
			if w := r.ask(keeper, http.MethodPost, to, bad...); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "There is no outlet x") || !strings.Contains(w.Body.String(), "Choose one kind") {
				t.Errorf("%d", w.Code)
			}
			r.sees("/bo/relay", "部平台")
			r.sees("/zh"+strings.TrimPrefix(to, "/en"), "水泥厂（示例）", "二号窑")
			r.goes(to + "/pause")
			r.sees(to, "paused", to+"/resume")
			r.goes(to + "/resume")
			if w := r.ask(keeper, http.MethodPost, to+"/delete"); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("deleted without being sure: %d", w.Code)
			}
			if got := r.goes(to+"/delete", "sure", "1"); got != "/en/relay" {
				t.Error(got)
			}
			if w := r.ask(keeper, http.MethodGet, to); w.Code != http.StatusNotFound {
				t.Errorf("%d", w.Code)
			}
		})
	}
}

// TestWhomItServes: keepers, nobody else.
func TestWhomItServes(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir()+"/x.db")
	for _, rt := range routes() {
		path := "/zh" + strings.Replace(rt.Path, "{id}", "x", 1)
		if w := r.ask(officer, rt.Method, path); w.Code != http.StatusForbidden {
			t.Errorf("%s %s: an officer gets %d", rt.Method, path, w.Code)
		}
		if w := r.ask(auth.Principal{}, rt.Method, path); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/zh/login") {
			t.Errorf("%s %s: nobody gets %d", rt.Method, path, w.Code)
		}
	}
}
