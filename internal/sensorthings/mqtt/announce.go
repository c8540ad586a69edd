package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/read"
)

// Announce tells subscribers of what was made durable; lost is how many changes
// were passed over before. It does nothing for what nobody asked for.
func (b *Broker) Announce(changes []sensorthings.Change, lost int) {
	ctx := context.Background()
	if lost > 0 {
		b.lost.Add(int64(lost))
		b.o.Logger.WarnContext(ctx, "changes were not announced over mqtt, too many came at once", slog.Int("changes", lost))
	}
	for i := range changes {
		if c := &changes[i]; c.What != sensorthings.Deleted {
			b.change(ctx, c)
		}
	}
}

// Wanted reports whether anybody asked for a set's entities.
func (b *Broker) Wanted(s sensorthings.Set) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.asked[s]) > 0
}

// changed is a change with the entity as it is now.
type changed struct {
	*sensorthings.Change
	entity *sensorthings.Entity // nil of Observations
	loaded bool
}

func (b *Broker) change(ctx context.Context, c *sensorthings.Change) {
	x := &changed{Change: c}
	var err error
	seen := map[*subscribed]bool{}
	for _, sub := range b.candidates(ctx, x, &err) {
		if seen[sub] {
			continue
		}
		seen[sub] = true
		if ok, e := b.matches(ctx, sub, x); e != nil {
			err = e
		} else if ok {
			b.tell(ctx, sub, x)
		}
	}
	if err != nil && !errors.Is(err, sensorthings.ErrNotFound) { // what is gone again is not announced
		b.o.Logger.ErrorContext(ctx, "a change was not announced over mqtt", slog.String("set", c.Set.String()), slog.Int64("id", c.ID), slog.Any("error", err))
	}
}

// candidates are the topics that a change may be of, by the index.
func (b *Broker) candidates(ctx context.Context, x *changed, err *error) (out []*subscribed) {
	look := func(k indexKey) {
		b.mu.RLock()
		defer b.mu.RUnlock()
		for sub := range b.index[k] {
			out = append(out, sub)
		}
	}
	if !b.Wanted(x.Set) {
		return nil
	}
	look(indexKey{x.Set, atRoot, 0})
	look(indexKey{x.Set, itself, x.ID})
	look(indexKey{x.Set, resolved, 0})
	for _, r := range x.Set.Relations() {
		if !b.wantedBy(x.Set, r.Name) {
			continue
		}
		if r.Many {
			*err = errors.Join(*err, b.all.Related(ctx, x.Set, x.ID, r.Name, func(id sensorthings.ID) bool {
				look(indexKey{x.Set, r.Name, id})
				return true
			}))
			continue
		}
		id, e := b.one(ctx, x, r.Name)
		*err = errors.Join(*err, e)
		look(indexKey{x.Set, r.Name, id})
	}
	return out
}

// wantedBy reports whether a topic asks for entities of a set by a relation.
func (b *Broker) wantedBy(s sensorthings.Set, relation string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.asked[s][relation] > 0
}

// load reads the changed entity, once.
func (b *Broker) load(ctx context.Context, x *changed) (err error) {
	if x.loaded {
		return nil
	}
	x.loaded = true
	if x.Set != sensorthings.Observations {
		x.entity, err = b.all.Entity(ctx, x.Set, x.ID)
	} else if x.Observation == nil {
		var o *sensorthings.Observation
		if o, err = b.all.Observation(ctx, x.ID); err == nil {
			c := *x.Change
			c.Observation, x.Change = o, &c
		}
	}
	if err != nil {
		x.loaded = false
	}
	return err
}

// one follows a single relation of the changed entity.
func (b *Broker) one(ctx context.Context, x *changed, relation string) (sensorthings.ID, error) {
	if err := b.load(ctx, x); err != nil {
		return 0, err
	}
	if x.Set != sensorthings.Observations {
		return x.entity.To(relation), nil
	}
	if relation == "Datastream" {
		return x.Observation.Datastream, nil
	}
	return x.Observation.Feature, nil
}

// matches reports whether a candidate is of the change: its path holds and leads
// to it, and the property it names is another now.
func (b *Broker) matches(ctx context.Context, sub *subscribed, x *changed) (bool, error) {
	p := sub.path
	if p.Property != nil && x.What == sensorthings.Updated && !slices.Contains(x.Properties, p.Property[0]) {
		return false, nil
	}
	last := len(p.Steps) - 1
	if last == 0 { // a set or an entity: the index has decided
		return true, nil
	}
	parent, ok, err := b.resolve(ctx, p.Steps[:last])
	if err != nil || !ok {
		return false, err
	}
	step := &p.Steps[last]
	from := p.Steps[last-1].Set
	if !step.Relation.Many {
		id, err := b.follow(ctx, from, parent, step.Relation.Name)
		return id == x.ID, err
	}
	return b.belongs(ctx, from, parent, &step.Relation, x.ID)
}

// resolve follows steps to the entity they lead to; ok is false where the chain
// does not hold.
func (b *Broker) resolve(ctx context.Context, steps []query.Step) (id sensorthings.ID, ok bool, err error) {
	for i := range steps {
		s := &steps[i]
		switch {
		case i == 0:
			id = s.Key
		case s.Keyed:
			if ok, err = b.belongs(ctx, steps[i-1].Set, id, &s.Relation, s.Key); err != nil || !ok {
				return 0, false, err
			}
			id = s.Key
		default:
			if id, err = b.follow(ctx, steps[i-1].Set, id, s.Relation.Name); err != nil || id == 0 {
				return 0, false, err
			}
		}
	}
	return id, true, nil
}

// follow goes a single relation.
func (b *Broker) follow(ctx context.Context, s sensorthings.Set, id sensorthings.ID, relation string) (sensorthings.ID, error) {
	if s == sensorthings.Observations {
		o, err := b.all.Observation(ctx, id)
		switch {
		case errors.Is(err, sensorthings.ErrNotFound):
			return 0, nil
		case err != nil:
			return 0, err
		case relation == "Datastream":
			return o.Datastream, nil
		}
		return o.Feature, nil
	}
	e, err := b.all.Entity(ctx, s, id)
	switch {
	case errors.Is(err, sensorthings.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return e.To(relation), nil
}

// belongs reports whether other is at the end of a relation of many.
func (b *Broker) belongs(ctx context.Context, s sensorthings.Set, id sensorthings.ID, r *sensorthings.Relation, other sensorthings.ID) (bool, error) {
	back, ok := r.To.Relation(r.Inverse)
	if ok && !back.Many {
		to, err := b.follow(ctx, r.To, other, back.Name)
		return to == id, err
	}
	found := false
	err := b.all.Related(ctx, s, id, r.Name, func(x sensorthings.ID) bool {
		found = x == other
		return !found && x < other
	})
	return found, err
}

// tell renders a change for a topic and queues it for all who may see it.
func (b *Broker) tell(ctx context.Context, sub *subscribed, x *changed) {
	var payload []byte
	seen := map[string]bool{} // by session.holds
	for s, qos := range b.of(sub) {
		sees, asked := seen[s.holds]
		if !asked {
			sees = b.sees(ctx, s, x)
			seen[s.holds] = sees
		}
		if !sees {
			continue
		}
		if payload == nil {
			if payload = b.render(ctx, sub, x); payload == nil {
				return
			}
		}
		s.hand(message{topic: sub.name, payload: payload, qos: qos})
	}
}

func (b *Broker) of(sub *subscribed) map[*session]byte {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return maps.Clone(sub.by)
}

// sees reports whether a client may see what changed.
func (b *Broker) sees(ctx context.Context, s *session, x *changed) bool {
	set, id := x.Set, x.ID
	if set == sensorthings.Observations {
		set, id = sensorthings.Datastreams, x.Observation.Datastream
	}
	_, err := s.reader.Entity(ctx, set, id)
	return err == nil
}

// render is the payload, as GET would answer it; nil when it cannot be said.
func (b *Broker) render(ctx context.Context, sub *subscribed, x *changed) []byte {
	if err := b.load(ctx, x); err != nil {
		return nil
	}
	o := sub.chosen
	if sub.path.Property != nil {
		name := sub.path.Property[0]
		o = &query.Options{Select: []query.Selected{{Name: name}}}
	}
	var payload []byte
	if x.Set == sensorthings.Observations {
		payload = read.AppendObservation(nil, b.o.Base(), x.Observation, o)
	} else {
		payload = read.AppendEntity(nil, b.o.Base(), x.entity, o)
	}
	if sub.path.Property != nil {
		return property(payload, sub.path.Property)
	}
	return payload
}

// property cuts {"name": value} out of an entity, nil where it is not set.
func property(entity []byte, names []string) []byte {
	value := json.RawMessage(entity)
	for _, name := range names {
		var members map[string]json.RawMessage
		if json.Unmarshal(value, &members) != nil {
			return nil
		}
		var ok bool
		if value, ok = members[name]; !ok {
			return nil
		}
	}
	out := append(read.AppendString([]byte{'{'}, names[len(names)-1]), ':')
	return append(append(out, value...), '}')
}
