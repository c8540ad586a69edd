package mqtt

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// hook is what the library asks and tells.
type hook struct {
	mochi.HookBase
	b *Broker
}

// ID implements mochi.Hook.
func (h *hook) ID() string { return "plateau" }

// Provides implements mochi.Hook.
func (h *hook) Provides(what byte) bool {
	return bytes.IndexByte([]byte{
		mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablished, mochi.OnDisconnect, mochi.OnSubscribed, mochi.OnUnsubscribed, mochi.OnPublish, mochi.OnWill,
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnClientExpired,
	}, what) >= 0
}

// OnConnectAuthenticate implements mochi.Hook: the password is an API token, the
// user name is nothing.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	ctx := context.Background()
	s := &session{b: h.b, cl: cl, token: string(pk.Connect.Password), done: make(chan struct{}), over: make(chan struct{})}
	switch {
	case s.token != "":
		p, err := h.b.o.Token(ctx, s.token)
		if err != nil || !access.Default().Opens(p.Grants(), sensorthings.MayRead) {
			h.b.refuse(ctx, "connection: the token is not known, or its account may not read", slog.String("remote", cl.Net.Remote))
			return false
		}
		s.who = p
	case !h.b.o.Open:
		h.b.refuse(ctx, "connection without a token", slog.String("remote", cl.Net.Remote))
		return false
	default:
		s.who = auth.System // open to everybody, as under /sta
	}
	s.holds = s.who.Grants().Key()
	s.reader = h.b.o.Reader(s.who)
	s.queue = make(chan message, h.b.o.Queue)
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	s.numbers = h.b.numbersOf(cl.ID, pk.Connect.Clean)
	h.b.sessions[cl] = s
	return true
}

// OnACLCheck implements mochi.Hook.
func (h *hook) OnACLCheck(cl *mochi.Client, name string, write bool) bool {
	s := h.b.session(cl)
	switch {
	case s == nil:
		return false
	case write:
		if h.b.o.Open || access.Default().Opens(s.who.Grants(), sensorthings.MayWrite) {
			return true
		}
		h.b.refuse(context.Background(), "publication: the post of the token may not write", slog.String("topic", short(name)), slog.String("account", s.who.ID))
		return false
	}
	_, err := parseTopic(name)
	if err != nil || len(cl.State.Subscriptions.GetAll()) >= maxTopics {
		h.b.refuse(context.Background(), "subscription", slog.String("topic", short(name)), slog.Any("error", err))
		return false
	}
	return true
}

// OnWill implements mochi.Hook: a last will is a publication nobody is there to
// answer for any more.
func (h *hook) OnWill(*mochi.Client, mochi.Will) (mochi.Will, error) {
	return mochi.Will{}, nil
}

// OnSessionEstablished implements mochi.Hook.
func (h *hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	s := h.b.session(cl)
	if s == nil {
		return
	}
	go s.send()
	for name, sub := range cl.State.Subscriptions.GetAll() { // of a session taken up again
		h.b.subscribe(s, name, sub.Qos)
	}
}

// OnDisconnect implements mochi.Hook.
func (h *hook) OnDisconnect(cl *mochi.Client, _ error, expire bool) { h.b.leave(cl, expire) }

// OnClientExpired implements mochi.Hook: nobody took the session up again.
func (h *hook) OnClientExpired(cl *mochi.Client) {
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	if n := h.b.numbers[cl.ID]; n != nil && n.users == 0 {
		h.b.forgetNumbers(cl.ID, n)
	}
}

// OnSubscribed implements mochi.Hook.
func (h *hook) OnSubscribed(cl *mochi.Client, pk packets.Packet, codes []byte) {
	s := h.b.session(cl)
	for i, f := range pk.Filters {
		if s != nil && codes[i] <= 2 {
			h.b.subscribe(s, f.Filter, f.Qos)
		}
	}
}

// OnUnsubscribed implements mochi.Hook.
func (h *hook) OnUnsubscribed(cl *mochi.Client, pk packets.Packet) {
	for _, f := range pk.Filters {
		h.b.unsubscribe(cl, f.Filter)
	}
}

// OnPublish implements mochi.Hook. What was published goes to nobody; MQTT 3.1.1
// has no answer that says no, so failures are logged.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	ctx := context.Background()
	s := h.b.session(cl)
	rest, ok := strings.CutPrefix(pk.TopicName, staPrefix)
	if !ok || s == nil {
		h.b.refuse(ctx, "publication: nothing is created under this topic", slog.String("topic", short(pk.TopicName)))
		return pk, packets.CodeSuccessIgnore
	}
	p, err := query.ParsePath("/" + rest)
	if err == nil && !creates(p) {
		err = errCreate
	}
	if err == nil {
		err = h.b.o.Create(auth.With(ctx, s.who), p, pk.Payload)
	}
	if err != nil {
		h.b.refuse(ctx, "publication", slog.String("topic", short(pk.TopicName)), slog.String("account", s.who.ID), slog.String("error", short(err.Error())))
		return pk, packets.CodeSuccessIgnore
	}
	h.b.created.Add(1)
	return pk, packets.CodeSuccessIgnore
}

// refuse counts and logs what is not let through.
func (b *Broker) refuse(ctx context.Context, what string, attrs ...any) {
	b.refused.Add(1)
	b.o.Logger.With(attrs...).WarnContext(ctx, "mqtt refused", slog.String("what", what))
}

// short keeps what strangers send from filling the log.
func short(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}
