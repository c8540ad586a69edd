package keeping

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/store"
)

// Options configure a Service.
type Options struct {
	Store     *store.Store
	Place     archive.Place     // where archive files go
	DB        *db.DB            // for the samples; nil = none are taken
	Data      string            // the data folder
	Folders   map[string]string // kinds of Status that lie in folders or files of their own
	Stage     string            // folder in which they are written first
	SealAfter time.Duration     // age from which groups are sealed; 0 = never by itself
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service does the work in the background. It is safe for concurrent use.
type Service struct {
	o    Options
	mu   sync.Mutex
	last error // of the latest sealing; nil = it went well

	looking sync.Mutex
	status  Status
}

// New makes a Service; Run starts it.
func New(o Options) *Service { return &Service{o: o} }

const (
	firstLook = time.Minute // after the start, when that has other work
	interval  = time.Hour
)

// Run seals what has become old, until ctx ends. A place that fails is tried
// again at the next look.
func (s *Service) Run(ctx context.Context) error {
	_ = os.RemoveAll(s.o.Stage) // of a program that was killed
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if s.o.SealAfter > 0 {
			if _, err := s.Seal(ctx, s.o.SealAfter, false); err != nil && ctx.Err() == nil {
				s.o.Logger.WarnContext(ctx, "old groups could not be sealed", slog.String("place", s.o.Place.String()), slog.String("error", err.Error()))
			}
		}
		if err := s.sample(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.WarnContext(ctx, "sizes could not be noted", slog.String("error", err.Error()))
		}
		timer.Reset(interval)
	}
}

// Seal moves all groups older than an age into archive files and returns these;
// with partial also those that do not fill one. What was sealed before a fault
// is returned with it.
func (s *Service) Seal(ctx context.Context, age time.Duration, partial bool) (files []*archive.File, err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last = err
	}()
	o := store.SealOptions{Place: s.o.Place, Stage: s.o.Stage, Before: s.o.Now().Add(-age), Partial: partial}
	for {
		f, err := s.o.Store.Seal(ctx, o)
		if err != nil || f == nil {
			return files, err
		}
		s.o.Logger.InfoContext(ctx, "groups sealed", slog.String("file", f.Name), slog.Uint64("first", f.First), slog.Uint64("last", f.Last), slog.Int64("bytes", f.Size))
		files = append(files, f)
	}
}

// Fault is why the latest sealing failed, nil when it went well.
func (s *Service) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}
