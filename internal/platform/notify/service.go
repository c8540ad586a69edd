package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
)

// Account is somebody who can be told.
type Account struct {
	ID     string
	Grants access.Grants
}

// Options of a Service.
type Options struct {
	DB    *db.DB
	Kinds []Kind
	// Accounts lists the open accounts of people, inside a transaction or not.
	Accounts  func(ctx context.Context, q db.Querier) ([]Account, error)
	Areas     func() access.Areas
	Senders   map[Channel]Sender // what is not in it is not offered
	Now       func() time.Time
	Catalogue *i18n.Catalogue // nil = the embedded one
	Logger    *slog.Logger    // nil = discard
	BaseURL   string          // before the paths of pages; "" = they are told as they are
	Private   bool            // webhooks may go to private networks and over plain http
	Collect   time.Duration   // what comes within it goes out together; 0 = 30 s, below 0 = at once
	GiveUp    time.Duration   // a delivery is tried for so long; 0 = 24 h
	Keep      time.Duration   // what is older is dropped; 0 = 90 days
	Workers   int             // deliveries at one time; 0 = 4
	Lease     time.Duration   // longer than any try takes; 0 = 5 min
	First     time.Duration   // wait after the first failed try; 0 = 15 s
	Poll      time.Duration   // between two looks; 0 = 1 s
}

// Service tells. All methods may be called from any goroutine.
type Service struct {
	o     Options
	kinds map[string]Kind
	id    string // of this process, in leases
	count counters

	mu      sync.Mutex
	busy    map[string]bool
	unnoted map[string]Outcome // how deliveries went that could not be written down yet
}

// New makes a service; nothing is delivered before Run.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Accounts == nil || o.Areas == nil || o.Now == nil {
		return nil, errors.New("notify: database, accounts, areas and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Catalogue == nil {
		o.Catalogue = i18n.Default()
	}
	o.Collect, o.GiveUp, o.Keep = cmp.Or(o.Collect, 30*time.Second), cmp.Or(o.GiveUp, 24*time.Hour), cmp.Or(o.Keep, 90*24*time.Hour)
	o.Workers, o.Lease, o.First, o.Poll = cmp.Or(o.Workers, 4), cmp.Or(o.Lease, 5*time.Minute), cmp.Or(o.First, 15*time.Second), cmp.Or(o.Poll, time.Second)
	s := &Service{o: o, kinds: map[string]Kind{}, id: uuid.Must(uuid.NewV7()).String(), busy: map[string]bool{}, unnoted: map[string]Outcome{}}
	for _, k := range o.Kinds {
		s.kinds[k.Name] = k
	}
	return s, nil
}

// KindsFor lists the kinds that somebody with these grants may be told at all.
func (s *Service) KindsFor(g access.Grants) []Kind {
	return slices.DeleteFunc(slices.Clone(s.o.Kinds), func(k Kind) bool { return !access.Default().Opens(g, k.Permission) })
}

// Offered lists the channels beside the page that the installation has.
func (s *Service) Offered() []Channel {
	return slices.DeleteFunc(Channels(), func(c Channel) bool { return s.o.Senders[c] == nil })
}
