package write

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// StatusOf returns the HTTP status of a refusal, 0 when err is none. Refusals
// are *query.Error; their message names the member and what to do.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*query.Error](err); ok {
		return e.Status
	}
	return 0
}

func refuse(status int, message string) error {
	return &query.Error{Status: status, At: -1, Message: message}
}

// place is where in a body something stands: Datastreams[0].Sensor.
type place struct {
	up   *place
	name string
	at   int // index in an array, -1 = none
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	s := p.name
	if p.at >= 0 {
		s += "[" + strconv.Itoa(p.at) + "]"
	}
	if up := p.up.String(); up != "" {
		return up + "." + s
	}
	return s
}

func (p *place) member(name string) *place      { return &place{p, name, -1} }
func (p *place) item(name string, i int) *place { return &place{p, name, i} }

func bad(p *place, format string, args ...any) error {
	m := fmt.Sprintf(format, args...)
	if at := p.String(); at != "" {
		m = at + ": " + m
	}
	return refuse(http.StatusBadRequest, m)
}

// notThere is a chain or an address that leads to nothing.
func notThere(s sensorthings.Set, id sensorthings.ID) error {
	return refuse(http.StatusNotFound, fmt.Sprintf("there is no %s(%d) here", s, id))
}

// ofOutlet refuses to change what stands for an HJ 212 outlet.
func ofOutlet(p *place, s sensorthings.Set, id sensorthings.ID) error {
	m := fmt.Sprintf("%s(%d) stands for an HJ 212 outlet and is read-only here: its values come from its logger and its description from the registry. "+
		"Change it in the registry (/registry), or make a Thing of your own with POST /Things; its Datastreams may link to the Sensors and ObservedProperties of outlets", s, id)
	if at := p.String(); at != "" {
		m = at + ": " + m
	}
	return refuse(http.StatusConflict, m)
}

// list joins names for a message.
func list(names []string) string { return strings.Join(names, ", ") }
