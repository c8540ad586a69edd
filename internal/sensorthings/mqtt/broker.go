package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"

	"plateau/internal/platform/auth"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/telemetry/events"
)

// Options are what a Broker is made of.
type Options struct {
	Addr string // of MQTT over TCP
	// Base is the address of the SensorThings root in the links of entities.
	Base func() string
	// Open lets everybody in who gives no password, to read and to publish.
	Open bool
	// Token finds out whose an API token is.
	Token func(ctx context.Context, token string) (auth.Principal, error)
	// Reader is what somebody may see; the Reader of auth.System sees everything.
	Reader func(p auth.Principal) sensorthings.Reader
	// Hears reports whether somebody may hear of an event of no outlet.
	Hears func(p auth.Principal, e *events.Event) bool
	// Create makes an observation that was published; its errors name what is wrong.
	Create func(ctx context.Context, p *query.Path, body []byte) error
	// States are the present states of outlets, as events; nil = none.
	States func() ([]events.Event, error)

	MaxClients int // connected at once; 0 = 10,000
	Queue      int // messages that may wait for one client; 0 = 1,024
	Now        func() time.Time
	Logger     *slog.Logger
}

// Limits that are no matter of settings.
const (
	maxPacket      = 1 << 20     // bytes of a publication
	maxTopics      = 1000        // of one client
	sessionSeconds = 3600        // subscriptions of a client that went away
	recheckEvery   = time.Minute // whether a token still holds
	connectWithin  = 10 * time.Second
)

// Stats are counters since the start, and sizes now.
type Stats struct {
	Clients, Topics                    int
	Sent, Created, Refused, Slow, Lost int64
}

// Broker is the broker. It is safe for concurrent use.
type Broker struct {
	o      Options
	server *mochi.Server
	tcp    net.Listener
	ws     websocket.Upgrader
	all    sensorthings.Reader

	mu       sync.RWMutex
	sessions map[*mochi.Client]*session
	numbers  map[string]*numbers // by client identifier, as long as its session lasts
	topics   map[string]*subscribed
	index    map[indexKey]map[*subscribed]struct{}
	asked    map[sensorthings.Set]map[string]int // topics in index by set and relation

	sent, created, refused, slow, lost atomic.Int64
}

// New makes a broker.
func New(o Options) (*Broker, error) {
	if o.Base == nil || o.Token == nil || o.Reader == nil || o.Hears == nil || o.Create == nil || o.Now == nil {
		return nil, errors.New("mqtt: base, token, reader, create and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxClients <= 0 {
		o.MaxClients = 10_000
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	b := &Broker{o: o, all: o.Reader(auth.System), sessions: map[*mochi.Client]*session{}, numbers: map[string]*numbers{}, topics: map[string]*subscribed{}, index: map[indexKey]map[*subscribed]struct{}{}, asked: map[sensorthings.Set]map[string]int{}}
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClients, c.MaximumPacketSize, c.MaximumSessionExpiryInterval = int64(o.MaxClients), maxPacket, sessionSeconds
	c.SharedSubAvailable, c.MaximumInflight = 0, uint16(min(o.Queue, 8192))
	b.server = mochi.New(&mochi.Options{Capabilities: c, Logger: slog.New(quiet{o.Logger.Handler()})})
	b.ws = websocket.Upgrader{Subprotocols: []string{"mqtt"}, CheckOrigin: func(*http.Request) bool { return true }} // who comes must send a token, cookies count for nothing
	if err := b.server.AddHook(&hook{b: b}, nil); err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	return b, nil
}

// Listen opens the port and returns its address.
func (b *Broker) Listen() (string, error) {
	l, err := net.Listen("tcp", b.o.Addr) //nolint:noctx // at the start, nothing to wait for
	if err != nil {
		return "", fmt.Errorf("listen for MQTT: %w", err)
	}
	b.tcp = l
	return l.Addr().String(), nil
}

// Serve runs until ctx ends. Listen comes first.
func (b *Broker) Serve(ctx context.Context) error {
	if b.tcp != nil {
		if err := b.server.AddListener(listeners.NewNet("tcp", b.tcp)); err != nil {
			return fmt.Errorf("mqtt: %w", err)
		}
	}
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("mqtt: %w", err)
	}
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.recheck(ctx)
		case <-ctx.Done():
			b.mu.RLock()
			for cl := range b.sessions {
				cl.Stop(ctx.Err()) // those over WebSocket belong to no listener
			}
			b.mu.RUnlock()
			return b.server.Close()
		}
	}
}

// ServeHTTP takes MQTT over WebSocket.
func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := b.ws.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	c.SetReadLimit(maxPacket + 1024)
	err = b.server.EstablishConnection("ws", &wsConn{Conn: c.NetConn(), ws: c})
	_ = c.Close()
	b.o.Logger.DebugContext(r.Context(), "mqtt connection over websocket ended", slog.Any("reason", err))
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return Stats{
		Clients: len(b.sessions), Topics: len(b.topics),
		Sent: b.sent.Load(), Created: b.created.Load(), Refused: b.refused.Load(), Slow: b.slow.Load(), Lost: b.lost.Load(),
	}
}

// quiet takes the library's own lines down to what concerns the program: it
// warns of every connection that ends.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && q.Handler.Enabled(ctx, l)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }
