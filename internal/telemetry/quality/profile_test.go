package quality

import (
	"math"
	"testing"
)

func TestHourOfParts(t *testing.T) {
	t.Parallel()
	p := testParams(t)
	full, none, off := Part{Valid: 900}, Part{}, Part{Stopped: 900}
	for _, c := range []struct {
		name       string
		parts      []Part
		service    bool
		valid      bool
		nValid, nD int
	}{
		{"a minute in each quarter", []Part{{Valid: 60}, {Valid: 60}, {Valid: 60}, {Valid: 60}}, false, true, 4, 4},
		{"a quarter without", []Part{full, full, full, none}, false, false, 3, 4},
		{"two with calibration", []Part{full, none, none, full}, true, true, 2, 4},
		{"one with calibration", []Part{full, none, none, none}, true, false, 1, 4},
		{"ran in two quarters", []Part{off, off, full, full}, false, true, 2, 2},
		{"did not run", []Part{off, off, off, off}, false, false, 0, 0},
	} {
		h := HourOfParts(p.part75Hour.part, c.parts, c.service)
		if h.Valid != c.valid || h.NValid != c.nValid || h.NDue != c.nD {
			t.Errorf("quarters, %s: %+v", c.name, h)
		}
	}
	// Two thirds of thirty minutes are twenty.
	for _, c := range []struct {
		parts []Part
		valid bool
		n     int
	}{
		{[]Part{{Valid: 1200}, {Valid: 1199}}, true, 1},
		{[]Part{{Valid: 1800}, {Valid: 1200}}, true, 2},
		{[]Part{{Valid: 1199}, {Valid: 60}}, false, 0},
	} {
		if h := HourOfParts(p.iedHour.part, c.parts, false); h.Valid != c.valid || h.NValid != c.n {
			t.Errorf("half-hours %+v: %+v", c.parts, h)
		}
	}
}

// TestShortTermDay: five lost half-hours of the 48 make a day, six do not;
// (40 × 3 + 10 × 40) ÷ 43.
func TestShortTermDay(t *testing.T) {
	t.Parallel()
	r := &testParams(t).shortTerm
	var hours []ShortTermHour
	for range 20 {
		hours = append(hours, ShortTermHour{Some(10), 2, 2})
	}
	hours = append(hours, ShortTermHour{Some(40), 1, 2}, ShortTermHour{Some(40), 1, 2}, ShortTermHour{Some(40), 1, 2}, ShortTermHour{Opt{}, 0, 2})
	m, lost := ShortTermDay(r, hours)
	if !m.Valid || lost != 5 || !close9(m.Mean, 520.0/43) || m.NValid != 23 {
		t.Errorf("%+v, %d lost", m, lost)
	}
	hours[0].Valid = 1
	if m, lost = ShortTermDay(r, hours); m.Valid || lost != 6 {
		t.Errorf("%+v, %d lost", m, lost)
	}
	if Validated(62, 0.2*50) != 52 || Validated(7, 10) != 0 {
		t.Error("confidence interval")
	}
}

func TestNeighbourMean(t *testing.T) {
	t.Parallel()
	r := &testParams(t).neighbour
	if v := NeighbourMean(r, 24, Some(3), Some(5)); !close9(v, 4) {
		t.Errorf("24 hours: %v", v)
	}
	for _, v := range []Opt{NeighbourMean(r, 25, Some(3), Some(5)), NeighbourMean(r, 2, Some(3), Opt{}), NeighbourMean(r, 2, Opt{}, Some(3))} {
		if v.OK {
			t.Errorf("filled with %v", v)
		}
	}
}

func TestPreceding(t *testing.T) {
	t.Parallel()
	r := &testParams(t).preceding
	if v := Preceding(r, "w01018", []float64{2, 3, 10}); !close9(v, 5) {
		t.Errorf("mean %v", v)
	}
	if v := Preceding(r, "w01001", []float64{8, 6.5, 7}); !close9(v, 7) {
		t.Errorf("median %v", v)
	}
	if v := Preceding(r, "w01001", []float64{8, 6.5, 7, 7.2}); math.Abs(v.V-7.1) > 1e-12 {
		t.Errorf("median of four %v", v)
	}
	if v := Preceding(r, "w01018", nil); v.OK {
		t.Errorf("of nothing %v", v)
	}
}

// TestPart75: rates 1 to 720 kg/h; the 90th percentile by nearest rank is the
// 648th, the 95th the 684th.
func TestPart75(t *testing.T) {
	t.Parallel()
	r := &testParams(t).part75
	rates := make([]float64, 720)
	for i := range rates {
		rates[i] = float64(720 - i)
	}
	for _, c := range []struct {
		pma, hours    float64
		before, after Opt
		rates         []float64
		value         float64
		modc          string
	}{
		{95, 24, Some(100), Some(200), rates, 150, "06"},
		{95, 25, Some(100), Some(200), rates, 648, "08"},
		{95, 25, Some(700), Some(720), rates, 710, "08"},
		{94.9, 8, Some(100), Some(200), rates, 150, "06"},
		{94.9, 9, Some(100), Some(200), rates, 684, "09"},
		{90, 9, Some(700), Some(720), rates, 710, "09"},
		{89.9, 1, Some(100), Some(200), rates, 720, "10"},
		{80, 100, Opt{}, Opt{}, rates, 720, "10"},
		{79.9, 1, Some(100), Some(200), rates, 2000, "12"},
		{99, 3, Some(100), Some(200), rates[:719], 150, "07"},
	} {
		g := Part75Gap{PMA: Some(c.pma), Hours: c.hours, Before: c.before, After: c.after, Rates: c.rates, Window: 720, Potential: Some(2000)}
		if res := Part75Substitute(r, g); !close9(res.Value, c.value) || res.MODC != c.modc {
			t.Errorf("availability %v, %v h: %+v", c.pma, c.hours, res)
		}
	}
	if res := Part75Substitute(r, Part75Gap{PMA: Some(99), Hours: 3, Before: Some(1), Rates: rates, Window: 720}); res.Value.OK {
		t.Errorf("no hour after: %+v", res)
	}
}
