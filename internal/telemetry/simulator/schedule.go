package simulator

import (
	"slices"
	"sync"

	"plateau/internal/telemetry"
)

// role is what an outlet plays for a while, so that a demonstration has
// something of every state at any time.
type role uint8

const (
	normal      role = iota
	overHour         // folded hour means above the limit
	overPH           // pH above 9: an instantaneous limit of GB 18918 as amended in 2026
	overDay          // the whole local day above a day limit: warns today, is over tomorrow
	warnHour         // the first half of every hour far above, the hour's mean below the limit
	warnDay          // the morning far above, the day's mean below the limit
	stuck            // the analyser repeats itself
	negative         // a zero point drifted below zero
	jumpy            // sudden steps that stay for a while
	misfold          // reported folded values do not follow from oxygen
	linkDown         // no connection; what was measured is sent afterwards
	powerOff         // logger without power; nothing was measured
	maintenance      // first calibration (C), then maintenance (M)
	stopped          // source stopped (F)
)

// episode is a role for a stretch of time, minutes since 1970, half-open.
type episode struct {
	role     role
	from, to int64
	pick     uint64 // chance of its own, e.g. which factor
}

// track keeps one outlet at a time in a role: every local day it takes pool
// outlets and hands the role round among them, length minutes each.
type track struct {
	role         role
	n            int // tracks of this kind in a region of fullRegion outlets
	pool, length int
	phase        int // minutes between the tracks of a kind
	eligible     func(*Plant) bool
}

// fullRegion is the number of outlets the counts of tracks are made for.
const fullRegion = 64

func isGas(p *Plant) bool { return p.prof.medium == telemetry.Gas }

// Waste incinerators are judged by day means, so hours of theirs are left alone.
func hourJudged(p *Plant) bool {
	return isGas(p) && p.o2 >= 0 && p.prof.sourceType != "municipal waste incinerator"
}
func dayJudged(p *Plant) bool { return p.prof.medium == telemetry.Water }
func isSewage(p *Plant) bool {
	return dayJudged(p) && p.prof.sourceType == "municipal sewage works outlet"
}
func isIndustry(p *Plant) bool { return dayJudged(p) && !isSewage(p) }
func anyPlant(p *Plant) bool   { return p.prof.medium != telemetry.Surface }

// tracks: about 6 outlets over limit, 5 in early warning, 4 suspect, 5
// offline, 4 in maintenance, 5 stopped of some 64. Order matters: the choosy
// ones take first.
var tracks = []track{
	{role: overHour, n: 3, pool: 2, length: 240, phase: 60, eligible: hourJudged},
	{role: warnHour, n: 2, pool: 2, length: 720, phase: 180, eligible: hourJudged},
	{role: misfold, n: 1, pool: 1, length: 1440, eligible: hourJudged},
	{role: stuck, n: 1, pool: 1, length: 1440, eligible: isGas},
	{role: negative, n: 1, pool: 1, length: 1440, eligible: isGas},
	{role: jumpy, n: 1, pool: 1, length: 1440, eligible: isGas},
	{role: stopped, n: 4, pool: 1, length: 1440, eligible: isGas},
	{role: stopped, n: 1, pool: 1, length: 1440, eligible: isIndustry},
	{role: maintenance, n: 2, pool: 2, length: 180, phase: 80, eligible: isGas},
	{role: overPH, n: 1, pool: 2, length: 360, eligible: isSewage},
	{role: overDay, n: 1, pool: 1, length: 1440, eligible: dayJudged},
	{role: warnDay, n: 2, pool: 1, length: 1440, eligible: dayJudged},
	{role: maintenance, n: 2, pool: 2, length: 180, phase: 50, eligible: dayJudged},
	{role: linkDown, n: 3, pool: 2, length: 300, phase: 37, eligible: anyPlant},
	{role: powerOff, n: 2, pool: 2, length: 210, phase: 53, eligible: anyPlant},
	// Of the works left over, every few minutes another one has a short peak.
	{role: overPH, n: 1, pool: 20, length: 5, eligible: isSewage},
}

// schedule deals the roles. It is a pure function of the plants, the seed and
// the day; days are kept because every outlet asks for them.
type schedule struct {
	plants []*Plant
	seed   uint64
	off    bool // nobody has a role
	mu     sync.Mutex
	days   map[int64][][]episode // local day -> plant -> episodes in order
	skips  map[int64][]int       // local day -> plants whose logger skips uploads
}

// A logger that skips uploads leaves out the minute records of skipLength
// minutes in every skipEvery; it keeps them, and sends them when asked.
const (
	skipEvery  = 12
	skipLength = 2
	skippers   = 2 // in a region of fullRegion outlets
)

// skipping reports that plant i does not upload the minute record of a minute.
// since is a minute in which the first of them skips.
func (s *schedule) skipping(i int, minute, since int64) bool {
	if s.off {
		return false
	}
	day := floorDiv(minute+zone*60, 1440)
	s.day(i, day) // deals it
	s.mu.Lock()
	k := slices.Index(s.skips[day], i)
	s.mu.Unlock()
	if k < 0 {
		return false
	}
	phase := (minute - since - int64(k*skipEvery/skippers)) % skipEvery
	return (phase+skipEvery)%skipEvery < skipLength
}

// chooseSkippers takes outlets that nothing else happens to and that report
// every minute. s.mu is held.
func (s *schedule) chooseSkippers(day int64, order []int, taken []bool) {
	var list []int
	for _, i := range order {
		p := s.plants[i]
		if len(list) < (skippers*len(s.plants)+fullRegion/2)/fullRegion && !taken[i] && isGas(p) && p.Version != 2005 && p.Quirk == "" && p.minuteInterval(day*1440) == 1 {
			list = append(list, i)
		}
	}
	if s.skips == nil || len(s.skips) > 64 {
		s.skips = map[int64][]int{}
	}
	s.skips[day] = list
}

// day returns the episodes of plant i on a local day (days since 1970, UTC+8).
func (s *schedule) day(i int, day int64) []episode {
	if s.off {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	plan, ok := s.days[day]
	if !ok {
		plan = s.deal(day)
		if len(s.days) > 64 {
			clear(s.days)
		}
		s.days[day] = plan
	}
	return plan[i]
}

// at returns the episode of plant i at a minute, and the minute until which
// the answer holds. Without a role, role is normal.
func (s *schedule) at(i int, minute int64) (episode, int64) {
	day := floorDiv(minute+zone*60, 1440)
	end := (day+1)*1440 - zone*60
	for _, e := range s.day(i, day) {
		if minute < e.from {
			return episode{}, e.from
		}
		if minute < e.to {
			return e, e.to
		}
	}
	return episode{}, end
}

func (s *schedule) deal(day int64) [][]episode {
	plan := make([][]episode, len(s.plants))
	order := make([]int, len(s.plants))
	for i := range order {
		order[i] = i
	}
	key := func(i int) uint64 { return mix(s.seed ^ s.plants[i].seed ^ uint64(day)*0x9e3779b97f4a7c15) }
	slices.SortFunc(order, func(a, b int) int {
		if key(a) < key(b) {
			return -1
		}
		return 1
	})
	taken := make([]bool, len(s.plants))
	start := day*1440 - zone*60
	for t, tr := range tracks {
		n := (tr.n*len(s.plants) + fullRegion/2) / fullRegion
		for k := range n {
			var pool []int
			for _, i := range order {
				if len(pool) < tr.pool && !taken[i] && tr.eligible(s.plants[i]) {
					taken[i] = true
					pool = append(pool, i)
				}
			}
			for pos, i := range pool {
				pick := mix(s.seed ^ uint64(day)<<16 ^ uint64(t)<<8 ^ uint64(i))
				plan[i] = turns(tr, start, len(pool), pos, k*tr.phase, pick)
			}
		}
	}
	s.chooseSkippers(day, order, taken)
	return plan
}

// turns lists the stretches of one day in which the pos-th of n outlets has
// the role of track tr.
func turns(tr track, start int64, n, pos, phase int, pick uint64) []episode {
	var out []episode
	for m := 0; m < 1440; {
		next := min(1440, m+tr.length-(m+phase)%tr.length)
		if (m+phase)/tr.length%n == pos {
			out = append(out, episode{role: tr.role, from: start + int64(m), to: start + int64(next), pick: pick})
		}
		m = next
	}
	return out
}
