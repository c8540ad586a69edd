package entitystore

import (
	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

// writer adds observations to a batch; its buffers are used again.
type writer struct {
	b          *pebble.Batch
	key, value []byte
}

func (w *writer) set(key, value []byte) error { return w.b.Set(key, value, nil) }
func (w *writer) del(key []byte) error        { return w.b.Delete(key, nil) }

// put writes the row of an observation and its indices, except the one by
// identifier, and widens the summary.
func (w *writer) put(sum *summary, o *sensorthings.Observation) error {
	if !sum.hasFeature {
		sum.hasFeature, sum.feature = true, o.Feature
		if err := w.pair(o.Feature, o.Datastream); err != nil {
			return err
		}
	}
	strange := o.Feature != sum.feature
	w.key = timed(w.key[:0], kRow, o.Datastream, o.Phenomenon.Start, o.ID)
	w.value = appendRow(w.value[:0], o, strange)
	d := w.b.SetDeferred(len(w.key), len(w.value))
	copy(d.Key, w.key)
	copy(d.Value, w.value)
	if err := d.Finish(); err != nil {
		return err
	}
	sum.noteLatest(w.key, w.value)
	sum.add(o, strange)
	if !o.Phenomenon.Instant() {
		w.key = timed(w.key[:0], kEnd, o.Datastream, o.Phenomenon.End, o.ID)
		if err := w.set(w.key, nil); err != nil {
			return err
		}
	}
	if o.HasResultTime && o.ResultTime != o.Phenomenon.Start {
		w.key = timed(w.key[:0], kResult, o.Datastream, o.ResultTime, o.ID)
		if err := w.set(w.key, nil); err != nil {
			return err
		}
	}
	if !strange || o.Feature == 0 {
		return nil
	}
	if sum.lastFarOff != o.Feature {
		if err := w.pair(o.Feature, o.Datastream); err != nil {
			return err
		}
		sum.lastFarOff = o.Feature
	}
	w.key = prefix(w.key[:0], kFeature, o.Feature, o.Datastream, o.ID)
	return w.set(w.key, appendTime(nil, o.Phenomenon.Start))
}

// pair notes that a Datastream has observations of a feature.
func (w *writer) pair(feature, ds sensorthings.ID) error {
	if feature == 0 {
		return nil
	}
	if err := w.set(prefix(nil, kFeatureIn, feature, ds), nil); err != nil {
		return err
	}
	return w.set(prefix(nil, kFeatureOf, ds, feature), nil)
}

// remove deletes the row of an observation and its indices, except the one by
// identifier, and reports whether an extreme of the summary went with it.
func (w *writer) remove(sum *summary, o *sensorthings.Observation) (extreme bool, err error) {
	w.key = timed(w.key[:0], kRow, o.Datastream, o.Phenomenon.Start, o.ID)
	if err := w.del(w.key); err != nil {
		return false, err
	}
	if string(sum.latest.key) == string(w.key) {
		sum.latest = latest{}
	}
	strange := o.Feature != sum.feature
	return sum.sub(o, strange), w.removeIndices(o, strange)
}

func (w *writer) removeIndices(o *sensorthings.Observation, strange bool) error {
	if !o.Phenomenon.Instant() {
		w.key = timed(w.key[:0], kEnd, o.Datastream, o.Phenomenon.End, o.ID)
		if err := w.del(w.key); err != nil {
			return err
		}
	}
	if o.HasResultTime && o.ResultTime != o.Phenomenon.Start {
		w.key = timed(w.key[:0], kResult, o.Datastream, o.ResultTime, o.ID)
		if err := w.del(w.key); err != nil {
			return err
		}
	}
	if strange && o.Feature != 0 {
		w.key = prefix(w.key[:0], kFeature, o.Feature, o.Datastream, o.ID)
		return w.del(w.key)
	}
	return nil
}

// places writes index rows for consecutive identifiers from first.
func (w *writer) places(first sensorthings.ID, ps []place) error {
	for len(ps) > 0 {
		n := min(len(ps), maxIndexed)
		w.key = prefix(w.key[:0], kIndex, first)
		w.value = appendPlaces(w.value[:0], ps[:n])
		if err := w.set(w.key, w.value); err != nil {
			return err
		}
		first, ps = first+int64(n), ps[n:]
	}
	return nil
}

func (w *writer) summary(ds sensorthings.ID, sum *summary) error {
	sum.change++
	sum.row = sum.append(nil)
	return w.set(prefix(nil, kSummary, ds), sum.row)
}

func (w *writer) counter(which byte, next sensorthings.ID) error {
	return w.set([]byte{kCounter, which}, appendID(nil, next))
}

const maxLatest = 512 // bytes of a row that is kept in memory

// noteLatest keeps the row when it is the last one. Whether it is can be told
// only while the former last one is known, or there is none.
func (s *summary) noteLatest(key, value []byte) {
	if s.count > 0 && s.latest.key == nil {
		if timeOf(key[1+idLen:]) <= s.last {
			return
		}
	} else if s.latest.key != nil && string(key) < string(s.latest.key) {
		return
	}
	if len(value) > maxLatest {
		s.latest = latest{}
		return
	}
	s.latest = latest{append(s.latest.key[:0:0], key...), append([]byte(nil), value...)}
}
