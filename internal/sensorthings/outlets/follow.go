package outlets

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// What Follow leaves out: nobody who follows wants history that is filled in or
// judged anew.
const (
	followGroups  = 2000 // of the journal, behind
	followJudged  = 2 * daySeconds
	followLatest  = 200 * time.Millisecond // records are gathered so long
	judgedAtLeast = 2 * time.Second
)

// Follow calls fn with observations of outlets as they are received or judged,
// while wanted says that somebody listens, until ctx ends. An observation that
// is corrected comes again. What is handed over is reused.
func (s *Source) Follow(ctx context.Context, wanted func() bool, fn func(*sensorthings.Observation)) error {
	f := &follower{s: s, fn: fn, seq: s.o.Store.Tail(), watch: s.o.Quality.Watch(), at: s.o.Now()}
	f.closed[hour], f.closed[day] = s.closed(hour), s.closed(day)
	for {
		wait, cancel := context.WithTimeout(ctx, judgedAtLeast)
		err := s.o.Store.Wait(wait, f.seq)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, store.ErrClosed) {
			return err
		}
		if err := f.look(ctx, wanted()); err != nil {
			s.o.Logger.ErrorContext(ctx, "observations of outlets could not be followed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followLatest):
		}
	}
}

type follower struct {
	s      *Source
	fn     func(*sensorthings.Observation)
	seq    uint64
	watch  *quality.Watch
	at     time.Time // of the last look at what was judged
	closed [day + 1]int64
}

func (f *follower) look(ctx context.Context, wanted bool) error {
	s := f.s
	tail := s.o.Store.Tail()
	if !wanted {
		f.seq = tail
		f.watch.Take()
		f.closed[hour], f.closed[day] = s.closed(hour), s.closed(day)
		return nil
	}
	if err := s.look(false); err != nil {
		return err
	}
	if tail > f.seq+followGroups {
		s.o.Logger.WarnContext(ctx, "observations of outlets are not announced, too many came at once", slog.Uint64("groups", tail-f.seq))
		f.seq = tail
	}
	if err := f.records(ctx); err != nil {
		return err
	}
	if now := s.o.Now(); now.Sub(f.at) >= judgedAtLeast || now.Before(f.at) {
		f.at = now
		return f.judged(ctx)
	}
	return nil
}

// records announces what the journal holds behind seq.
func (f *follower) records(ctx context.Context) error {
	var list []arrival
	known := map[arrival]bool{}
	err := f.s.o.Store.Groups(f.seq, func(g store.GroupMeta) bool {
		f.seq = g.Seq
		for i := range g.Entries {
			x := &g.Entries[i]
			a := arrival{bodyKey{x.Outlet, realtime}, x.At}
			switch x.Kind {
			case telemetry.KindRealtime:
			case telemetry.KindMinute:
				a.level = minute
			default:
				continue
			}
			if (x.Verdict == telemetry.Stored || x.Verdict == telemetry.Revision) && !known[a] {
				known[a] = true
				list = append(list, a)
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := f.tell(ctx, a.bodyKey, a.at, a.at+1); err != nil {
			return err
		}
	}
	return nil
}

// judged announces hours and days that are over now, and those whose judgement
// is another.
func (f *follower) judged(ctx context.Context) error {
	since := f.watch.Take()
	oldest := f.s.o.Now().Unix() - followJudged
	for _, l := range []level{hour, day} {
		was, is := f.closed[l], f.s.closed(l)
		f.closed[l] = is
		for id := range f.s.o.Registry.Snapshot().Outlets {
			from := max(was, oldest)
			if at, ok := since[id]; ok {
				if l == day {
					at = quality.DayStart(at)
				}
				from = min(from, max(at, oldest))
			}
			if from < is {
				if err := f.tell(ctx, bodyKey{id, l}, from, is); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *follower) tell(ctx context.Context, b bodyKey, from, to int64) error {
	o := f.s.o.Registry.Snapshot().Outlets[b.outlet]
	if o == nil {
		return nil
	}
	for _, se := range f.s.numbers.list.Load().byOutlet[b.outlet] {
		if se.level != b.level {
			continue
		}
		err := f.s.scan(ctx, se, o, from, to, false, func(ob *sensorthings.Observation) bool {
			f.fn(ob)
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}
