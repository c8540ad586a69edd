package sensorthingsweb_test

import (
	"net/http"
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/sensorthingsweb"
)

// as lets a server take every request for one of a principal's.
func (s *server) as(p auth.Principal) *server {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.sta.ServeHTTP(w, r.WithContext(auth.With(r.Context(), p)))
	})
	other := &server{TB: s.TB, sta: s.sta, h: h}
	return other
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(d *sensorthingsweb.Deps) { d.Open = false })
	nobody, operator := s.as(auth.Principal{}), s.as(auth.Principal{ID: "o", Role: auth.Operator, Token: true})
	thing := operator.create("Things", `{"name":"T","description":"d"}`)
	change := `{"requests":[{"id":"1","method":"patch","url":"` + thing + `","body":{"name":"X"}},{"id":"2","atomicityGroup":"g","method":"delete","url":"` + thing + `"}]}`
	for _, tt := range []struct {
		who         *server
		read, write int
	}{
		{nobody, 401, 401},
		{s.as(auth.Principal{ID: "f", Role: auth.Officer}), 200, 403},
		{s.as(auth.Principal{ID: "e", Role: auth.Business, Enterprise: "E1"}), 200, 403},
		{operator, 200, 200},
	} {
		tt.who.must(tt.read, "GET", thing, "")
		r := tt.who.must(tt.write, "PATCH", thing, `{"description":"x"}`)
		if tt.write == 401 && r.Header().Get("WWW-Authenticate") == "" {
			t.Error("a 401 without a challenge")
		}
		if tt.write < 400 {
			continue
		}
		tt.who.must(tt.write, "POST", "Things", `{"name":"T","description":"d"}`)
		tt.who.must(tt.write, "POST", "CreateObservations", `[]`)
		tt.who.must(tt.write, "DELETE", thing, "")
		tt.who.must(tt.write, "DELETE", "Things?$filter=name eq 'T'", "")
		tt.who.must(tt.read, "POST", "$batch", change, "Content-Type", "application/json")
	}
	if e := operator.get(thing); e["name"] != "T" || operator.count("Things") != 1 {
		t.Errorf("somebody changed it: %v", e)
	}
}

func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(d *sensorthingsweb.Deps) { d.Open, d.Rate = false, 3 })
	one, other := s.as(auth.Principal{ID: "1", Role: auth.Operator}), s.as(auth.Principal{ID: "2", Role: auth.Operator})
	for range 3 {
		one.create("Things", `{"name":"T","description":"d"}`)
	}
	if wait := one.must(429, "POST", "Things", `{"name":"T","description":"d"}`).Header().Get("Retry-After"); wait != "1" {
		t.Errorf("Retry-After %q", wait)
	}
	one.must(200, "GET", "Things", "")
	other.create("Things", `{"name":"T","description":"d"}`)
	s.clock.Add(1)
	one.create("Things", `{"name":"T","description":"d"}`)
}
