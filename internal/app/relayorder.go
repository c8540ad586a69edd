package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"plateau/internal/telemetry/relay"
)

// RelayLine is how a platform that frames go on to does, for a shell.
type RelayLine struct {
	ID, Name, Address string
	State             string // connected, catching up, not connected, paused, held, starting
	Waiting           int64
	Lag               time.Duration // the first frame that waits has waited for so long
	Acked, Refused    int64         // since the start
	Kept              int           // refused frames in the list
	LastAck           time.Time
	Fault             string
}

// RelayOrder is what a command asks: a list, or one connection to the platform
// with a name or id.
type RelayOrder struct{ Act, Name string }

// RelayAnswer is a list, or how long a connection took.
type RelayAnswer struct {
	List []RelayLine
	Took time.Duration
}

// Relay carries an order out at the running server. Of o it takes the
// configuration.
func Relay(ctx context.Context, o Options, order RelayOrder) (out RelayAnswer, err error) {
	c, err := o.config()
	if err != nil {
		return out, err
	}
	err = command(ctx, c.Data, "relay", url.Values{"act": {order.Act}, "name": {order.Name}}, &out, nil)
	if errors.Is(err, errNoServer) {
		err = fmt.Errorf("%w at %s, and only it knows how platforms do; start it with plateau serve", err, c.Data)
	}
	return out, err
}

func (a *App) orderRelay(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	list, err := a.relays.List(ctx)
	if err != nil {
		return nil, err
	}
	if q.Get("act") == "test" {
		for i := range list {
			if t := &list[i]; t.ID == q.Get("name") || t.Name == q.Get("name") {
				took, err := a.relays.Test(ctx, t.ID)
				return RelayAnswer{Took: took}, err
			}
		}
		return nil, fmt.Errorf("there is no platform %q; \"plateau relay list\" shows them", q.Get("name"))
	}
	var out RelayAnswer
	for i := range list {
		line, err := a.relayLine(ctx, &list[i])
		if err != nil {
			return nil, err
		}
		out.List = append(out.List, line)
	}
	return out, nil
}

func (a *App) relayLine(ctx context.Context, t *relay.Target) (RelayLine, error) {
	st, on := a.relays.State(t.ID)
	out := RelayLine{ID: t.ID, Name: t.Name, Address: t.Addr(), Waiting: st.Behind, Acked: st.Acked, Refused: st.Refused, LastAck: st.LastAck, Fault: st.Fault}
	if !st.Oldest.IsZero() {
		out.Lag = max(a.now().Sub(st.Oldest), 0).Round(time.Second)
	}
	switch {
	case t.Held != "":
		out.State = "held: too much was refused"
	case t.Paused:
		out.State = "paused"
	case !on:
		out.State = "starting"
	case !st.Connected:
		out.State = "not connected"
	case st.Catching:
		out.State = "catching up"
	default:
		out.State = "connected"
	}
	_, kept, err := a.relays.Refused(ctx, t.ID, 1)
	out.Kept = kept
	return out, err
}
