package indices

import (
	"errors"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

func editions(tb testing.TB) []*AirRule {
	tb.Helper()
	var out []*AirRule
	for _, v := range rules.Default().Versions("air.iaqi") {
		a, err := ReadAir(v)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// TestAirRises: worse air never has a smaller index, nor one above 500.
func TestAirRises(t *testing.T) {
	t.Parallel()
	all := editions(t)
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(all).Draw(t, "edition")
		item := rapid.SampledFrom(a.Items()).Draw(t, "item")
		c := rapid.Int64Range(0, 5_000_000).Draw(t, "c")
		more := rapid.Int64Range(c, 5_000_000).Draw(t, "more")
		lo, ok1 := a.IAQI(item, big.NewRat(c, 1000))
		hi, ok2 := a.IAQI(item, big.NewRat(more, 1000))
		if ok2 && !ok1 || ok2 && lo > hi || hi > 500 || lo < 0 {
			t.Errorf("%s: %d has %d (%v), %d has %d (%v)", item, c, lo, ok1, more, hi, ok2)
		}
	})
}

func TestAirUnknown(t *testing.T) {
	t.Parallel()
	a := editions(t)[0]
	if v, ok := a.IAQI("PM1_24h", big.NewRat(1, 1)); ok {
		t.Errorf("an item without breakpoints has index %d", v)
	}
	if v, ok := a.IAQI("O3_8h", big.NewRat(-1, 1)); ok {
		t.Errorf("a negative concentration has index %d", v)
	}
}

func TestAirRefuses(t *testing.T) {
	t.Parallel()
	index := []any{int64(0), int64(50), int64(100)}
	for name, points := range map[string][]any{
		"falling": {int64(0), int64(9), int64(9)}, "too many": {int64(0), int64(1), int64(2), int64(3)}, "one": {int64(0)}, "text": {"0", "1"},
	} {
		r := &rules.Rule{ID: "air.iaqi", Params: map[string]any{"edition": "x", "index": index, "breakpoints": map[string]any{"PM10_24h": points}}}
		if _, err := ReadAir(r); !errors.Is(err, rules.ErrInvalid) {
			t.Errorf("%s breakpoints: %v", name, err)
		}
	}
}

func classRule(tb testing.TB) *ClassRule {
	tb.Helper()
	c, err := ReadClass(rules.Default(), "2026-11-24")
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestClassFactors: twenty-one factors are judged, each against five limits
// that never become stricter from class to class.
func TestClassFactors(t *testing.T) {
	t.Parallel()
	c := classRule(t)
	if diff := cmp.Diff([]string{"lake", "river"}, c.Bodies()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, body := range c.Bodies() {
		if n := len(c.bodies[body]); n != 21 {
			t.Errorf("%s: %d factors are judged, want 21", body, n)
		}
		for code, limits := range c.bodies[body] {
			for i := 1; i < len(limits); i++ {
				if limits[i].Hi.V < limits[i-1].Hi.V || limits[i].Lo.V > limits[i-1].Lo.V {
					t.Errorf("%s of a %s: class %s is stricter than %s", code, body, c.Classes[i], c.Classes[i-1])
				}
			}
		}
	}
}

// TestClassWorsens: another factor, or more of one, never makes water better.
func TestClassWorsens(t *testing.T) {
	t.Parallel()
	c := classRule(t)
	rank := func(class string) int {
		return slices.Index(append([]string{""}, append(slices.Clone(c.Classes), c.Worse)...), class)
	}
	codes := slices.Sorted(maps.Keys(c.bodies["river"]))
	rapid.Check(t, func(t *rapid.T) {
		values := map[string]float64{}
		last := 0
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			code := rapid.SampledFrom(codes).Draw(t, "factor")
			v := rapid.Float64Range(0, 3).Draw(t, "value") * max(c.bodies["river"][code][c.good].Hi.V, 5)
			switch old, there := values[code]; {
			case code == "w01001": // pH is better in the middle
				v = rapid.Float64Range(0, 14).Draw(t, "pH")
				if there {
					continue
				}
			case there && code == "w01009":
				v = min(v, old)
			case there:
				v = max(v, old)
			}
			values[code] = v
			r := WaterClass(c, "river", values)
			if now := rank(r.Class); now < last {
				t.Fatalf("%v is %s, better than without the last value", values, r.Class)
			} else {
				last = now
			}
			if len(r.PerFactor) != len(values) || len(r.Main) != min(3, len(r.OverClass3)) {
				t.Fatalf("%d factors judged of %d, %d main pollutants of %d", len(r.PerFactor), len(values), len(r.Main), len(r.OverClass3))
			}
		}
	})
}

func TestMainPollutants(t *testing.T) {
	t.Parallel()
	r := WaterClass(classRule(t), "river", map[string]float64{"w01018": 30, "w21003": 3, "w21011": 0.3, "w01019": 7, "w01009": 1})
	if diff := cmp.Diff([]string{"w21003", "w01018", "w21011"}, r.Main); diff != "" {
		t.Errorf("the three largest multiples (-want +got):\n%s", diff)
	}
	if r := WaterClass(classRule(t), "sea", map[string]float64{"w01018": 30}); r.Class != "" || len(r.PerFactor) != 0 {
		t.Errorf("an unknown water body has class %q", r.Class)
	}
}

// TestTrophicLevels: the bounds of the levels are those of the rule, and belong
// to the better side.
func TestTrophicLevels(t *testing.T) {
	t.Parallel()
	rule, err := ReadTrophic(rules.Default(), "2026-11-24")
	if err != nil {
		t.Fatal(err)
	}
	for tli, want := range map[float64]string{
		29.99: Oligotrophic, 30: Mesotrophic, 50: Mesotrophic, 50.01: LightlyEutrophic, 60: LightlyEutrophic, 60.01: ModeratelyEutrophic,
		70: ModeratelyEutrophic, 70.01: HeavilyEutrophic,
	} {
		if got := rule.level(tli); got != want {
			t.Errorf("%v is %s, want %s", tli, got, want)
		}
	}
	weights := 0.0
	for _, x := range rule.terms {
		weights += x.weight
	}
	if d := weights - 1; d > 1e-12 || d < -1e-12 {
		t.Errorf("the weights sum to %v", weights)
	}
	one := quality.Some(1)
	if r := Trophic(rule, Lake{ChlA: one, TP: one, TN: one, SD: quality.Some(0), CODMn: one}); r.Status != TrophicNotComputed || r.TLI.OK {
		t.Errorf("a Secchi depth of nothing gives %+v", r)
	}
}
