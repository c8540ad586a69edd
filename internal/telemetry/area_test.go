package telemetry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// The sample list: a prefecture that became a city, a county that became a
// district of it, one that was cut in two, two townships that were merged, and a
// county that another prefecture took over.
const areaList = `code,name_zh,name_en,level,parent,effective_from,effective_to,replaces
540000,区,Region,1,,,,
542400,甲地区,A (prefecture),2,540000,,2017-12-31,
540600,甲市,A (city),2,540000,2018-01-01,,542400
540700,乙市,B,2,540000,,,
542421,一县,One,3,542400,,2017-12-31,
540602,一区,One (district),3,540600,2018-01-01,,542421
540621,二县,Two,3,540600,,2019-12-31,
540622,二东县,Two East,3,540600,2020-01-01,,540621
540623,二西县,Two West,3,540600,2020-01-01,,540621
540624,三县,Three,3,540600,,2020-12-31,
540724,三县,Three,3,540700,2021-01-01,,540624
540602001,上乡,Upper,4,540602,,2021-12-31,
540602002,下乡,Lower,4,540602,,2021-12-31,
540602101,上下镇,Both,4,540602,2022-01-01,,540602001 540602002
540602101201,村,Village,village,540602101,,,
`

func importAreas(t *testing.T, f *fixture, text string, dry bool) ImportReport {
	t.Helper()
	rep, err := f.Import(t.Context(), AreaTable, strings.NewReader(text), dry, officer)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestAreasByDate(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			if rep := importAreas(t, f, areaList, false); !rep.Applied || rep.Added != 15 || len(rep.Faults) > 0 {
				t.Fatalf("%+v", rep)
			}
			s := f.Snapshot()
			for _, tt := range []struct {
				code, above string
				want        bool
			}{
				{"540602101201", "540600", true},
				{"540602", "542421", true}, // the former code of it alone
				{"542421", "540602", true}, // and the other way round
				{"542421", "540600", true},
				{"542421", "542400", true},
				{"540602", "542400", true},
				{"540602101201", "542421", true},
				{"542421", "540700", false},
				{"540622", "540621", true}, // a part of what was cut in two
				{"540621", "540622", false},
				{"540621", "540600", true},
				{"540602001", "540602101", true},  // part of what was merged
				{"540602101", "540602001", false}, // the whole is not in the part
				{"540624", "540700", true},        // where it lies today
				{"540624", "540600", false},       // and no more where it lay
				{"540724", "540600", false},
				{"540000", "540600", false},
				{"999999", "540600", false},
				{"999999", "999999", true},
			} {
				if got := s.Within(tt.code, tt.above); got != tt.want {
					t.Errorf("%s within %s: %v", tt.code, tt.above, got)
				}
			}
			if p := s.Prefecture("542421"); p != "540600" {
				t.Errorf("prefecture of a former code: %s", p)
			}
			if p := s.Prefecture("540624"); p != "540700" {
				t.Errorf("prefecture of one that was taken over: %s", p)
			}
			if s.Present("542421") != "540602" || s.Present("540621") != "540621" || s.Present("540602") != "540602" {
				t.Error("present codes", s.Present("542421"), s.Present("540621"))
			}
			if a := s.AreaOn("542421", "2017-12-31"); a == nil || a.Name.Zh != "一县" {
				t.Errorf("on its last day: %+v", a)
			}
			if a := s.AreaOn("542421", "2018-01-01"); a != nil {
				t.Errorf("on the day after: %+v", a)
			}
			if list := s.AreasOn("2017-06-01", "540602"); len(list) != 4 { // one county of then, two townships, a village
				t.Errorf("%+v", list)
			}

			// Again, and as exported: nothing changes.
			if rep := importAreas(t, f, areaList, false); rep.Same != 15 || rep.Changed+rep.Added > 0 {
				t.Errorf("%+v", rep)
			}
			var b strings.Builder
			if err := s.Export(&b, AreaTable, nil, nil); err != nil {
				t.Fatal(err)
			}
			if rep := importAreas(t, f, b.String(), false); rep.Same != 15 {
				t.Errorf("%+v", rep)
			}
			g := checked(t, database.URL(t))
			if rep := importAreas(t, g, b.String(), false); rep.Added != 15 {
				t.Errorf("into an empty registry: %+v", rep)
			}
			if d := cmp.Diff(s.above, g.Snapshot().above); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestAreaTurns: a code announced for a day is in force from then on, also in a
// program that runs on.
func TestAreaTurns(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			importAreas(t, f, areaList, false)
			const next = `code,name_zh,level,parent,effective_from,replaces
540700,乙州,2,540000,2026-12-01,
540725,四县,3,540700,2026-12-01,540724
`
			dry := importAreas(t, f, next, true)
			want := []AreaNews{
				{2, "ended", Area{Code: "540700", Parent: "540000", Level: "prefecture", Name: Name{Zh: "乙市", En: "B"}, To: "2026-11-30"}, Name{}},
				{2, "renamed", Area{Code: "540700", Parent: "540000", Level: "prefecture", Name: Name{Zh: "乙州", En: "B"}, From: "2026-12-01"}, Name{Zh: "乙市", En: "B"}},
				{3, "ended", Area{Code: "540724", Parent: "540700", Level: "county", Name: Name{Zh: "三县", En: "Three"}, From: "2021-01-01", To: "2026-11-30", Replaces: "540624"}, Name{}},
				{3, "added", Area{Code: "540725", Parent: "540700", Level: "county", Name: Name{Zh: "四县"}, From: "2026-12-01", Replaces: "540724"}, Name{}},
			}
			if d := cmp.Diff(want, dry.Areas); d != "" || dry.Applied {
				t.Fatalf("dry run: %v %s", dry.Applied, d)
			}
			if f.Snapshot().Areas["540725"] != nil {
				t.Fatal("the dry run changed something")
			}
			importAreas(t, f, next, false)
			before := f.Snapshot()
			if before.Areas["540700"].Name.Zh != "乙市" || before.Prefecture("540724") != "540700" || before.Present("540724") != "540724" {
				t.Errorf("before its day: %+v", before.Areas["540700"])
			}
			if len(before.Versions("540700")) != 2 {
				t.Errorf("%+v", before.Versions("540700"))
			}
			f.pass(time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC).Sub(f.now())) // midnight in Beijing
			after := f.Snapshot()
			if after.Areas["540700"].Name.Zh != "乙州" || after.Present("540724") != "540725" || !after.Within("540724", "540725") || !after.Within("540725", "540724") {
				t.Errorf("from its day on: %+v", after.Areas["540700"])
			}
			if after.Version <= before.Version || f.Snapshot() != after {
				t.Error("a new day is a new snapshot, once")
			}
		})
	}
}

func TestAreaFaults(t *testing.T) {
	t.Parallel()
	f := checked(t, testkit.Databases()[0].URL(t))
	importAreas(t, f, areaList, false)
	const head = "code,name_zh,level,parent,effective_from,effective_to,replaces\n"
	for _, tt := range []struct{ name, row, column, key string }{
		{"code", "54,x,3,540600,,,", "code", "err.field.area_code"},
		{"no level", "540699,x,,540600,,,", "level", "err.area.level"},
		{"level seven", "540699,x,7,540600,,,", "level", "err.area.level"},
		{"no name", "540699,,3,540600,,,", "name_zh", "err.field.required"},
		{"unknown parent", "540699,x,3,540999,,,", "parent", "err.field.unknown"},
		{"parent below", "540699,x,2,540602,,,", "parent", "err.area.parent"},
		{"no date", "540699,x,3,540600,2020-02-30,,", "effective_from", "err.field.date"},
		{"ends before", "540699,x,3,540600,2020-02-02,2020-02-01,", "effective_to", "err.field.after"},
		{"replaces nothing known", "540699,x,3,540600,2020-01-01,,540998", "replaces", "err.field.unknown"},
		{"replaces since ever", "540699,x,3,540600,,,540621", "effective_from", "err.area.since"},
		{"before its version", "540602,x,3,540600,2017-01-01,,", "effective_from", "err.area.order"},
	} {
		rep := importAreas(t, f, head+tt.row+"\n", false)
		if len(rep.Faults) != 1 || rep.Faults[0].Column != tt.column || rep.Faults[0].Key != tt.key || rep.Faults[0].Row != 2 || rep.Applied {
			t.Errorf("%s: %+v", tt.name, rep)
		}
	}
	// What is monitored is filed under a county.
	_, err := f.CreateEnterprise(t.Context(), Enterprise{ID: "e1", Name: Name{Zh: "x"}, Area: "540602101"}, officer)
	if !errs.Is(err, errs.Invalid) {
		t.Errorf("an enterprise in a township: %v", err)
	}
	if err := f.DeleteArea(t.Context(), "542421", officer); !errs.Is(err, errs.Conflict) {
		t.Errorf("a code that another one replaces can be deleted: %v", err)
	}
	if err := f.DeleteArea(t.Context(), "540602101201", officer); err != nil {
		t.Error(err)
	}
	log, err := f.Log(t.Context(), "area", "", 1)
	if err != nil || len(log) != 1 || log[0].Action != "delete" || log[0].Ref != "540602101201" {
		t.Errorf("%+v %v", log, err)
	}
}

// TestAreaOrder: in whatever order rows of one level come, and after any number
// of imports, grown and read are the same, and nobody lies in itself from below.
func TestAreaOrder(t *testing.T) {
	t.Parallel()
	url := testkit.Databases()[0].URL(t)
	lines := strings.Split(strings.TrimSpace(areaList), "\n")
	f := checked(t, url)
	importAreas(t, f, areaList, false)
	want := f.Snapshot().above
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.Permutation(lines[1:]).Draw(rt, "rows")
		c := newChange(&Snapshot{}, officer, f.now())
		parsed, err := readCSV([]byte(lines[0]+"\n"+strings.Join(rows, "\n")), tables[AreaTable])
		if err != nil {
			rt.Fatal(err)
		}
		rep := ImportReport{Table: AreaTable}
		rep.apply(c, tables[AreaTable], parsed)
		if len(rep.Faults) > 0 {
			rt.Fatalf("%+v", rep.Faults)
		}
		s := c.next.done()
		if d := cmp.Diff(want, s.above); d != "" {
			rt.Fatal(d)
		}
		for code := range s.Areas {
			for above := range s.Areas {
				if code != above && s.Within(code, above) && s.Within(above, code) && s.Areas[code].Level != s.Areas[above].Level {
					rt.Fatalf("%s and %s lie in each other", code, above)
				}
			}
		}
	})
}
