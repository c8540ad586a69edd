package telemetry

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// filled lists the tables in the order in which a new registry is filled.
var filled = []Table{EnterpriseTable, OutletTable, FactorTable, LimitTable, SetupTable, StopTable, DeviceTable}

func export(t *testing.T, s *Snapshot, table Table) string {
	t.Helper()
	var b bytes.Buffer
	words := func(column string) string { return "词 " + column }
	if err := s.Export(&b, table, words, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExportComesBack(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			err := f.EditOutlet(ctx, 1, officer, func(o *Outlet) error {
				o.Name.En, o.SourceType = "=1+1, \"quoted\"", "-x"
				return o.PutStop(time.Time{}, Stop{From: f.now().Add(-time.Hour), Reason: "检修"})
			})
			if err != nil {
				t.Fatal(err)
			}
			files := map[Table]string{}
			for _, table := range filled {
				files[table] = export(t, f.Snapshot(), table)
				if !strings.HasPrefix(files[table], utf8BOM+tables[table].columns[0]+",") {
					t.Errorf("%s begins %q", table, files[table][:20])
				}
			}
			for _, secret := range []string{"123456", "506c6174", "PlateauSample212"} {
				if strings.Contains(files[DeviceTable], secret) {
					t.Errorf("the export holds %s", secret)
				}
			}
			if strings.Contains(files[OutletTable], ",\"=1") || !strings.Contains(files[OutletTable], "'=1+1") {
				t.Error("a text could be taken for a formula")
			}
			// Into the same registry: nothing changes.
			version := f.Snapshot().Version
			for _, table := range filled {
				rep, err := f.Import(ctx, table, strings.NewReader(files[table]), false, officer)
				if err != nil || !rep.Applied || rep.Same != rep.Rows || rep.Rows == 0 {
					t.Errorf("%s: %+v, %v", table, rep, err)
				}
			}
			if f.Snapshot().Version != version {
				t.Error("importing an export changed something")
			}
			// Into an empty one: all of it is there again.
			other := newFixture(t, filepath.Join(t.TempDir(), "other.db"))
			if err := other.Load(ctx, LoadInput{Areas: region.Areas}, auth.System); err != nil {
				t.Fatal(err)
			}
			for _, table := range filled {
				rep, err := other.Import(ctx, table, strings.NewReader(files[table]), false, officer)
				if err != nil || !rep.Applied || rep.Added+rep.Changed != rep.Rows {
					t.Errorf("%s: %+v, %v", table, rep, err)
				}
				if d := cmp.Diff(files[table], export(t, other.Snapshot(), table)); d != "" {
					t.Errorf("%s: %s", table, d)
				}
			}
			other.sameAsRead(t)
		})
	}
}

func TestImportForms(t *testing.T) {
	t.Parallel()
	const plain = "id,name_zh,area\r\nE7,\"示例,污水处理厂\",540102\r\n\r\n,,\r\n"
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"plain":        plain,
		"bom":          utf8BOM + plain,
		"gbk":          gbk,
		"both headers": "id,name_zh,area\n# 编号,名称,区划\nE7,\"示例,污水处理厂\",540102\n",
		"semicolons":   "id;name_zh;area\r\nE7;示例,污水处理厂;540102\r\n",
		"tabs":         "id\tname_zh\tarea\nE7\t示例,污水处理厂\t540102\n",
		"other order":  "Area, NAME_ZH ,id\n540102,\"示例,污水处理厂\",E7\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
			f.load(t)
			rep, err := f.Import(t.Context(), EnterpriseTable, strings.NewReader(file), false, officer)
			if err != nil || !rep.Applied || rep.Added != 1 || rep.Rows != 1 {
				t.Fatalf("%+v, %v", rep, err)
			}
			if e := f.Snapshot().Enterprises["E7"]; e == nil || e.Name.Zh != "示例,污水处理厂" || e.Area != "540102" {
				t.Errorf("%+v", e)
			}
			log, err := f.Log(t.Context(), "enterprise", "E7", 5)
			if err != nil || len(log) != 1 || log[0].Action != "import" || log[0].By != "u1" {
				t.Errorf("%+v, %v", log, err)
			}
		})
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			version := f.Snapshot().Version
			const file = "outlet,code,range_lo,range_hi,order\n" +
				"2,a01011,0,50,3\n" + // fine
				"9,a01011,0,50,3\n" + // no such outlet
				"2,,0,50,3\n" + // no code
				"2,a01012,low,50,3\n" + // no number
				"2,a01013,60,50,x\n" + // order is no number: told before the range is checked
				"2,a01014,60,50,4\n" + // range upside down
				"2,a01015,1\n" + // cells missing
				"two,a01016,0,50,5\n"
			want := []RowFault{
				{3, "outlet", "err.field.unknown", []any{"value", "9"}},
				{4, "code", "err.field.required", nil},
				{5, "range_lo", "err.field.number", []any{"value", "low"}},
				{6, "order", "err.field.number", []any{"value", "x"}},
				{7, "range_hi", "err.field.above", nil},
				{8, "", "err.import.cells", nil},
				{9, "outlet", "err.field.outlet_id", []any{"value", "two"}},
			}
			for _, dry := range []bool{true, false} {
				rep, err := f.Import(ctx, FactorTable, strings.NewReader(file), dry, officer)
				if err != nil || rep.Applied || rep.Rows != 8 || rep.Added+rep.Changed != 1 {
					t.Errorf("%+v, %v", rep, err)
				}
				if d := cmp.Diff(want, rep.Faults); d != "" {
					t.Error(d)
				}
			}
			// A dry run without faults changes nothing either.
			good := file[:strings.Index(file, "9,a")]
			rep, err := f.Import(ctx, FactorTable, strings.NewReader(good), true, officer)
			if err != nil || rep.Applied || rep.Changed != 1 || len(rep.Faults) != 0 {
				t.Errorf("%+v, %v", rep, err)
			}
			if f.Snapshot().Version != version {
				t.Error("something was changed")
			}
			if rep, err = f.Import(ctx, FactorTable, strings.NewReader(good), false, officer); err != nil || !rep.Applied {
				t.Errorf("%+v, %v", rep, err)
			}
			if got := f.Snapshot().Outlets[2].Factors; len(got) != 3 || *got[2].RangeHi != 50 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestImportNamesRows counts rows as a spreadsheet does, whatever stands in the
// cells, and finds a key that is there twice.
func TestImportNamesRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
	f.load(t)
	const file = "id,name_zh,area,permit\r\n" +
		"E7,示例一,540102,\"two\r\nlines\"\r\n" + // row 2: a cell holds no line break
		"\r\n" + // row 3: empty
		"E8,示例二,999999,\r\n" + // row 4: no such area
		"E8,示例三,540102,\r\n" + // row 5: E8 again
		"E9,示例四,540102\r\n" // row 6: a cell short
	want := []RowFault{
		{2, "permit", "err.field.text", nil},
		{4, "area", "err.field.unknown", []any{"value", "999999"}},
		{5, "id", "err.import.twice", []any{"value", "E8", "row", 4}},
		{6, "", "err.import.cells", nil},
	}
	rep, err := f.Import(t.Context(), EnterpriseTable, strings.NewReader(file), false, officer)
	if err != nil || rep.Applied {
		t.Errorf("%+v, %v", rep, err)
	}
	if d := cmp.Diff(want, rep.Faults); d != "" {
		t.Error(d)
	}
	// Digits as people and other systems write them.
	rep, err = f.Import(t.Context(), FactorTable, strings.NewReader("outlet,code,range_hi,order\n２,a01011,༥༠.５,３\n"), true, officer)
	if err != nil || len(rep.Faults) > 0 || rep.Changed != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestImportStops declares stops, ends one and refuses what overlaps, naming the
// end that has to move.
func TestImportStops(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			const file = "outlet,from,to,reason\n" +
				"2,2026-11-20 08:00,,检修\n" +
				"2,２０２６/11/1,2026/11/5 8:00,计划停产\n" +
				"1,2026-11-20T00:00:30Z,2026-11-21T08:00:59+08:00,停电\n"
			if rep, err := f.Import(ctx, StopTable, strings.NewReader(file), false, officer); err != nil || !rep.Applied || rep.Changed != 3 {
				t.Fatalf("%+v, %v", rep, err)
			}
			const want = "outlet,from,to,reason\r\n1,2026-11-20T08:00,2026-11-21T08:00,停电\r\n2,2026-11-01T00:00,2026-11-05T08:00,计划停产\r\n2,2026-11-20T08:00,,检修\r\n"
			var b bytes.Buffer
			if err := f.Snapshot().Export(&b, StopTable, nil, nil); err != nil || sorted(b.String()) != sorted(utf8BOM+want) {
				t.Errorf("%q, %v", b.String(), err)
			}
			const bad = "outlet,from,to,reason\n" +
				"2,2026-11-21,,又一次\n" + // within the open one
				"2,2026-11-04,2026-11-06,又一次\n" + // begins within an ended one
				"2,2026-11-10,2026-11-21,又一次\n" + // runs into the next one
				"2,2026-11-11,,又一次\n" + // open, and there is a next one
				"2,2026-11-12,2026-11-12 00:00,又一次\n" + // ends as it begins
				"2,2026-11-14,2026-11-15,\n" + // no reason
				"2,20 Nov,,又一次\n" +
				"2,2026-11-16,soon,又一次\n" +
				"2,,,又一次\n" +
				"9,2026-11-16,,又一次\n" +
				"1,2026-11-25,2026-11-26,停电\n" + // fine
				"1,2026-11-25,2026-11-27,停电\n"
			open, ended := []any{"from", "2026-11-20 08:00"}, []any{"from", "2026-11-01 00:00", "to", "2026-11-05 08:00"}
			faults := []RowFault{
				{2, "from", "err.field.stop_open", open},
				{3, "from", "err.field.stop_there", ended},
				{4, "to", "err.field.stop_next", open},
				{5, "to", "err.field.stop_next", open},
				{6, "to", "err.field.after", nil},
				{7, "reason", "err.field.required", nil},
				{8, "from", "err.field.time", []any{"value", "20 Nov"}},
				{9, "to", "err.field.time", []any{"value", "soon"}},
				{10, "from", "err.field.required", nil},
				{11, "outlet", "err.field.unknown", []any{"value", "9"}},
				{13, "from", "err.import.twice", []any{"value", "2026-11-25", "row", 12}},
			}
			rep, err := f.Import(ctx, StopTable, strings.NewReader(bad), false, officer)
			if err != nil || rep.Applied {
				t.Errorf("%+v, %v", rep, err)
			}
			if d := cmp.Diff(faults, rep.Faults); d != "" {
				t.Error(d)
			}
			// The open one is ended; its reason stays, and another may follow.
			const end = "outlet,from,to,reason\n2,2026-11-20 08:00,2026-11-22,检修\n2,2026-11-22,,检修\n"
			if rep, err = f.Import(ctx, StopTable, strings.NewReader(end), false, officer); err != nil || !rep.Applied {
				t.Errorf("%+v, %v", rep, err)
			}
			stops := f.Snapshot().Outlets[2].Stops
			if len(stops) != 3 || stops[1].To.IsZero() || stops[1].By != "u1" || !stops[2].From.Equal(stops[1].To) {
				t.Errorf("%+v", stops)
			}
		})
	}
}

func sorted(rows string) string {
	return strings.Join(slices.Sorted(strings.SplitSeq(rows, "\r\n")), "\n")
}

func TestExportOfSome(t *testing.T) {
	t.Parallel()
	f := newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
	f.load(t)
	var b bytes.Buffer
	if err := f.Snapshot().Export(&b, FactorTable, nil, func(key string) bool { return strings.HasPrefix(key, "2:") }); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(rows) < 2 {
		t.Fatalf("%q", rows)
	}
	for _, r := range rows[1:] {
		if !strings.HasPrefix(r, "2,") {
			t.Errorf("row of another outlet: %s", r)
		}
	}
}

func TestImportRefusesFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
	for name, tt := range map[string]struct {
		table Table
		file  string
		kind  errs.Kind
		key   string
	}{
		"empty":           {EnterpriseTable, "", errs.Invalid, "err.import.empty"},
		"unknown column":  {EnterpriseTable, "id,colour\n", errs.Invalid, "err.import.column"},
		"column twice":    {EnterpriseTable, "id,id\n", errs.Invalid, "err.import.column"},
		"missing key":     {FactorTable, "outlet,unit\n", errs.Invalid, "err.import.missing"},
		"open quote":      {EnterpriseTable, "id,name_zh\nE1,\"x\n", errs.Invalid, "err.import.syntax"},
		"a picture":       {EnterpriseTable, "\x89PNG\r\n\x1a\n\x00\xff\xff\xff\xff", errs.Invalid, ""},
		"no such table":   {"people", "id\n", errs.NotFound, ""},
		"far too large":   {EnterpriseTable, strings.Repeat("x", maxImport+1), errs.TooLarge, "err.import.large"},
		"spreadsheet xls": {EnterpriseTable, "PK\x03\x04\x14\x00", errs.Invalid, ""},
	} {
		rep, err := f.Import(t.Context(), tt.table, strings.NewReader(tt.file), false, officer)
		if !errs.Is(err, tt.kind) || rep.Applied || tt.key != "" && !strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Import(t.Context(), EnterpriseTable, strings.NewReader("id,name_zh\nE1,x\n"), false, auth.Principal{}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("nobody imported: %v", err)
	}
}

func TestImportDevices(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			// A new logger for outlet 2, another password for the one of outlet 1.
			const file = "mn,outlet,password,networks,keys,accept_bad_crc\n" +
				"MN-NEW,2,000000,10.1.2.3 192.168.0.0/24,00112233445566778899aabbccddeeff,是\nMN-ONE,1,999999,,,\n"
			rep, err := f.Import(ctx, DeviceTable, strings.NewReader(file), false, officer)
			if err != nil || !rep.Applied || rep.Added != 1 || rep.Changed != 1 {
				t.Fatalf("%+v, %v", rep, err)
			}
			s := f.Snapshot()
			d := s.DeviceOf(2)
			if d.MN != "MN-NEW" || len(d.Networks) != 2 || d.Networks[0].Bits() != 32 || len(d.Keys) != 1 || !d.AcceptBadCRC {
				t.Errorf("%+v", d)
			}
			if s.Devices["MN-TWO"] != nil || len(s.DevicesOf(2)) != 2 {
				t.Error("the former logger's period has not ended")
			}
			if s.Devices["MN-ONE"].Password != "999999" {
				t.Error("the password is the old one")
			}
			// An empty password keeps what is set; moving a serving logger is refused.
			rep, err = f.Import(ctx, DeviceTable, strings.NewReader("mn,outlet,password\nMN-ONE,1,\nMN-ONE,2,\n"), true, officer)
			if err != nil || rep.Same != 1 || len(rep.Faults) != 1 || rep.Faults[0].Key != "err.registry.mn_serves" {
				t.Errorf("%+v, %v", rep, err)
			}
		})
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("id,name_zh\nE1,x\n"))
	f.Add([]byte(utf8BOM + "id,name_zh,area\n#a,b,c\nE1,\"x\ny\",\n"))
	f.Add([]byte("mn,outlet\n'=1,1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, spec := range tables {
			rows, err := readCSV(data, spec)
			if err != nil && !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			c := newChange(&Snapshot{}, auth.System, region.Outlets[0].Since)
			rep := ImportReport{}
			rep.apply(c, spec, rows)
			if rep.Added+rep.Changed+rep.Same > rep.Rows {
				t.Fatalf("%+v", rep)
			}
		}
	})
}

// TestGuardBehindReturn: the writer drops carriage returns, so what follows one
// is what a spreadsheet sees first.
func TestGuardBehindReturn(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"\r=1+1": "'=1+1", "\r\r@x": "'@x", "\r-1": "\r-1", "\rx": "\rx", "\r": "\r", "=1": "'=1"} {
		if got := guard([]string{in}, 0)[0]; got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}
