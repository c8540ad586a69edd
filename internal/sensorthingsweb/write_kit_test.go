package sensorthingsweb_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/write"
	"plateau/internal/sensorthingsweb"
)

// server is the interface over a store of its own, open to everybody.
type server struct {
	testing.TB
	h     http.Handler
	sta   *sensorthingsweb.Handler
	clock atomic.Int64 // seconds since the start of 2026
}

func newServer(tb testing.TB, change func(*sensorthingsweb.Deps)) *server {
	tb.Helper()
	s := &server{TB: tb}
	now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, int(s.clock.Load()), 0, time.UTC) }
	store, err := entitystore.Open(filepath.Join(tb.TempDir(), "sta"), entitystore.Options{Now: now, NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	d := sensorthingsweb.Deps{
		Reader: func(*http.Request) sensorthings.Reader { return store },
		Write:  write.New(write.Options{Store: store, Now: now}),
		Open:   true, Conformance: sensorthingsweb.WriteConformance(), Now: now,
	}
	if change != nil {
		change(&d)
	}
	s.sta = sensorthingsweb.New(d)
	s.h = s.sta
	return s
}

// reply is an answer.
type reply struct {
	*httptest.ResponseRecorder
	s *server
}

// do sends a request; header is name, value pairs.
func (s *server) do(method, address, body string, header ...string) reply {
	s.Helper()
	path, query, _ := strings.Cut(address, "?")
	if query != "" {
		path += "?" + strings.ReplaceAll(query, " ", "%20")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/sta/v1.1/" + path
	}
	r := httptest.NewRequestWithContext(s.Context(), method, "http://host"+path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return reply{w, s}
}

// must sends a request and holds its status.
func (s *server) must(status int, method, address, body string, header ...string) reply {
	s.Helper()
	r := s.do(method, address, body, header...)
	if r.Code != status {
		s.Fatalf("%s %s %.300s: %d, want %d: %.600s", method, address, body, r.Code, status, r.Body)
	}
	if status >= 400 {
		var e struct {
			Code    int
			Type    string
			Message string
		}
		if err := json.Unmarshal(r.Body.Bytes(), &e); err != nil || e.Code != status || e.Type != "error" || e.Message == "" {
			s.Errorf("%s %s: the error is not told as such: %s", method, address, r.Body)
		}
	}
	return r
}

// create posts and returns the path of what was made, such as Things(1).
func (s *server) create(address, body string) string {
	s.Helper()
	r := s.must(http.StatusCreated, http.MethodPost, address, body)
	loc := r.Header().Get("Location")
	path, ok := strings.CutPrefix(loc, "http://host/sta/v1.1/")
	if !ok {
		s.Fatalf("Location %q", loc)
	}
	var e map[string]any
	if err := json.Unmarshal(r.Body.Bytes(), &e); err != nil || e["@iot.selfLink"] != loc {
		s.Fatalf("POST %s answers %s", address, r.Body)
	}
	return path
}

// link is a link to what create made.
func link(path string) string {
	_, id, _ := strings.Cut(path, "(")
	return `{"@iot.id":` + strings.TrimSuffix(id, ")") + `}`
}

// get reads an entity.
func (s *server) get(address string) map[string]any {
	s.Helper()
	r := s.must(http.StatusOK, http.MethodGet, address, "")
	var e map[string]any
	d := json.NewDecoder(bytes.NewReader(r.Body.Bytes()))
	d.UseNumber()
	if err := d.Decode(&e); err != nil {
		s.Fatalf("GET %s: %v", address, err)
	}
	return e
}

// count counts a set.
func (s *server) count(address string) int {
	s.Helper()
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	n, err := s.get(address + sep + "$count=true&$top=0")["@iot.count"].(json.Number).Int64()
	if err != nil {
		s.Fatal(err)
	}
	return int(n)
}

// values lists one member of the entities of a set.
func (s *server) values(address, member string) (out []string) {
	s.Helper()
	list, ok := s.get(address)["value"].([]any)
	if !ok {
		s.Fatalf("GET %s is no set", address)
	}
	for _, e := range list {
		m, _ := e.(map[string]any)
		out = append(out, fmt.Sprint(m[member]))
	}
	return out
}

func (s *server) is(what string, got, want any) {
	s.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		s.Errorf("%s: %s, want %s", what, g, w)
	}
}

const (
	aSensor   = `{"name":"S","description":"d","encodingType":"application/pdf","metadata":"http://e/x.pdf"}`
	aProperty = `{"name":"P","definition":"http://e/p","description":"d"}`
	aStream   = `"name":"D","description":"d","observationType":"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement","unitOfMeasurement":{"name":"n","symbol":"s","definition":"u"}`
	aLocation = `{"name":"L","description":"d","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[8.4,49]}}`
	aPlace    = `{"name":"L2","description":"d","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[9,50]}}`
)

func aDatastream(more string) string {
	return `{` + aStream + `,"Sensor":` + aSensor + `,"ObservedProperty":` + aProperty + more + `}`
}

// station makes a Thing with a Location and a Datastream.
func (s *server) station() (thing, datastream string) {
	s.Helper()
	thing = s.create("Things", `{"name":"T","description":"d","Locations":[`+aLocation+`]}`)
	return thing, s.create(thing+"/Datastreams", aDatastream(""))
}

func readAll(tb testing.TB, r io.Reader) string {
	tb.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
