package sensorthingsweb_test

import (
	"fmt"
	"net/http"
	"strings"
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
	// A change set may be longer than what is left, and the next one waits for it.
	third := s.as(auth.Principal{ID: "3", Role: auth.Operator})
	var set []string
	for i := range 7 {
		set = append(set, fmt.Sprintf(`{"id":"%d","atomicityGroup":"g","method":"post","url":"Things","body":{"name":"T","description":"d"}}`, i))
	}
	body := `{"requests":[` + strings.Join(set, ",") + `]}`
	if r := third.must(200, "POST", "$batch", body, "Content-Type", "application/json").Body.String(); strings.Count(r, `"status":201`) != 7 {
		t.Errorf("the first change set: %s", r)
	}
	if r := third.must(200, "POST", "$batch", body, "Content-Type", "application/json").Body.String(); !strings.Contains(r, `"status":429,"headers":{"retry-after":"2"}`) {
		t.Errorf("the second change set: %s", r)
	}
	parts := "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\n\nDELETE /Things(1) HTTP/1.1\n\n--c--\n--b--\n"
	if r := third.must(200, "POST", "$batch", parts, "Content-Type", "multipart/mixed; boundary=b").Body.String(); !strings.Contains(r, "HTTP/1.1 429 ") || !strings.Contains(r, "\r\nRetry-After: 2\r\n") {
		t.Errorf("the third change set: %s", r)
	}
}

// Observations of a change set that is undone are not counted.
func TestOnlyWhatIsStoredIsCounted(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	_, datastream := s.station()
	was := s.sta.Stats().Observations
	set := func(second string) {
		s.must(200, "POST", "$batch", `{"requests":[{"id":"1","atomicityGroup":"g","method":"post","url":"CreateObservations","body":[{"Datastream":`+link(datastream)+
			`,"components":["phenomenonTime","result"],"dataArray":[["2026-01-01T00:00:00Z",1],["2026-01-01T01:00:00Z",2]]}]},
			{"id":"2","atomicityGroup":"g","method":"patch","url":"`+second+`","body":{"description":"x"}}]}`, "Content-Type", "application/json")
	}
	set("Datastreams(1999999999)")
	if n := s.sta.Stats().Observations - was; n != 0 {
		t.Errorf("%d observations counted of a change set that was undone", n)
	}
	set(datastream)
	if n := s.sta.Stats().Observations - was; n != 2 {
		t.Errorf("%d observations counted of 2", n)
	}
}
