package app

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/mqtt"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthingsweb"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetryweb"
)

// mqttPath is where MQTT over WebSocket is taken on the port of the pages.
const mqttPath = "/mqtt"

// openMQTT makes the broker where one is wanted.
func (a *App) openMQTT() (err error) {
	if a.c.MQTT.Addr == "" {
		return nil
	}
	a.broker, err = mqtt.New(mqtt.Options{
		Addr: a.c.MQTT.Addr, Open: a.o.STAOpen, Token: a.auth.Bearer, Now: a.now, Logger: a.log, MaxClients: a.c.MQTT.MaxClients, States: a.presentStates,
		Base:   func() string { return a.site() + sensorthingsweb.Root },
		Reader: a.seenBy,
		Hears: func(p auth.Principal, e *events.Event) bool {
			return access.Default().May(p.Grants(), telemetryweb.View, access.Object{Area: e.Area}, a.registry.Snapshot())
		},
		Create: func(ctx context.Context, p *query.Path, body []byte) error {
			_, err := a.writer.Post(ctx, p, body)
			return err
		},
	})
	return err
}

// site is the address of the installation as far as it is known without a request.
func (a *App) site() string {
	if u := strings.TrimRight(a.c.HTTP.URL, "/"); u != "" {
		return u
	}
	return "http://" + reachable(a.httpAddr)
}

// mqttEndpoints are the addresses of the broker, for the service root.
func (a *App) mqttEndpoints() []string {
	if a.broker == nil {
		return nil
	}
	site := a.site()
	tcp := reachable(a.mqttAddr)
	if u, err := url.Parse(a.c.HTTP.URL); err == nil && u.Hostname() != "" {
		if _, port, err := net.SplitHostPort(tcp); err == nil {
			tcp = net.JoinHostPort(u.Hostname(), port)
		}
	}
	return []string{"mqtt://" + tcp, "ws" + strings.TrimPrefix(site, "http") + mqttPath}
}

// withMQTT takes WebSockets for the broker before anything wraps them.
func (a *App) withMQTT(next http.Handler) http.Handler {
	if a.broker == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == mqttPath {
			a.broker.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveMQTT runs the broker and feeds it until ctx ends.
func (a *App) serveMQTT(run func(name string, fn func(context.Context) error)) {
	run("mqtt", a.broker.Serve)
	run("mqtt changes", func(ctx context.Context) error {
		stop := a.entities.Subscribe(a.broker.Announce)
		defer stop()
		wanted := func() bool { return a.broker.Wanted(sensorthings.Observations) }
		return a.outlets.Follow(ctx, wanted, func(o *sensorthings.Observation) {
			a.broker.Announce([]sensorthings.Change{{Set: sensorthings.Observations, ID: o.ID, What: sensorthings.Created, Observation: o}}, 0)
		})
	})
	run("mqtt events", func(ctx context.Context) error {
		return a.events.Subscribe(ctx, events.Latest, a.broker.Tell)
	})
}

// presentStates are the states of all outlets as events, for who subscribes.
func (a *App) presentStates() ([]events.Event, error) {
	now := a.now()
	list, err := a.engine.States(now)
	if err != nil {
		return nil, err
	}
	snap := a.registry.Snapshot()
	out := make([]events.Event, 0, len(list))
	for i := range list {
		e := events.StateEvent(snap, &list[i], "")
		e.Time = now.UTC()
		out = append(out, e)
	}
	return out, nil
}
