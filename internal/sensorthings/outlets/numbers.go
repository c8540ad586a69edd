package outlets

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// tableNumbers holds, a row a number, what Datastreams (under outlet 0) and
// ObservedProperties (under outlet 1) stand for. It is in the telemetry store
// because a number must not outlive the series it names, nor the series it: they
// are copied, restored and synced together. Rows are only ever added.
const (
	tableNumbers    byte               = 'n'
	datastreamsRow  telemetry.OutletID = 0
	propertiesRow   telemetry.OutletID = 1
	firstProperty   sensorthings.ID    = 1
	maxFound                           = 64 // series of an outlet that no list declares; a logger can invent codes
	suffixMean                         = "Avg"
	suffixFolded                       = "ZsAvg"
	suffixReal                         = "Rtd"
	valuesSeparator                    = " "
)

// level is what a Datastream is made of.
type level uint8

const (
	realtime level = 1 + iota // records of 2011
	minute                    // records of 2051
	hour                      // judged
	day                       // judged
)

var levelNames = [...]string{"", quality.LevelRealtime, quality.LevelMinute, quality.LevelHour, quality.LevelDay}

func (l level) String() string { return levelNames[l] }

// kind is the kind of record of a level that is not judged.
func (l level) kind() telemetry.Kind {
	if l == realtime {
		return telemetry.KindRealtime
	}
	return telemetry.KindMinute
}

func (l level) judged() bool { return l >= hour }

// key is what a Datastream stands for.
type key struct {
	outlet telemetry.OutletID
	code   string // of 2017
	level  level
	suffix string // Rtd, Avg, ZsAvg (at reference oxygen)
}

// series is a Datastream.
type series struct {
	id sensorthings.ID
	key
	property sensorthings.ID
}

func (k key) text() string {
	return strings.Join([]string{strconv.FormatUint(uint64(k.outlet), 10), k.level.String(), k.code, k.suffix}, valuesSeparator)
}

func parseKey(text string) (k key, ok bool) {
	f := strings.Split(text, valuesSeparator)
	if len(f) != 4 {
		return k, false
	}
	n, err := strconv.ParseUint(f[0], 10, 32)
	l := slices.Index(levelNames[:], f[1])
	return key{telemetry.OutletID(n), f[2], level(max(l, 0)), f[3]}, err == nil && l > 0
}

// numbered are all numbers given; it is replaced, never changed.
type numbered struct {
	all        []*series // ascending
	byID       map[sensorthings.ID]*series
	byKey      map[key]*series
	byOutlet   map[telemetry.OutletID][]*series // ascending
	properties []string                         // codes, ascending by number: number firstProperty + index
	byCode     map[string]sensorthings.ID
	byProperty map[sensorthings.ID][]*series // ascending
}

// numbers gives numbers.
type numbers struct {
	mu   sync.Mutex // held while some are given
	list atomic.Pointer[numbered]
}

func (n *numbers) load(st Store) error {
	var keys []key
	var ids []sensorthings.ID
	var codes []string
	var bad error
	err := st.Derived(tableNumbers, propertiesRow, 0, 1<<40, func(at int64, v []byte) bool {
		if at != firstProperty+int64(len(codes)) {
			bad = fmt.Errorf("number of ObservedProperty %d is missing", firstProperty+int64(len(codes)))
		}
		codes = append(codes, string(v))
		return bad == nil
	})
	if err == nil && bad == nil {
		err = st.Derived(tableNumbers, datastreamsRow, 0, 1<<40, func(at int64, v []byte) bool {
			k, ok := parseKey(string(v))
			if !ok {
				bad = fmt.Errorf("number of Datastream %d is damaged: %q", at, v)
			}
			keys, ids = append(keys, k), append(ids, at)
			return ok
		})
	}
	if err = cmp.Or(err, bad); err != nil {
		return fmt.Errorf("read the numbers of Datastreams: %w", err)
	}
	l := &numbered{byID: map[sensorthings.ID]*series{}, byKey: map[key]*series{}, byOutlet: map[telemetry.OutletID][]*series{}, byCode: map[string]sensorthings.ID{}, byProperty: map[sensorthings.ID][]*series{}}
	for _, c := range codes {
		l.addCode(c)
	}
	for i, k := range keys {
		l.add(ids[i], k)
	}
	n.list.Store(l)
	return nil
}

func (l *numbered) addCode(code string) sensorthings.ID {
	id := firstProperty + sensorthings.ID(len(l.properties))
	l.properties = append(l.properties, code)
	l.byCode[code] = id
	return id
}

func (l *numbered) add(id sensorthings.ID, k key) {
	se := &series{id, k, l.byCode[k.code]}
	l.all = append(l.all, se)
	l.byID[id], l.byKey[k] = se, se
	l.byOutlet[k.outlet] = append(l.byOutlet[k.outlet], se)
	l.byProperty[se.property] = append(l.byProperty[se.property], se)
}

// clone copies so far that additions leave l as it is.
func (l *numbered) clone() *numbered {
	return &numbered{
		all: slices.Clip(l.all), byID: maps.Clone(l.byID), byKey: maps.Clone(l.byKey), byOutlet: clipped(l.byOutlet),
		properties: slices.Clip(l.properties), byCode: maps.Clone(l.byCode), byProperty: clipped(l.byProperty),
	}
}

func clipped[K comparable](m map[K][]*series) map[K][]*series {
	out := make(map[K][]*series, len(m))
	for k, v := range m {
		out[k] = slices.Clip(v)
	}
	return out
}

// give numbers those of keys that have none yet, in their order. They are
// durable before anybody sees them.
func (n *numbers) give(st Store, keys []key) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.list.Load()
	keys = slices.DeleteFunc(keys, func(k key) bool { return old.byKey[k] != nil })
	if len(keys) == 0 {
		return nil
	}
	l := old.clone()
	next := sensorthings.FirstOutletDatastream
	if len(l.all) > 0 {
		next = l.all[len(l.all)-1].id + 1
	}
	var rows []store.Derived
	for _, k := range keys {
		if l.byKey[k] != nil {
			continue
		}
		if next > sensorthings.LastOutletDatastream {
			return fmt.Errorf("all %d numbers of Datastreams are given", sensorthings.LastOutletDatastream-sensorthings.FirstOutletDatastream+1)
		}
		if _, ok := l.byCode[k.code]; !ok {
			rows = append(rows, store.Derived{Table: tableNumbers, Outlet: propertiesRow, At: l.addCode(k.code), Value: []byte(k.code)})
		}
		l.add(next, k)
		rows = append(rows, store.Derived{Table: tableNumbers, Outlet: datastreamsRow, At: next, Value: []byte(k.text())})
		next++
	}
	if err := st.PutDerived(rows, "", 0); err != nil {
		return fmt.Errorf("keep the numbers of Datastreams: %w", err)
	}
	n.list.Store(l)
	return nil
}
