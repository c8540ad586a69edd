package mqtt

import (
	"context"
	"errors"
	"log/slog"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/sensorthings"
)

var (
	errCreate = errors.New("observations are published to v1.1/Observations, v1.1/Datastreams(id)/Observations or v1.1/FeaturesOfInterest(id)/Observations")
	errSlow   = errors.New("mqtt: the client takes its messages too slowly")
	errToken  = errors.New("mqtt: the token holds no more")
)

// session is a connected client.
type session struct {
	b      *Broker
	cl     *mochi.Client
	who    auth.Principal
	holds  string // Key of the grants of who: what decides what it sees
	token  string
	reader sensorthings.Reader // what it may see
	queue  chan message
	done   chan struct{} // closed when the client has left
	over   chan struct{} // closed when nothing is sent any more

	numbers *numbers
}

type message struct {
	topic    string
	payload  []byte
	qos      byte
	retained bool
}

// subscribed is a topic that somebody asked for.
type subscribed struct {
	*topic
	by map[*session]byte // quality of service
}

func (b *Broker) session(cl *mochi.Client) *session {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.sessions[cl]
}

// subscribe adds a topic; present states follow at once, as retained messages.
func (b *Broker) subscribe(s *session, name string, qos byte) {
	t, err := parseTopic(name)
	if err != nil {
		return // refused before
	}
	b.mu.Lock()
	sub := b.topics[name]
	if sub == nil {
		sub = &subscribed{t, map[*session]byte{}}
		b.topics[name] = sub
		if t.path != nil {
			k := t.key()
			if b.index[k] == nil {
				b.index[k] = map[*subscribed]struct{}{}
			}
			b.index[k][sub] = struct{}{}
			if b.asked[k.set] == nil {
				b.asked[k.set] = map[string]int{}
			}
			b.asked[k.set][k.relation]++
		}
	}
	sub.by[s] = min(qos, 1)
	b.mu.Unlock()
	if t.states {
		b.tellStates(s, t, min(qos, 1))
	}
}

func (b *Broker) unsubscribe(cl *mochi.Client, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if sub := b.topics[name]; sub != nil {
		b.drop(sub, b.sessions[cl])
	}
}

// drop takes a session off a topic. The lock is held.
func (b *Broker) drop(sub *subscribed, s *session) {
	delete(sub.by, s)
	if len(sub.by) > 0 {
		return
	}
	delete(b.topics, sub.name)
	if sub.path != nil {
		k := sub.key()
		if delete(b.index[k], sub); len(b.index[k]) == 0 {
			delete(b.index, k)
		}
		if b.asked[k.set][k.relation]--; b.asked[k.set][k.relation] == 0 {
			delete(b.asked[k.set], k.relation)
		}
	}
}

// leave forgets a client; expire says that its session ends with it.
func (b *Broker) leave(cl *mochi.Client, expire bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sessions[cl]
	if s == nil {
		return
	}
	delete(b.sessions, cl)
	for name := range cl.State.Subscriptions.GetAll() {
		if sub := b.topics[name]; sub != nil {
			b.drop(sub, s)
		}
	}
	if s.numbers.users--; expire && s.numbers.users == 0 {
		b.forgetNumbers(cl.ID, s.numbers)
	}
	close(s.done)
}

// recheck ends the sessions whose token was taken back, or whose account may see
// something else now.
func (b *Broker) recheck(ctx context.Context) {
	b.mu.RLock()
	list := make([]*session, 0, len(b.sessions))
	for _, s := range b.sessions {
		list = append(list, s)
	}
	b.mu.RUnlock()
	for _, s := range list {
		if s.cl.Closed() { // it went away before it was let in altogether
			b.leave(s.cl, s.cl.Properties.Clean)
			continue
		}
		if s.token == "" {
			continue
		}
		if p, err := b.o.Token(ctx, s.token); err == nil && p.Grants().Key() != s.holds || errs.Is(err, errs.Unauthenticated) {
			s.cl.Stop(errToken)
		}
	}
}

// hand queues a message for a client. One whose queue is full is let go: it can
// come again, and the others do not wait for it.
func (s *session) hand(m message) {
	select {
	case s.queue <- m:
	default:
		if !s.cl.Closed() {
			s.b.slow.Add(1)
			s.b.o.Logger.WarnContext(context.Background(), "mqtt client is too slow and was let go", slog.String("remote", s.cl.Net.Remote), slog.String("account", s.who.ID))
		}
		s.cl.Stop(errSlow)
	}
}

// wait is hand for what the client asked for itself just now, and more than a
// queue may hold: its own next request waits meanwhile.
func (s *session) wait(m message) bool {
	select {
	case s.queue <- m:
		return true
	case <-s.over:
		return false
	}
}

// send writes what is queued until the client leaves.
func (s *session) send() {
	defer close(s.over)
	for {
		select {
		case m := <-s.queue:
			if err := s.write(m); err != nil {
				s.cl.Stop(err)
				return
			}
			s.b.sent.Add(1)
		case <-s.done:
			return
		}
	}
}

func (s *session) write(m message) error {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: m.qos, Retain: m.retained},
		TopicName:   m.topic, Payload: m.payload, Created: s.b.o.Now().Unix(),
	}
	if m.qos > 0 {
		if s.cl.State.Inflight.Len() >= s.b.o.Queue { // it reads, but confirms nothing
			s.b.slow.Add(1)
			s.b.o.Logger.WarnContext(context.Background(), "mqtt client confirms nothing and was let go", slog.String("remote", s.cl.Net.Remote), slog.String("account", s.who.ID))
			return errSlow
		}
		id, err := s.numbers.next(func(id uint16) bool { _, ok := s.cl.State.Inflight.Get(id); return ok })
		if err != nil {
			return err
		}
		pk.PacketID = id
		s.cl.State.Inflight.Set(pk)
	}
	return s.cl.WritePacket(pk)
}
