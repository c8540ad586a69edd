package store

import (
	cmp2 "cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"plateau/internal/telemetry"
)

// The naive form: records as Records gives them, one factor's values picked,
// parts and their times taken from those that hold it.
func naiveFactor(t *rapid.T, s *Store, sc FactorScan) (out []telemetry.Record) {
	err := s.Records(sc.Outlet, sc.Kind, sc.From, sc.To, func(r *telemetry.Record) bool {
		n := telemetry.Record{Outlet: r.Outlet, Kind: r.Kind, At: r.At}
		for _, v := range r.Values {
			if sc.Match(v.Code) {
				n.Values = append(n.Values, v)
			}
		}
		out = append(out, n)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range out {
		parts, err := s.Parts(sc.Outlet, sc.Kind, out[i].At)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			var vs []telemetry.Value
			for _, v := range p.Values {
				if sc.Match(v.Code) {
					vs = append(vs, v)
				}
			}
			if len(vs) == 0 {
				continue
			}
			n := &out[i]
			n.RF, n.Received = p.RF, p.Received
			n.Parts = append(n.Parts, p.Parts...)
			for _, v := range vs {
				if got, ok := n.Find(v.Code, v.Suffix); ok && !same(got, &v) {
					n.Revised = true
				}
			}
		}
	}
	if sc.Newest {
		slices.Reverse(out)
	}
	return out
}

func TestFactorAgreesWithRecords(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{NoSync: true})
	outlet := telemetry.OutletID(0)
	rapid.Check(t, func(rt *rapid.T) {
		outlet++
		for range rapid.IntRange(1, 12).Draw(rt, "frames") {
			at := t0.Add(time.Duration(rapid.IntRange(0, 4).Draw(rt, "minute")) * time.Minute)
			var items []string
			for _, code := range []string{"a21002", "a21026", "w01018"} {
				if !rapid.Bool().Draw(rt, "has") {
					continue
				}
				v := rapid.SampledFrom([]string{"1.50", "2", "-0.004", "123456789012345678", "x", "1e5"}).Draw(rt, "value")
				flag := rapid.SampledFrom([]string{",%s-Flag=N", ",%s-Flag=D", ""}).Draw(rt, "flag")
				if flag != "" {
					flag = fmt.Sprintf(flag, code)
				}
				items = append(items, code+"-Avg="+v+","+code+"-Max=9"+flag)
			}
			if len(items) > 0 {
				put(t, s, frameOf(t, outlet, 2051, at, items...))
			}
		}
		sc := FactorScan{Outlet: outlet, Kind: telemetry.KindMinute, Match: func(c string) bool { return c == "a21026" }, Newest: rapid.Bool().Draw(rt, "newest")}
		sc.From = t0.Unix() + int64(rapid.IntRange(-1, 4).Draw(rt, "from"))*60
		sc.To = sc.From + int64(rapid.IntRange(0, 6).Draw(rt, "span"))*60
		var got []telemetry.Record
		if err := s.Factor(sc, func(r *telemetry.Record) bool {
			c := *r
			c.Values, c.Parts = slices.Clone(r.Values), slices.Clone(r.Parts)
			got = append(got, c)
			return true
		}); err != nil {
			rt.Fatal(err)
		}
		want := naiveFactor(rt, s, sc)
		byName := func(a, b telemetry.Value) int { return cmp2.Compare(a.Suffix, b.Suffix) }
		for i := range got {
			slices.SortFunc(got[i].Values, byName)
		}
		for i := range want {
			slices.SortFunc(want[i].Values, byName)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestDerivedNewest(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{NoSync: true})
	var rows []Derived
	for i := range int64(5) {
		rows = append(rows, Derived{Table: 'z', Outlet: 1, At: i, Value: []byte{byte(i)}})
	}
	if err := s.PutDerived(append(rows, Derived{Table: 'z', Outlet: 2, At: 1, Value: []byte{9}}), "", 0); err != nil {
		t.Fatal(err)
	}
	var got []int64
	if err := s.DerivedNewest('z', 1, 1, 4, func(at int64, _ []byte) bool { got = append(got, at); return true }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{3, 2, 1}, got); diff != "" {
		t.Error(diff)
	}
}
