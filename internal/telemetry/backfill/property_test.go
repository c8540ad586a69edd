package backfill

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/telemetry/dialogue"
	"plateau/internal/testkit"
)

// TestOrderDoesNotMatter: whatever the order in which the records of each
// minute of receipt arrive, and wherever the platform is started again, the
// same is missing in the end, each missing record stands in exactly one open
// gap, and every gap counts what it lacks.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if testkit.Race {
		seeds = 1 // each plays alone: what runs side by side, others watch
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			const minutes = 90
			r := rand.New(rand.NewPCG(seed, 1))
			comes := map[int][]int{} // minute of receipt -> minutes of record
			there := map[int]bool{}
			for m := range minutes {
				switch r.IntN(5) {
				case 0: // never
				case 1, 2: // late, some by hours
					at := m + 1 + r.IntN(60)
					comes[at] = append(comes[at], m)
					there[m] = true
				default:
					comes[m+1] = append(comes[m+1], m)
					there[m] = true
				}
			}
			play := func(order *rand.Rand, restarts bool) string {
				s := newSite(t, "")
				s.answer = func(time.Time, time.Time) string { return dialogue.Busy }
				s.connected = false
				for now := 1; now < minutes+70; now++ {
					s.pass(time.Minute)
					list := slices.Clone(comes[now])
					order.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
					for _, m := range list {
						s.minute(t0.Add(time.Duration(m) * time.Minute))
					}
					if now > minutes { // the rest comes in time
						s.minute(t0.Add(time.Duration(now-1) * time.Minute))
					}
					s.look()
					if restarts && order.IntN(20) == 0 {
						s.start()
						s.look()
					}
				}
				return s.missingText(there, minutes)
			}
			want := play(rand.New(rand.NewPCG(seed, 2)), false)
			for other := range uint64(3) {
				if got := play(rand.New(rand.NewPCG(seed, 3+other)), other > 0); got != want {
					t.Errorf("order %d:\n%s\nwant:\n%s", other, got, want)
				}
			}
		})
	}
}

// missingText checks the ledger against what truly is missing and writes it down.
func (s *site) missingText(there map[int]bool, minutes int) string {
	s.t.Helper()
	var b strings.Builder
	held := map[int]int{}
	gaps := s.ledger()
	slices.SortFunc(gaps, func(a, b Gap) int { return a.From.Compare(b.From) })
	for _, g := range gaps {
		lacks := 0
		for at := g.From; at.Before(g.To); at = at.Add(time.Minute) {
			m := int(at.Sub(t0) / time.Minute)
			if !there[m] && m < minutes {
				lacks++
				if g.State == Open {
					held[m]++
				}
			}
		}
		if g.Missing != lacks || (g.State == Open) != (lacks > 0) {
			s.t.Errorf("%s to %s: %s, %d missing, want %d", g.From, g.To, g.State, g.Missing, lacks)
		}
	}
	for m := range minutes {
		if !there[m] {
			if held[m] != 1 {
				s.t.Errorf("minute %d stands in %d open gaps", m, held[m])
			}
			fmt.Fprintf(&b, "%d ", m)
		}
	}
	return b.String()
}
