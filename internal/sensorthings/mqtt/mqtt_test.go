package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/sensorthingstest"
	"plateau/internal/telemetry/events"
)

// rig is a broker over a small world: Thing 1 is an outlet that staff of e1 may
// see, Thing 2 another's, client entities stand beside them.
type rig struct {
	*Broker
	addr  string
	ws    string
	mu    sync.Mutex
	made  []string // path and body of what was published
	world *sensorthingstest.Memory
}

const client = sensorthings.FirstClientID

func world() *sensorthingstest.Memory {
	m := sensorthingstest.New()
	for _, id := range []sensorthings.ID{1, 2, client} {
		m.Add(sensorthings.Things, id, map[string]string{"name": fmt.Sprintf(`"thing %d"`, id), "description": `"d"`})
		m.Add(sensorthings.Locations, id, map[string]string{"name": `"place"`})
		m.Link(sensorthings.Things, id, "Locations", id)
	}
	m.Add(sensorthings.Datastreams, sensorthings.FirstOutletDatastream, map[string]string{"name": `"so2"`}, 1, 1, 1)
	m.Add(sensorthings.Datastreams, sensorthings.FirstOutletDatastream+1, map[string]string{"name": `"nox"`}, 2, 2, 1)
	m.Add(sensorthings.Datastreams, client, map[string]string{"name": `"level"`, "description": `"old"`, "unitOfMeasurement": `{"name":"metre","symbol":"m"}`}, client, client, client)
	m.Add(sensorthings.Datastreams, client+1, map[string]string{"name": `"flow"`}, client, client, client)
	m.Observe(
		sensorthings.Observation{ID: 7, Datastream: client, Feature: client, Phenomenon: sensorthings.Span{Start: 1e15, End: 1e15}, Result: []byte("1.50")},
		sensorthings.Observation{ID: 8, Datastream: client + 1, Feature: client, Phenomenon: sensorthings.Span{Start: 1e15, End: 1e15}, Result: []byte("9")},
	)
	return m
}

// limited hides outlet 2.
type limited struct{ sensorthings.Reader }

func (l limited) Entity(ctx context.Context, s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	if id == 2 && s == sensorthings.Things || id == sensorthings.FirstOutletDatastream+1 && s == sensorthings.Datastreams {
		return nil, sensorthings.ErrNotFound
	}
	return l.Reader.Entity(ctx, s, id)
}

var accounts = map[string]auth.Principal{
	"op":      {ID: "u1", Role: auth.Operator, Token: true},
	"officer": {ID: "u2", Role: auth.Officer, Token: true},
	"staff":   {ID: "u3", Role: auth.Business, Enterprise: "e1", Token: true},
}

func newRig(tb testing.TB, edit func(*Options)) *rig {
	tb.Helper()
	r := &rig{world: world()}
	var reading sync.Mutex // Memory has no lock
	o := Options{
		Addr: "127.0.0.1:0", Base: func() string { return "http://h/sta/v1.1" }, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Token: func(_ context.Context, token string) (auth.Principal, error) {
			if p, ok := accounts[token]; ok {
				return p, nil
			}
			return auth.Principal{}, errs.New(errs.Unauthenticated, "err.auth.token")
		},
		Reader: func(p auth.Principal) sensorthings.Reader {
			m := &locked{&reading, r.world}
			if p.Role == auth.Business {
				return limited{m}
			}
			return m
		},
		Hears: func(p auth.Principal, _ *events.Event) bool { return p.Role != auth.Business },
		Create: func(ctx context.Context, p *query.Path, body []byte) error {
			if !strings.HasPrefix(string(body), "{") {
				return errors.New("no object")
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.made = append(r.made, fmt.Sprintf("%s %s %d %s", auth.From(ctx).ID, p.Steps[0].Set, p.Steps[0].Key, body))
			return nil
		},
		States: func() ([]events.Event, error) {
			return []events.Event{{Kind: events.OutletState, Outlet: 1, State: &events.State{To: "normal"}}, {Kind: events.OutletState, Outlet: 2, State: &events.State{To: "exceed"}}}, nil
		},
	}
	if edit != nil {
		edit(&o)
	}
	var err error
	if r.Broker, err = New(o); err != nil {
		tb.Fatal(err)
	}
	if r.addr, err = r.Listen(); err != nil {
		tb.Fatal(err)
	}
	web := httptest.NewServer(r.Broker)
	tb.Cleanup(web.Close)
	r.ws = "ws" + strings.TrimPrefix(web.URL, "http") + "/mqtt"
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return r
}

type locked struct {
	mu *sync.Mutex
	*sensorthingstest.Memory
}

func (l *locked) Entity(ctx context.Context, s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Memory.Entity(ctx, s, id)
}

// subscriber is a real client and what it was sent.
type subscriber struct {
	paho.Client
	got chan string // "topic payload", retained ones with "!" before
}

func (r *rig) connect(tb testing.TB, url, token string) (*subscriber, error) {
	tb.Helper()
	s := &subscriber{got: make(chan string, 100)}
	o := paho.NewClientOptions().AddBroker(url).SetClientID(fmt.Sprintf("c%d", time.Now().UnixNano())).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).SetUsername("anything").SetPassword(token).SetOrderMatters(true)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		mark := ""
		if m.Retained() {
			mark = "!"
		}
		s.got <- mark + m.Topic() + " " + string(m.Payload())
	})
	s.Client = paho.NewClient(o)
	t := s.Connect()
	if !t.WaitTimeout(20 * time.Second) {
		tb.Fatal("no answer to CONNECT")
	}
	tb.Cleanup(func() { s.Disconnect(0) })
	return s, t.Error()
}

func (r *rig) mustConnect(tb testing.TB, token string) *subscriber {
	tb.Helper()
	s, err := r.connect(tb, "tcp://"+r.addr, token)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *subscriber) ask(tb testing.TB, topics ...string) {
	tb.Helper()
	for i, name := range topics {
		t := s.Subscribe(name, byte(i%2), nil)
		if !t.WaitTimeout(20*time.Second) || t.Error() != nil {
			tb.Fatalf("subscribe %s: %v", name, t.Error())
		}
		if code := t.(*paho.SubscribeToken).Result()[name]; code > 2 {
			tb.Fatalf("subscribe %s: refused with %d", name, code)
		}
	}
}

// expect takes what was sent, in any order.
func (s *subscriber) expect(tb testing.TB, want ...string) {
	tb.Helper()
	var got []string
	over := time.After(20 * time.Second)
	for len(got) < len(want) {
		select {
		case m := <-s.got:
			got = append(got, m)
		case <-over:
			tb.Fatalf("got %q, want %q", got, want)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("(-want +got):\n%s", diff)
	}
	select {
	case m := <-s.got:
		tb.Errorf("sent too much: %s", m)
	case <-time.After(100 * time.Millisecond):
	}
}

func (r *rig) observation(id sensorthings.ID) sensorthings.Change {
	o, err := r.world.Observation(context.Background(), id)
	if err != nil {
		panic(err)
	}
	return sensorthings.Change{Set: sensorthings.Observations, ID: id, What: sensorthings.Created, Observation: o}
}

const (
	obs7 = `{"@iot.id":7,"@iot.selfLink":"http://h/sta/v1.1/Observations(7)","phenomenonTime":"2001-09-09T01:46:40Z","result":1.50,"resultTime":null,` +
		`"Datastream@iot.navigationLink":"http://h/sta/v1.1/Observations(7)/Datastream","FeatureOfInterest@iot.navigationLink":"http://h/sta/v1.1/Observations(7)/FeatureOfInterest"}`
	ds = "1000000000"
)

// Clause 14.1.
func TestReceiveUpdates(t *testing.T) {
	t.Parallel()
	t.Run("receive-updates-via-mqtt/receive-updates", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		s := r.mustConnect(t, "officer")
		s.ask(t,
			"v1.1/Observations", "v1.1/Datastreams("+ds+")/Observations", "v1.1/Things("+ds+")/Datastreams("+ds+")/Observations",
			"v1.1/Things(1)/Datastreams("+ds+")/Observations", // the chain does not hold
			"v1.1/Observations(8)/Datastream/Observations", "v1.1/Observations?$select=result,phenomenonTime", "v1.1/Observations(7)", "v1.1/Observations(7)/result",
			"v1.1/Datastreams("+ds+")/Observations?$select=id")
		r.Announce([]sensorthings.Change{r.observation(7)}, 0)
		s.expect(t, "v1.1/Observations "+obs7, "v1.1/Datastreams("+ds+")/Observations "+obs7, "v1.1/Things("+ds+")/Datastreams("+ds+")/Observations "+obs7, "v1.1/Observations(7) "+obs7,
			`v1.1/Observations?$select=result,phenomenonTime {"phenomenonTime":"2001-09-09T01:46:40Z","result":1.50}`, `v1.1/Observations(7)/result {"result":1.50}`,
			`v1.1/Datastreams(`+ds+`)/Observations?$select=id {"@iot.id":7}`)
		// Entities, through paths, and properties when they have another value.
		e := r.mustConnect(t, "op")
		e.ask(t, "v1.1/Datastreams("+ds+")?$select=name", "v1.1/Things("+ds+")/Datastreams?$select=name", "v1.1/Observations(7)/Datastream?$select=name", "v1.1/Observations(8)/Datastream?$select=name",
			"v1.1/Datastreams("+ds+")/description", "v1.1/Datastreams("+ds+")/name", "v1.1/Datastreams("+ds+")/unitOfMeasurement/symbol", "v1.1/Locations("+ds+")/Things?$select=name")
		change := sensorthings.Change{Set: sensorthings.Datastreams, ID: client, What: sensorthings.Updated, Properties: []string{"description"}}
		thing := sensorthings.Change{Set: sensorthings.Things, ID: client, What: sensorthings.Created}
		gone := sensorthings.Change{Set: sensorthings.Datastreams, ID: client + 1, What: sensorthings.Deleted}
		r.Announce([]sensorthings.Change{change, thing, gone, {Set: sensorthings.Things, ID: client + 5, What: sensorthings.Created}}, 3)
		e.expect(t, "v1.1/Datastreams("+ds+`)?$select=name {"name":"level"}`, "v1.1/Things("+ds+`)/Datastreams?$select=name {"name":"level"}`,
			`v1.1/Observations(7)/Datastream?$select=name {"name":"level"}`, "v1.1/Datastreams("+ds+`)/description {"description":"old"}`,
			"v1.1/Locations("+ds+`)/Things?$select=name {"name":"thing `+ds+`"}`)
		change.Properties = []string{"unitOfMeasurement"}
		r.Announce([]sensorthings.Change{change}, 0)
		e.expect(t, "v1.1/Datastreams("+ds+`)?$select=name {"name":"level"}`, "v1.1/Things("+ds+`)/Datastreams?$select=name {"name":"level"}`,
			`v1.1/Observations(7)/Datastream?$select=name {"name":"level"}`, "v1.1/Datastreams("+ds+`)/unitOfMeasurement/symbol {"symbol":"m"}`)
		// Nothing more after UNSUBSCRIBE.
		if tok := s.Unsubscribe("v1.1/Observations", "v1.1/Observations(7)"); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		r.Announce([]sensorthings.Change{r.observation(8)}, 0)
		s.expect(t, `v1.1/Observations?$select=result,phenomenonTime {"phenomenonTime":"2001-09-09T01:46:40Z","result":9}`,
			`v1.1/Observations(8)/Datastream/Observations {"@iot.id":8,"@iot.selfLink":"http://h/sta/v1.1/Observations(8)","phenomenonTime":"2001-09-09T01:46:40Z","result":9,"resultTime":null,"Datastream@iot.navigationLink":"http://h/sta/v1.1/Observations(8)/Datastream","FeatureOfInterest@iot.navigationLink":"http://h/sta/v1.1/Observations(8)/FeatureOfInterest"}`)
		if st := r.Stats(); st.Lost != 3 || st.Clients != 2 {
			t.Errorf("%+v", st)
		}
		if tok := s.Unsubscribe("v1.1/Observations(8)/Datastream/Observations", "v1.1/Observations?$select=result,phenomenonTime", "v1.1/Observations(7)/result", "v1.1/Datastreams("+ds+")/Observations",
			"v1.1/Datastreams("+ds+")/Observations?$select=id", "v1.1/Things("+ds+")/Datastreams("+ds+")/Observations", "v1.1/Things(1)/Datastreams("+ds+")/Observations"); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		if r.Wanted(sensorthings.Observations) || r.wantedBy(sensorthings.Observations, "Datastream") || !r.Wanted(sensorthings.Datastreams) || !r.wantedBy(sensorthings.Datastreams, "Thing") {
			t.Errorf("asked for: %v", r.asked)
		}
	})
	t.Run("only what a client may see", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		s := r.mustConnect(t, "staff")
		s.ask(t, "v1.1/Things?$select=id", "v1.1/Things(2)", "plateau/v1/states/+", "plateau/v1/states/2", "plateau/v1/alarms")
		s.expectPrefix(t, `!plateau/v1/states/1 {"id":"","time":"0001-01-01T00:00:00Z","kind":"outlet.state","outlet":1,`)
		r.Announce([]sensorthings.Change{{Set: sensorthings.Things, ID: 2, What: sensorthings.Updated}, {Set: sensorthings.Things, ID: 1, What: sensorthings.Updated}}, 0)
		s.expect(t, `v1.1/Things?$select=id {"@iot.id":1}`)
		alarm := func(o int) events.Event {
			return events.Event{Kind: events.AlarmRaised, Outlet: 1, ID: fmt.Sprint("e", o), Alarm: &events.Alarm{ID: "a"}}
		}
		list := []events.Event{alarm(1), alarm(2), alarm(0), {Kind: events.OutletState, Outlet: 1, State: &events.State{From: "normal", To: "warn"}}}
		list[1].Outlet, list[2].Outlet = 2, 0
		if err := r.Tell(list); err != nil {
			t.Fatal(err)
		}
		s.expectPrefix(t, `plateau/v1/alarms {"id":"e1",`, `plateau/v1/states/1 {"id":"",`)
	})
	t.Run("over WebSocket", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		s, err := r.connect(t, r.ws, "op")
		if err != nil {
			t.Fatal(err)
		}
		s.ask(t, "v1.1/Observations?$select=result")
		r.Announce([]sensorthings.Change{r.observation(7)}, 0)
		s.expect(t, `v1.1/Observations?$select=result {"result":1.50}`)
	})
}

func (s *subscriber) expectPrefix(tb testing.TB, want ...string) {
	tb.Helper()
	var got []string
	for range want {
		select {
		case m := <-s.got:
			got = append(got, m)
		case <-time.After(20 * time.Second):
			tb.Fatalf("got %q, want %q", got, want)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			tb.Errorf("got %s, want %s…", got[i], want[i])
		}
	}
	select {
	case m := <-s.got:
		tb.Errorf("sent too much: %s", m)
	case <-time.After(100 * time.Millisecond):
	}
}

// Clause 14.2.
func TestCreateObservations(t *testing.T) {
	t.Parallel()
	t.Run("create-observations-via-mqtt/observations-creation", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		s := r.mustConnect(t, "op")
		s.ask(t, "v1.1/Observations")
		for i, name := range []string{
			"v1.1/Observations", "v1.1/Datastreams(" + ds + ")/Observations", "v1.1/FeaturesOfInterest(5)/Observations",
			"v1.1/Things", "v1.1/Datastreams(1)", "v1.1/Nonsense", "other",
		} {
			if tok := s.Publish(name, byte(i%3), i == 1, fmt.Sprintf(`{"result":%d}`, i)); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
				t.Fatalf("%s: %v", name, tok.Error())
			}
		}
		if tok := s.Publish("v1.1/Observations", 1, false, `no JSON`); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		r.mu.Lock()
		made := slices.Clone(r.made)
		r.mu.Unlock()
		if diff := cmp.Diff([]string{`u1 Observations 0 {"result":0}`, `u1 Datastreams ` + ds + ` {"result":1}`, `u1 FeaturesOfInterest 5 {"result":2}`}, made); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.expect(t) // nothing is echoed
		if st := r.Stats(); st.Created != 3 || st.Refused != 5 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("needs an operator", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		s := r.mustConnect(t, "officer")
		s.Publish("v1.1/Observations", 0, false, `{"result":1}`).WaitTimeout(20 * time.Second)
		s.ask(t, "v1.1/Observations") // the connection goes on
		if st := r.Stats(); st.Created != 0 || st.Refused != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, token := range []string{"", "wrong"} {
		if _, err := r.connect(t, "tcp://"+r.addr, token); err == nil {
			t.Errorf("token %q is let in", token)
		}
	}
	if _, err := r.connect(t, r.ws, "wrong"); err == nil {
		t.Error("a wrong token is let in over WebSocket")
	}
	open := newRig(t, func(o *Options) { o.Open = true })
	s := open.mustConnect(t, "")
	if tok := s.Publish("v1.1/Observations", 1, false, `{"result":1}`); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil || open.Stats().Created != 1 {
		t.Errorf("open: %v %+v", tok.Error(), open.Stats())
	}
	if _, err := open.connect(t, "tcp://"+open.addr, "wrong"); err == nil {
		t.Error("a wrong token is let in where no token is needed")
	}
	for _, name := range []string{"#", "+/x", "v1.1/#", "v1.1/+", "v1.1/Nonsense", "v1.1/Things(1)/$ref", "v1.1/Things?$top=1", "v1.1/Things?$select=nonsense", "$SYS/#", "plateau/v1/states/x", "plateau/v1/#"} {
		tok := s.Subscribe(name, 0, nil)
		tok.WaitTimeout(20 * time.Second)
		if code := tok.(*paho.SubscribeToken).Result()[name]; code <= 2 && tok.Error() == nil {
			t.Errorf("subscription to %q is granted", name)
		}
		if !s.IsConnected() {
			t.Fatalf("%q ended the connection", name)
		}
	}
	s.Subscribe("$share/g/v1.1/Things", 0, nil).WaitTimeout(20 * time.Second) // the client takes the prefix off its answer
	if n := open.Stats().Topics; n != 0 {
		t.Errorf("%d subscriptions were granted", n)
	}
}

// A token that is taken back ends the session, and one whose account belongs to
// another enterprise.
func TestRecheck(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func() (auth.Principal, error){
		"taken back": func() (auth.Principal, error) {
			return auth.Principal{}, errs.New(errs.Unauthenticated, "err.auth.token")
		},
		"another enterprise": func() (auth.Principal, error) { p := accounts["staff"]; p.Enterprise = "e2"; return p, nil },
		"another role":       func() (auth.Principal, error) { p := accounts["staff"]; p.Role = auth.Officer; return p, nil },
	} {
		r := newRig(t, func(o *Options) {
			asked := 0
			o.Token = func(context.Context, string) (auth.Principal, error) {
				if asked++; asked > 2 {
					return then()
				}
				return accounts["staff"], nil
			}
		})
		s := r.mustConnect(t, "staff")
		r.recheck(t.Context())
		if !s.IsConnectionOpen() {
			t.Errorf("%s: ended too early", name)
		}
		r.recheck(t.Context())
		for end := time.Now().Add(20 * time.Second); s.IsConnectionOpen() && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if s.IsConnectionOpen() {
			t.Errorf("%s: the session goes on", name)
		}
	}
}

// dial connects and subscribes by hand, so that the test decides what is read.
func (r *rig) dial(tb testing.TB, keepalive byte) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	connect := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0xC2, 0, keepalive, 0, 1, 'x', 0, 1, 'u', 0, 2}, "op"...)
	topic := "v1.1/Observations"
	sub := append([]byte{0, 1, 0, byte(len(topic))}, topic...)
	out := append([]byte{0x10, byte(len(connect))}, connect...)
	out = append(append(append(out, 0x82, byte(len(sub)+1)), sub...), 0)
	if _, err := c.Write(out); err != nil {
		tb.Fatal(err)
	}
	answers := make([]byte, 4+5)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(c, answers); err != nil || answers[3] != 0 {
		tb.Fatalf("%x %v", answers, err)
	}
	return c
}

// A subscriber that reads nothing is let go; the others hear everything.
func TestFloodedSubscriber(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Queue = 50 })
	_ = r.dial(t, 60)
	s := r.mustConnect(t, "op")
	s.ask(t, "v1.1/Observations(8)?$select=id")
	big := r.observation(7)
	o := *big.Observation
	o.Parameters = []byte(`"` + strings.Repeat("x", 1<<16) + `"`)
	big.Observation = &o
	for i := 0; r.Stats().Slow == 0 && i < 5000; i++ {
		r.Announce([]sensorthings.Change{big}, 0)
	}
	if r.Stats().Slow == 0 {
		t.Fatal("a client that reads nothing is kept")
	}
	r.Announce([]sensorthings.Change{r.observation(8)}, 0)
	s.expect(t, `v1.1/Observations(8)?$select=id {"@iot.id":8}`)
	for end := time.Now().Add(20 * time.Second); r.Stats().Clients > 1 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if st := r.Stats(); st.Clients != 1 {
		t.Errorf("%+v", st)
	}
}

// A client whose link is gone without a word is forgotten after its keep-alive.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial(t, 1)
	_, _ = c.Write([]byte{0x30, 0x7F}) // the first bytes of a packet whose rest never comes
	if n := r.Stats().Clients; n != 1 {
		t.Fatalf("%d clients", n)
	}
	for end := time.Now().Add(20 * time.Second); r.Stats().Clients > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if st := r.Stats(); st.Clients != 0 || st.Topics != 0 {
		t.Errorf("%+v", st)
	}
}

func FuzzParseTopic(f *testing.F) {
	for _, s := range []string{"v1.1/Things(1)/Datastreams(2)/Observations?$select=result", "v1.1/Datastreams(1)/unitOfMeasurement/name", "plateau/v1/states/1", "v1.1/Observations(1)/Datastream", "v1.1/?", "v1.1/Things('x')"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tp, err := parseTopic(s)
		if err != nil {
			return
		}
		if tp.path != nil {
			_ = tp.key()
			_ = creates(tp.path)
		} else if !tp.alarms && !tp.states {
			t.Errorf("%q is of nothing", s)
		}
	})
}
