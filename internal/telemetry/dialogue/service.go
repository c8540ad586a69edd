package dialogue

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
)

// Gateway reaches the loggers.
type Gateway interface {
	Request(ctx context.Context, mn string, cmd hj212.Command, progress func(gateway.Event)) (gateway.Dialogue, error)
	Device(mn string) (gateway.DeviceStatus, bool)
}

// Registry learns what a logger has been told.
type Registry interface {
	Snapshot() *telemetry.Snapshot
	// EditOutlet changes part of an outlet.
	EditOutlet(ctx context.Context, id telemetry.OutletID, by auth.Principal, fn func(o *telemetry.Outlet) error) error
	// OfferPassword lets a logger use pw beside its present password.
	OfferPassword(ctx context.Context, mn, pw string, by auth.Principal) error
	// SettlePassword makes pw, one of the two, the password; the other one stays
	// accepted until DropPassword.
	SettlePassword(ctx context.Context, mn, pw string, by auth.Principal) error
	// AddKey puts an SM4 key before those that frames of a logger are opened by.
	AddKey(ctx context.Context, mn string, key []byte, by auth.Principal) error
	// DropPassword ends the acceptance of the second password.
	DropPassword(ctx context.Context, mn string, by auth.Principal) error
}

// Who asks: a page, a program, or the program itself for a reason.
const (
	FromPage      = "page"
	FromAPI       = "api"
	FromBackfill  = "backfill"
	FromFirstLink = "first_link"
	FromClock     = "clock"
)

// Options are what a Service needs.
type Options struct {
	DB       *db.DB
	Gateway  Gateway
	Registry Registry
	Now      func() time.Time
	Logger   *slog.Logger
}

// Service carries out commands and keeps their log. It is safe for concurrent use.
type Service struct {
	o    Options
	mu   sync.Mutex
	runs map[string]*run // under way, by MN
	ctx  context.Context //nolint:containedctx // base of dialogues that outlive their request, ends with Close
	stop context.CancelFunc
	wait sync.WaitGroup
}

// run is a dialogue under way.
type run struct {
	mu  sync.Mutex
	rec Record
}

func (r *run) record() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.rec
	rec.Steps = append([]Step(nil), rec.Steps...)
	rec.Values = maps.Clone(rec.Values)
	return rec
}

// New returns a service. Dialogues that a former program left under way are
// noted as broken off: what the logger did is not known.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, runs: map[string]*run{}}
	if err := s.breakOff(ctx); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close ends the dialogues under way and waits for them.
func (s *Service) Close() {
	s.stop()
	s.wait.Wait()
}

// Order is a command to a logger.
type Order struct {
	MN      string
	Act     string // name of the act, see Acts
	Command hj212.Command
	Params  map[string]string // as asked, for the log; no secrets
	Secret  string            // the new password of Act "set_password"
	Origin  string
	By      auth.Principal // zero: who asks by the context
	Key     string         // of an idempotent request: the same order is carried out once; "" = none
}

// Start writes the order down, begins the dialogue and returns at once.
// errs.NotFound when no such logger serves, errs.Conflict when a dialogue with
// it is under way. An order whose Key was seen before returns the dialogue of
// then and again is true.
func (s *Service) Start(ctx context.Context, o Order) (rec Record, again bool, err error) {
	r, again, err := s.begin(ctx, &o)
	if err != nil || again {
		if r != nil {
			rec = r.record()
		}
		return rec, again, err
	}
	s.wait.Go(func() {
		// It goes on when the request that asked for it has been answered.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		_ = s.follow(ctx, o, r)
	})
	return r.record(), false, nil
}

// Do carries an order out and returns when it is over. The error is one of
// package gateway, or of the database.
func (s *Service) Do(ctx context.Context, o Order) (Record, error) {
	r, again, err := s.begin(ctx, &o)
	if err != nil {
		return Record{}, err
	}
	if again {
		return r.record(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	err = s.follow(ctx, o, r)
	return r.record(), err
}

// longest is the time after which a dialogue is given up, whatever still comes.
const longest = 10 * time.Minute

func (s *Service) begin(ctx context.Context, o *Order) (*run, bool, error) {
	d := s.o.Registry.Snapshot().Devices[o.MN]
	if d == nil {
		return nil, false, errs.New(errs.NotFound, "problem.not_found")
	}
	if !o.By.Known() {
		o.By = auth.From(ctx)
	}
	if o.Key != "" {
		old, err := s.byKey(ctx, o.By.ID, o.Key)
		if err == nil {
			return &run{rec: old}, true, nil
		}
		if !errs.Is(err, errs.NotFound) {
			return nil, false, err
		}
	}
	now := s.o.Now()
	r := &run{rec: Record{
		ID: uuid.Must(uuid.NewV7()).String(), MN: o.MN, Outlet: d.Outlet, Act: o.Act, CN: o.Command.CN, Params: o.Params, Origin: o.Origin,
		ByID: o.By.ID, By: o.By.Post.Zh, Started: now.UTC().Truncate(time.Microsecond), Outcome: Running, QnRtn: -1, ExeRtn: -1, Values: map[string]string{},
	}}
	s.mu.Lock()
	if s.runs[o.MN] != nil {
		s.mu.Unlock()
		return nil, false, errs.New(errs.Conflict, "command.busy")
	}
	s.runs[o.MN] = r
	s.mu.Unlock()
	if err := s.insert(ctx, &r.rec, o.Key); err != nil {
		s.forget(o.MN)
		return nil, false, err
	}
	return r, false, nil
}

func (s *Service) forget(mn string) {
	s.mu.Lock()
	delete(s.runs, mn)
	s.mu.Unlock()
}

// follow runs the exchange and keeps its steps.
func (s *Service) follow(ctx context.Context, o Order, r *run) error {
	defer s.forget(o.MN)
	save := func() {
		rec := r.record()
		if err := s.update(context.WithoutCancel(ctx), &rec); err != nil {
			s.o.Logger.WarnContext(ctx, "dialogue not written down", slog.String("mn", o.MN), slog.String("error", err.Error()))
		}
	}
	var err error
	switch o.Act {
	case "set_password":
		err = s.o.Registry.OfferPassword(ctx, o.MN, o.Secret, o.By)
	case "set_key": // frames are opened by any of the keys, so that it may come first
		err = s.o.Registry.AddKey(ctx, o.MN, []byte(o.Secret), o.By)
	}
	var d gateway.Dialogue
	if err == nil {
		d, err = s.o.Gateway.Request(ctx, o.MN, o.Command, func(e gateway.Event) {
			r.mu.Lock()
			r.rec.note(e)
			r.mu.Unlock()
			if e.Step != gateway.StepData {
				save()
			}
		})
	}
	r.mu.Lock()
	rec := &r.rec
	rec.QN, rec.Attempts, rec.QnRtn, rec.ExeRtn, rec.Data = d.QN, d.Attempts, d.QnRtn, d.ExeRtn, d.Data
	maps.Copy(rec.Values, d.Values)
	r.mu.Unlock()
	learned := s.learn(context.WithoutCancel(ctx), o, d, err)
	r.mu.Lock()
	rec.Ended, rec.Outcome = s.o.Now().UTC().Truncate(time.Microsecond), OutcomeOf(err)
	if learned != nil {
		rec.Outcome = NotLearned
	}
	r.mu.Unlock()
	save()
	if err == nil {
		err = learned
	}
	if err != nil {
		s.o.Logger.InfoContext(ctx, "dialogue with logger ended", slog.String("mn", o.MN), slog.String("act", o.Act), slog.String("error", err.Error()))
	}
	return err
}

// learn tells the registry what the logger now does differently.
func (s *Service) learn(ctx context.Context, o Order, d gateway.Dialogue, err error) error {
	switch {
	case o.Act == "set_password":
		return s.learnPassword(ctx, o, d, err)
	case err != nil, o.Origin == FromFirstLink: // what it is told then is what the registry says
		return nil
	case o.Act == "set_realtime_interval", o.Act == "set_minute_interval":
		return s.learnInterval(ctx, o)
	}
	return nil
}

// learnInterval notes how often the logger reports from now on: silence and
// gaps are told by it.
func (s *Service) learnInterval(ctx context.Context, o Order) error {
	d := s.o.Registry.Snapshot().Devices[o.MN]
	if d == nil {
		return nil
	}
	now := s.o.Now().UTC().Truncate(time.Second)
	return s.o.Registry.EditOutlet(ctx, d.Outlet, o.By, func(out *telemetry.Outlet) error {
		iv := out.IntervalAt(now)
		was := iv
		if o.Act == "set_minute_interval" {
			iv.Minute = atoi(o.Params["minutes"])
		} else {
			iv.Realtime = atoi(o.Params["seconds"])
		}
		if iv != was {
			iv.From = now
			out.Intervals = append(out.Intervals, iv)
		}
		return nil
	})
}

// Outcomes of a dialogue.
const (
	Running      = "running"
	Done         = "done"
	NotConnected = "not_connected"
	Busy         = "busy"
	NoAnswer     = "no_answer"
	Unfinished   = "unfinished"
	Refused      = "refused"
	NoData       = "no_data"
	Failed       = "failed"
	Broken       = "broken"      // the program ended meanwhile
	NotLearned   = "not_learned" // the logger did it, the registry could not be told
)

// OutcomeOf names how a dialogue ended by the error of the gateway.
func OutcomeOf(err error) string {
	switch {
	case err == nil:
		return Done
	case errors.Is(err, gateway.ErrNotConnected):
		return NotConnected
	case errors.Is(err, gateway.ErrBusy):
		return Busy
	case errors.Is(err, gateway.ErrNoAnswer):
		return NoAnswer
	case errors.Is(err, gateway.ErrUnfinished):
		return Unfinished
	case errors.Is(err, gateway.ErrRefused):
		return Refused
	case errors.Is(err, gateway.ErrNoData):
		return NoData
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Broken
	}
	return Failed
}
