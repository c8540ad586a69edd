package mqtt

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/events"
)

// Tell hands on events: alarms under one topic, states under that of their
// outlet, where the last one is retained.
func (b *Broker) Tell(list []events.Event) error {
	for i := range list {
		e := &list[i]
		if e.State == nil {
			b.event(e, alarmsTopic, alarmsTopic)
			continue
		}
		name := stateTopic(e.Outlet)
		b.event(e, name, name)
		b.event(e, statesTopic+"+", name)
	}
	return nil
}

func stateTopic(o telemetry.OutletID) string {
	return statesTopic + strconv.FormatUint(uint64(o), 10)
}

// event queues an event for those who asked by a filter.
func (b *Broker) event(e *events.Event, filter, name string) {
	b.mu.RLock()
	sub := b.topics[filter]
	b.mu.RUnlock()
	if sub == nil {
		return
	}
	payload := e.JSON(b.site())
	for s, qos := range b.of(sub) {
		if s.mayHear(e) {
			s.hand(message{topic: name, payload: payload, qos: qos})
		}
	}
}

// site is the address of the installation.
func (b *Broker) site() string {
	site, _, _ := strings.Cut(b.o.Base(), "/sta/")
	return site
}

// mayHear reports whether a client may see the outlet of an event; what is of no
// outlet concerns those who look after its area, or after all.
func (s *session) mayHear(e *events.Event) bool {
	if e.Outlet == 0 {
		return s.b.o.Hears(s.who, e)
	}
	_, err := s.reader.Entity(context.Background(), sensorthings.Things, sensorthings.ID(e.Outlet))
	return err == nil
}

// tellStates hands a new subscriber the present states.
func (b *Broker) tellStates(s *session, t *topic, qos byte) {
	if b.o.States == nil {
		return
	}
	list, err := b.o.States()
	if err != nil {
		b.o.Logger.ErrorContext(context.Background(), "present states could not be read", slog.Any("error", err))
		return
	}
	for i := range list {
		e := &list[i]
		if t.outlet != 0 && e.Outlet != t.outlet || !s.mayHear(e) {
			continue
		}
		if !s.wait(message{topic: stateTopic(e.Outlet), payload: e.JSON(b.site()), qos: qos, retained: true}) {
			return
		}
	}
}
