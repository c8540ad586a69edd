package outlets

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// lookEvery is how long a series that no list declares may stay unseen.
const lookEvery = 5 * time.Second

// look gives numbers to what is new: at once to what the registry declares, and
// now and then to what the latest records and the judged rows hold beside that.
func (s *Source) look(first bool) error {
	s.looked.Lock()
	defer s.looked.Unlock()
	snap, now := s.o.Registry.Snapshot(), s.o.Now()
	due := first || now.Sub(s.looked.at) >= lookEvery || now.Before(s.looked.at)
	if snap == s.looked.snap && !due {
		return nil
	}
	var keys []key
	if snap != s.looked.numbered {
		keys = declared(snap, now)
	}
	keys = append(keys, s.sent(snap)...)
	judged, err := s.judged(snap, first)
	if err != nil {
		return err
	}
	keys = s.bounded(snap, append(keys, judged...))
	s.looked.at, s.looked.snap = now, snap // also where it fails: it is tried again when it is due
	if err := s.numbers.give(s.o.Store, keys); err != nil {
		// While nothing can be written what has numbers is shown all the same.
		if first {
			return err
		}
		s.o.Logger.WarnContext(context.Background(), "new series have no numbers yet", slog.String("error", err.Error()))
		return nil
	}
	s.looked.numbered = snap
	return nil
}

// declared are the series that the registry asks for: of each factor the judged
// hours and days, and the records that are expected.
func declared(snap *telemetry.Snapshot, now time.Time) (keys []key) {
	ids := slices.Clone(snap.Order)
	slices.Sort(ids) // so that numbers do not depend on names
	for _, id := range ids {
		o := snap.Outlets[id]
		if o == nil {
			continue
		}
		iv := o.IntervalAt(now)
		for _, f := range o.Factors {
			code := quality.Code2017(f.Code)
			if iv.Realtime > 0 {
				keys = append(keys, key{id, code, realtime, suffixReal})
			}
			if iv.Minute > 0 {
				keys = append(keys, key{id, code, minute, suffixMean})
			}
			keys = append(keys, key{id, code, hour, suffixMean}, key{id, code, day, suffixMean})
		}
	}
	return keys
}

// sent are the series in the latest records that have no number.
func (s *Source) sent(snap *telemetry.Snapshot) (keys []key) {
	list := s.numbers.list.Load()
	for l, suffix := range map[level]string{realtime: suffixReal, minute: suffixMean} {
		s.o.Store.EachLatest(l.kind(), func(r *telemetry.Record) bool {
			if snap.Outlets[r.Outlet] == nil {
				return true
			}
			for i := range r.Values {
				if r.Values[i].Suffix != suffix {
					continue
				}
				if k := (key{r.Outlet, quality.Code2017(r.Values[i].Code), l, suffix}); list.byKey[k] == nil {
					keys = append(keys, k)
				}
			}
			return true
		})
	}
	sortKeys(keys)
	return keys
}

// judged are the series of what was judged since the last look that have no
// number: factors that only frames know, and figures at reference oxygen. At the
// first look it is the last day of every outlet; what is older is found when it
// is counted.
func (s *Source) judged(snap *telemetry.Snapshot, first bool) (keys []key, err error) {
	since := s.watch.Take()
	s.counts.judged(since)
	now := s.o.Now()
	if first {
		for id := range snap.Outlets {
			since[id] = now.Unix() - daySeconds
		}
	}
	for id, from := range since {
		from = max(from, now.Unix()-2*daySeconds)
		for _, l := range []level{hour, day} {
			err := s.eachJudged(bodyKey{id, l}, quality.DayStart(from), now.Unix(), func(_ int64, more []key) { keys = append(keys, more...) })
			if err != nil {
				return nil, err
			}
		}
	}
	list := s.numbers.list.Load()
	keys = slices.DeleteFunc(keys, func(k key) bool { return list.byKey[k] != nil })
	sortKeys(keys)
	return slices.Compact(keys), nil
}

// bounded leaves out what is beyond the number of undeclared series that an
// outlet may have, and codes that name nothing.
func (s *Source) bounded(snap *telemetry.Snapshot, keys []key) []key {
	list := s.numbers.list.Load()
	more := map[telemetry.OutletID]int{}
	return slices.DeleteFunc(keys, func(k key) bool {
		o := snap.Outlets[k.outlet]
		if o == nil || list.byKey[k] != nil {
			return true
		}
		if slices.ContainsFunc(o.Factors, func(f telemetry.OutletFactor) bool { return quality.Code2017(f.Code) == k.code }) {
			return false
		}
		if _, ok := hj212.LookupFactor(k.code); !ok {
			return true
		}
		more[k.outlet]++
		return len(list.byOutlet[k.outlet])+more[k.outlet] > 6*len(o.Factors)+maxFound
	})
}

// eachJudged calls fn with what the judged hours or days of [from, to) hold. Rows
// that cannot be read are left out; reading them as observations has them judged
// again.
func (s *Source) eachJudged(b bodyKey, from, to int64, fn func(at int64, keys []key)) error {
	var keys []key
	table := quality.TableHour
	if b.level == day {
		table = quality.TableDay
	}
	return s.o.Store.Derived(table, b.outlet, from, to, func(at int64, v []byte) bool {
		keys = keys[:0]
		if b.level == hour {
			row, err := quality.ReadHour(b.outlet, at, v)
			for i := range row.Factors {
				if err == nil {
					keys = append(keys, hourKeys(b.outlet, &row.Factors[i])...)
				}
			}
		} else {
			row, err := quality.ReadDay(b.outlet, at, v)
			for i := range row.Factors {
				if err == nil {
					keys = append(keys, dayKeys(b.outlet, &row.Factors[i])...)
				}
			}
		}
		fn(at, keys)
		return true
	})
}

func hourKeys(o telemetry.OutletID, f *quality.FactorHour) []key {
	keys := []key{{o, quality.Code2017(f.Code), hour, suffixMean}}
	if hourFolded(f) {
		keys = append(keys, key{o, keys[0].code, hour, suffixFolded})
	}
	return keys
}

func dayKeys(o telemetry.OutletID, f *quality.FactorDay) []key {
	keys := []key{{o, quality.Code2017(f.Code), day, suffixMean}}
	if dayFolded(f) {
		keys = append(keys, key{o, keys[0].code, day, suffixFolded})
	}
	return keys
}

// hourFolded reports whether an hour has a figure at reference oxygen, or would
// have had one with oxygen.
func hourFolded(f *quality.FactorHour) bool {
	_, folded := f.Shown()
	return folded.OK || f.Fold == quality.FoldO2Missing || f.Fold == quality.FoldO2Range
}

func dayFolded(f *quality.FactorDay) bool {
	_, folded := f.Shown()
	return folded.OK
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.outlet, b.outlet), cmp.Compare(a.code, b.code), cmp.Compare(a.level, b.level), cmp.Compare(a.suffix, b.suffix))
}

func sortKeys(keys []key) { slices.SortFunc(keys, compareKeys) }
