package read

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// Limits of one request. Zero fields take the value named.
type Limits struct {
	Page    int           // entities of a page without $top: 100
	MaxPage int           // of a page with $top: 10,000
	Inline  int           // entities that $expand may put into one answer: 50,000
	Rows    int64         // rows read: 20 million
	Time    time.Duration // spent: 30 s
	// HeavyRows is the number of rows from which a request counts as heavy: 50,000.
	// Heavy ones run at most Heavy at a time (half the processors), so that readers
	// do not starve the loggers; others wait for at most HeavyWait (20 s).
	HeavyRows int64
	Heavy     int
	HeavyWait time.Duration
}

func orElse[T int | int64 | time.Duration](v *T, other T) {
	if *v <= 0 {
		*v = other
	}
}

// Service answers requests. It is safe for concurrent use.
type Service struct {
	limits Limits
	now    func() time.Time
	heavy  chan struct{}
}

// New makes a service.
func New(l Limits, now func() time.Time) *Service {
	orElse(&l.Page, 100)
	orElse(&l.MaxPage, 10_000)
	orElse(&l.Inline, 50_000)
	orElse(&l.Rows, 20_000_000)
	orElse(&l.Time, 30*time.Second)
	orElse(&l.HeavyRows, 50_000)
	orElse(&l.Heavy, max(1, runtime.GOMAXPROCS(0)/2))
	orElse(&l.HeavyWait, 20*time.Second)
	return &Service{limits: l, now: now, heavy: make(chan struct{}, l.Heavy)}
}

// ErrBusy is wrapped when too many heavy requests run already.
var ErrBusy = errors.New("read: too many heavy requests")

// What a client is told to do about it.
const (
	Busy    = "too many requests that read a lot are running; try again in a few seconds"
	TooMuch = "this reads more than one request may. Bound phenomenonTime (phenomenonTime ge 2026-01-01T00:00:00Z and phenomenonTime lt 2026-02-01T00:00:00Z), " +
		"go through one Datastream (Datastreams(1)/Observations), ask for smaller pages and follow their @iot.nextLink, or leave $count out"
)

// Request is what is asked.
type Request struct {
	Reader sensorthings.Reader
	Base   string // of the service root: https://example.org/sta/v1.1
	Path   *query.Path
	Query  string // raw, as it came
	Root   Root
}

// Head is what is known of an answer before its body.
type Head struct {
	Type   string // media type
	Single bool   // one entity or less: small, worth an entity tag
	Empty  bool   // the property is null: no body
	File   string // name to save it under, "" = none
	Next   string // address of the next page, where the body has no room for it
}

// Output takes an answer: Begin once, before the first byte.
type Output interface {
	io.Writer
	Begin(Head)
}

const jsonType = "application/json"

func fault(status int, option, message string) error {
	return &query.Error{Status: status, Option: option, At: -1, Message: message}
}

func notFound(message string) error { return fault(http.StatusNotFound, "", message) }

// Answer works out a request and writes what comes of it. Errors are
// *query.Error, or wrap sensorthings.ErrNotFound, sensorthings.ErrTooMuch or
// ErrBusy; others are failures of the Reader or the writer.
func (s *Service) Answer(ctx context.Context, q Request, out Output) error {
	e, done := s.begin(ctx, q)
	defer done()
	if len(q.Path.Steps) == 0 {
		return e.root(q.Root, out)
	}
	t, err := e.resolve(q.Path)
	if err != nil {
		return err
	}
	o, err := query.ParseOptions(t.set, q.Query, s.now())
	if err != nil {
		return err
	}
	switch {
	case len(q.Path.Property) > 0 || q.Path.Value:
		return e.property(t, q.Path, out)
	case t.many:
		return e.collection(t, q.Path, o, out)
	}
	return e.single(t, q.Path, o, out)
}

// begin sets up what one request needs; done gives back what it took.
func (s *Service) begin(ctx context.Context, q Request) (e *env, done func()) {
	m := &sensorthings.Meter{Limit: s.limits.Rows, Until: s.now().Add(s.limits.Time), Now: s.now}
	e = &env{r: q.Reader, meter: m, base: q.Base, limits: s.limits, cache: map[key]*entityRow{}}
	e.ctx = sensorthings.WithMeter(ctx, m)
	took := false
	m.HeavyAt, m.Heavy = s.limits.HeavyRows, func() error {
		wait := time.NewTimer(s.limits.HeavyWait)
		defer wait.Stop()
		select {
		case s.heavy <- struct{}{}:
			took = true
			return nil
		case <-wait.C:
			return ErrBusy
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return e, func() {
		if took {
			<-s.heavy
		}
	}
}
