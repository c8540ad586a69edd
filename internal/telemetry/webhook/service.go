package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry/events"
)

// Options of a Service.
type Options struct {
	DB       *db.DB
	Log      *events.Log
	Registry events.Registry
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	BaseURL  string           // of the installation, for links in events
	Private  bool             // addresses of this machine and of private networks, and http, may be told
	Timeout  time.Duration    // of one delivery; 0 = 10 s
	GiveUp   time.Duration    // an event is tried for so long; 0 = 72 h
	Workers  int              // deliveries at one time; 0 = 8
	First    time.Duration    // wait after the first failed try; 0 = 5 s
}

// Service keeps subscriptions and delivers. All methods may be called from any
// goroutine.
type Service struct {
	o      Options
	client *http.Client
	count  counters

	mu   sync.Mutex
	busy map[string]bool // subscriptions at work
}

// New makes a service; nothing is delivered before Run.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Log == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("webhook: database, log, registry and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.GiveUp <= 0 {
		o.GiveUp = 72 * time.Hour
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.First <= 0 {
		o.First = outbound.Shortest
	}
	return &Service{o: o, client: outbound.Client(outbound.Options{Timeout: o.Timeout, Private: o.Private, Setting: "webhooks.allow_private"}), busy: map[string]bool{}}, nil
}

// Add makes a subscription that is told of what happens from now on; without a
// secret it gets one. Errors: errs.Invalid by field, errs.Conflict when there
// are too many.
func (s *Service) Add(ctx context.Context, h Hook) (Hook, error) {
	if h.Secret == "" {
		h.Secret = outbound.NewSecret()
	}
	if err := h.check(s.o.Registry.Snapshot(), s.o.Private); err != nil {
		return h, err
	}
	_, last, err := s.o.Log.Bounds(ctx)
	if err != nil {
		return h, err
	}
	h.ID, h.Next, h.Version = uuid.Must(uuid.NewV7()).String(), last, 1
	h.Created = s.o.Now().UTC()
	h.Updated = h.Created
	return h, s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM webhooks`).Scan(&n); err != nil {
			return err
		}
		if n >= maxHook {
			return errs.New(errs.Conflict, "webhook.err.many", "most", maxHook)
		}
		if err := insert(ctx, tx, &h); err != nil {
			return err
		}
		return s.audit(ctx, tx, "create", &h)
	})
}

// audit notes what was done to a subscription, without its secret.
func (s *Service) audit(ctx context.Context, tx *db.Tx, act string, h *Hook) error {
	by := auth.From(ctx)
	if !by.Known() {
		by = auth.System
	}
	detail, err := json.Marshal(map[string]any{"url": h.URL, "version": h.Version, "paused": h.Paused})
	if err != nil {
		return err
	}
	e := by.Entry(s.o.Now(), "telemetry", "webhook."+act, "webhook", h.ID)
	e.Detail = string(detail)
	return audit.Append(ctx, tx, e)
}

// ErrChanged tells that a subscription was changed since it was read.
var ErrChanged = errors.New("webhook: changed meanwhile")

// Change edits a subscription. version is the one that was read; another one,
// unless 0, is ErrChanged. What was waiting for its next try is tried at once.
func (s *Service) Change(ctx context.Context, id string, version int64, edit func(h *Hook)) (h Hook, err error) {
	err = s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if h, err = get(ctx, tx, id); err != nil {
			return err
		}
		if version != 0 && version != h.Version {
			return fmt.Errorf("%w: %w", ErrChanged, errs.New(errs.Conflict, "webhook.err.changed"))
		}
		edit(&h)
		if err := h.check(s.o.Registry.Snapshot(), s.o.Private); err != nil {
			return err
		}
		h.Version++
		h.Updated, h.NextTry = s.o.Now().UTC(), time.Time{}
		if err := update(ctx, tx, &h); err != nil {
			return err
		}
		return s.audit(ctx, tx, "update", &h)
	})
	return h, err
}

// Delete ends a subscription; errs.NotFound when there is none, ErrChanged as
// Change.
func (s *Service) Delete(ctx context.Context, id string, version int64) error {
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		h, err := get(ctx, tx, id)
		if err != nil {
			return err
		}
		if version != 0 && version != h.Version {
			return fmt.Errorf("%w: %w", ErrChanged, errs.New(errs.Conflict, "webhook.err.changed"))
		}
		if _, err := tx.Exec(ctx, `DELETE FROM webhook_log WHERE webhook = $1`, id); err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, `DELETE FROM webhooks WHERE id = $1`, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, "delete", &h)
	})
}

// TestKind is the kind of the event that Test sends.
const TestKind = "webhook.test"

// Test sends an event of kind webhook.test at once and returns how it went.
func (s *Service) Test(ctx context.Context, id string) (Delivery, error) {
	h, err := s.Get(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	e := events.Event{ID: uuid.Must(uuid.NewV7()).String(), Time: s.o.Now().UTC(), Kind: TestKind, Path: "/"}
	a := s.post(ctx, &h, e.ID, e.JSON(s.o.BaseURL))
	d := s.delivery("", TestKind, 1, &a)
	return d, s.o.DB.Tx(ctx, func(tx *db.Tx) error { return note(ctx, tx, h.ID, &d) })
}

func (s *Service) delivery(event, kind string, try int, a *outbound.Answer) Delivery {
	d := Delivery{ID: uuid.Must(uuid.NewV7()).String(), Event: event, Kind: kind, At: s.o.Now().UTC(), Try: try, Status: a.Status, Took: a.Took, Outcome: Done, Fault: a.Fault()}
	if a.Err != nil {
		d.Outcome = Retry
	}
	return d
}
