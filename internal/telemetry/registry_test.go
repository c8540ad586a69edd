package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var officer = auth.Principal{ID: "u1", Post: auth.Post{Zh: "值班员（示例）"}, Role: auth.Officer}

// fixture is a registry with a clock that the test moves.
type fixture struct {
	*Registry
	db *db.DB
	mu sync.Mutex
	at time.Time
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{db: d, at: time.Date(2026, 11, 24, 8, 30, 0, 123456789, time.UTC)}
	if f.Registry, err = Open(t.Context(), d, f.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// checked is a fixture that, at the test's end, compares the snapshot that grew
// by changes with the one read from the database.
func checked(t *testing.T, url string) *fixture {
	t.Helper()
	f := newFixture(t, url)
	t.Cleanup(func() { f.sameAsRead(t) })
	return f
}

func (f *fixture) sameAsRead(t *testing.T) {
	t.Helper()
	read, err := loadSnapshot(context.WithoutCancel(t.Context()), f.db, f.now())
	if err != nil {
		t.Fatal(err)
	}
	opts := cmp.Options{
		cmp.AllowUnexported(Snapshot{}), cmpopts.IgnoreFields(Snapshot{}, "Version"), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
	if d := cmp.Diff(read, f.Snapshot(), opts); d != "" {
		t.Errorf("read from the database (-) and grown by changes (+) differ:\n%s", d)
	}
}

var region = LoadInput{
	Areas: []Area{
		{Code: "540000", Level: "province", Name: Name{Zh: "西藏自治区", En: "Xizang"}},
		{Code: "540100", Parent: "540000", Level: "prefecture", Name: Name{Zh: "拉萨市"}},
		{Code: "540102", Parent: "540100", Level: "county", Name: Name{Zh: "城关区"}},
	},
	Enterprises: []Enterprise{{ID: "E1", Name: Name{Zh: "示例热电厂"}, Area: "540102", Sample: true}},
	Outlets: []Outlet{
		{
			ID: 2, Enterprise: "E1", Name: Name{Zh: "2号锅炉排口", En: "Boiler 2"}, Medium: Gas, SourceType: "coal-fired power boiler", Condition: "new",
			Area: "540102", Lon: 91.13, Lat: 29.65, Sample: true, Since: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
			Factors:   []OutletFactor{{Code: "a21026", Order: 2, RangeLo: new(float64(0)), RangeHi: new(float64(500))}, {Code: "a34013", Order: 1, DetectionLimit: new(0.1)}},
			Intervals: []Interval{{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Realtime: 30, Minute: 1}, {Realtime: 60, Minute: 10}},
			Setups:    []Setup{{From: "2026-03-01", Wet: []string{"a21026", "a21002"}, Profile: ProfileHJ75}, {From: "2026-01-01", AreaM2: new(3.2), Kv: new(0.98), AmbientPa: new(float64(65000))}},
			Limits:    []Limit{{Factor: "a21026", Statistic: "hour", Op: "<=", Hi: new(float64(50)), Unit: "mg/m3", RefO2: new(float64(6)), EffectiveFrom: "2024-01-01"}},
		},
		{ID: 1, Enterprise: "E1", Name: Name{Zh: "废水总排口"}, Medium: Water, Area: "540102"},
	},
	Devices: []Device{
		{MN: "MN-ONE", Outlet: 1, Password: "123456"},
		{MN: "MN-TWO", Outlet: 2, Networks: []netip.Prefix{netip.MustParsePrefix("10.8.0.0/16")}, Keys: [][]byte{[]byte("PlateauSample212")}},
	},
}

func (f *fixture) load(t *testing.T) {
	t.Helper()
	if err := f.Load(t.Context(), region, auth.System); err != nil {
		t.Fatal(err)
	}
}

func TestLoadIsIdempotent(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			s := f.Snapshot()
			o := s.Outlets[2]
			if o == nil || o.Factors[0].Code != "a34013" || o.Intervals[0].Realtime != 60 || o.Limits[0].ID == "" || o.Limits[0].Standard != "permit" {
				t.Fatalf("outlet 2: %+v", o)
			}
			if jan, march := o.SetupAt("2026-02-28"), o.SetupAt("2026-03-01"); !jan.HasDuct() || jan.Wet != nil || march.HasDuct() || march.Wet[0] != "a21002" || o.SetupAt("2025-12-31").HasDuct() {
				t.Fatalf("setups of outlet 2: %+v", o.Setups)
			}
			if d := s.DeviceOf(2); d == nil || d.MN != "MN-TWO" || string(d.Keys[0]) != "PlateauSample212" {
				t.Fatalf("logger of outlet 2: %+v", d)
			}
			if d := cmp.Diff([]OutletID{2, 1}, s.Order); d != "" { // 2号… sorts before 废水…
				t.Error(d)
			}
			// What a person changed stays when the demonstration starts again.
			if err := f.EditOutlet(t.Context(), 1, officer, func(o *Outlet) error { o.Name.Zh = "改名"; return nil }); err != nil {
				t.Fatal(err)
			}
			version := f.Snapshot().Version
			f.load(t)
			if f.Snapshot().Version != version || f.Snapshot().Outlets[1].Name.Zh != "改名" {
				t.Error("loading again changed something")
			}
			if s.Outlets[1].Name.Zh != "废水总排口" {
				t.Error("a snapshot in use was changed")
			}
		})
	}
}

func TestOutletNumbersAreNeverGivenAgain(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			o := Outlet{Enterprise: "E1", Name: Name{Zh: "新排口"}, Medium: Gas, Area: "540102", ID: 1}
			first, err := f.CreateOutlet(ctx, o, officer)
			if err != nil || first != 3 {
				t.Fatalf("number %d, %v", first, err)
			}
			if err := f.DeleteOutlet(ctx, first, officer); err != nil {
				t.Fatal(err)
			}
			if err := f.Reload(ctx); err != nil {
				t.Fatal(err)
			}
			second, err := f.CreateOutlet(ctx, o, officer)
			if err != nil || second != 4 {
				t.Errorf("number %d, %v", second, err)
			}
			if err := f.DeleteOutlet(ctx, 1, officer); !errs.Is(err, errs.Conflict) {
				t.Errorf("an outlet with history went: %v", err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
	f.load(t)
	ctx := t.Context()
	edit := func(fn func(o *Outlet)) error {
		return f.EditOutlet(ctx, 2, officer, func(o *Outlet) error { fn(o); return nil })
	}
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		err   error
		kind  errs.Kind
		field string
	}{
		{"nobody", f.PutArea(ctx, Area{}, auth.Principal{}), errs.Unauthenticated, ""},
		{"area code", f.PutArea(ctx, Area{Code: "54", Level: "county", Name: Name{Zh: "x"}}, officer), errs.Invalid, "code"},
		{"area of itself", f.PutArea(ctx, Area{Code: "540100", Parent: "540100", Level: "county", Name: Name{Zh: "x"}}, officer), errs.Invalid, "parent"},
		{"area in use", f.DeleteArea(ctx, "540102", officer), errs.Conflict, ""},
		{"area missing", f.DeleteArea(ctx, "999999", officer), errs.NotFound, ""},
		{"enterprise twice", second(f.CreateEnterprise(ctx, Enterprise{ID: "E1", Name: Name{Zh: "x"}}, officer)), errs.Conflict, "id"},
		{"enterprise id", second(f.CreateEnterprise(ctx, Enterprise{ID: "a/b", Name: Name{Zh: "x"}}, officer)), errs.Invalid, "id"},
		{"enterprise nowhere", second(f.CreateEnterprise(ctx, Enterprise{Name: Name{Zh: "x"}, Area: "110101"}, officer)), errs.Invalid, "area"},
		{"enterprise unnamed", f.UpdateEnterprise(ctx, Enterprise{ID: "E1", Name: Name{Zh: " "}}, officer), errs.Invalid, "name_zh"},
		{"enterprise missing", f.UpdateEnterprise(ctx, Enterprise{ID: "E9", Name: Name{Zh: "x"}}, officer), errs.NotFound, ""},
		{"enterprise in use", f.DeleteEnterprise(ctx, "E1", officer), errs.Conflict, ""},
		{"name too long", edit(func(o *Outlet) { o.Name.En = strings.Repeat("x", 121) }), errs.Invalid, "name_en"},
		{"control character", edit(func(o *Outlet) { o.SourceType = "a\x00b" }), errs.Invalid, "source_type"},
		{"medium", edit(func(o *Outlet) { o.Medium = "soil" }), errs.Invalid, "medium"},
		{"not on earth", edit(func(o *Outlet) { o.Lat = 91 }), errs.Invalid, "lat"},
		{"factor twice", edit(func(o *Outlet) { o.Factors = append(o.Factors, o.Factors[0]) }), errs.Invalid, "factors.1.code"},
		{"range", edit(func(o *Outlet) { o.Factors[1].RangeHi = new(float64(-1)) }), errs.Invalid, "factors.1.range_hi"},
		{"odd minutes", edit(func(o *Outlet) { o.Intervals[0].Minute = 7 }), errs.Invalid, "intervals.0.minute"},
		{"stop without start", edit(func(o *Outlet) { o.Stops = []Stop{{To: at}} }), errs.Invalid, "stops.0.from"},
		{"stops overlap", edit(func(o *Outlet) { o.Stops = []Stop{{From: at}, {From: at.Add(time.Hour)}} }), errs.Invalid, "stops.1.from"},
		{"setup without day", edit(func(o *Outlet) { o.Setups[0].From = "2026" }), errs.Invalid, "setups.0.effective_from"},
		{"setup twice a day", edit(func(o *Outlet) { o.Setups[1].From = o.Setups[0].From }), errs.Invalid, "setups.1.effective_from"},
		{"duct without area", edit(func(o *Outlet) { o.Setups[0].AreaM2 = new(float64(0)) }), errs.Invalid, "setups.0.area_m2"},
		{"pressure in hPa", edit(func(o *Outlet) { o.Setups[0].AmbientPa = new(float64(650)) }), errs.Invalid, "setups.0.ambient_pa"},
		{"profile of water", edit(func(o *Outlet) { o.Setups[0].Profile = ProfileHJ356 }), errs.Invalid, "setups.0.profile"},
		{"wet what", edit(func(o *Outlet) { o.Setups[0].Wet = []string{"SO 2"} }), errs.Invalid, "setups.0.wet"},
		{"limit without value", edit(func(o *Outlet) { o.Limits[0].Hi = nil }), errs.Invalid, "limits.0.hi"},
		{"oxygen", edit(func(o *Outlet) { o.Limits[0].RefO2 = new(float64(21)) }), errs.Invalid, "limits.0.ref_o2"},
		{"date", edit(func(o *Outlet) { o.Limits[0].EffectiveFrom = "2024-13-01" }), errs.Invalid, "limits.0.effective_from"},
		{"outlet missing", f.UpdateOutlet(ctx, Outlet{ID: 77}, officer), errs.NotFound, ""},
		{"logger unknown", f.EndDevice(ctx, "NONE", officer), errs.NotFound, ""},
		{"key length", f.UpdateDevice(ctx, Device{MN: "MN-ONE", Keys: [][]byte{{1}}}, officer), errs.Invalid, "keys"},
		{"logger of another outlet", second(f.Adopt(ctx, "MN-ONE", AdoptInput{Outlet: 2}, officer)), errs.Conflict, ""},
		{"logger twice", second(f.Adopt(ctx, "MN-ONE", AdoptInput{Outlet: 1}, officer)), errs.Conflict, ""},
		{"adopt for nothing", second(f.Adopt(ctx, "MN-NEW", AdoptInput{}, officer)), errs.Invalid, "outlet"},
		{"bad MN", second(f.Adopt(ctx, "MN NEW", AdoptInput{Outlet: 1}, officer)), errs.Invalid, "mn"},
	}
	version := f.Snapshot().Version
	for _, tt := range tests {
		if !errs.Is(tt.err, tt.kind) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.kind)
			continue
		}
		if tt.field == "" {
			continue
		}
		e, _ := errors.AsType[*errs.Error](tt.err)
		if len(e.Fields) == 0 || e.Fields[0].Name != tt.field || e.Fields[0].Key == "" {
			t.Errorf("%s: fields %+v, want %s", tt.name, e.Fields, tt.field)
		}
	}
	if f.Snapshot().Version != version {
		t.Error("a refused change was shown")
	}
	f.sameAsRead(t)
}

func second[T any](_ T, err error) error { return err }

func TestOutletOutlivesItsLogger(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			f.pass(time.Hour)
			a, err := f.Adopt(ctx, "MN-NEW", AdoptInput{Outlet: 2, Password: "654321"}, officer)
			if err != nil {
				t.Fatal(err)
			}
			if a.Replaced != "MN-TWO" || a.Outlet != 2 || a.Created {
				t.Errorf("%+v", a)
			}
			s := f.Snapshot()
			if s.Devices["MN-TWO"] != nil || s.Devices["MN-NEW"] == nil || s.DeviceOf(2).MN != "MN-NEW" {
				t.Fatal("the new logger does not serve alone")
			}
			periods := s.DevicesOf(2)
			if len(periods) != 2 || !periods[0].From.Equal(periods[1].To) || !periods[0].From.Equal(a.At) || periods[0].AdoptedBy != "u1" {
				t.Errorf("periods %+v", periods)
			}
			// Taken back: the former one serves as if it had never ended.
			f.pass(5 * time.Minute)
			if err := f.Unadopt(ctx, a, officer); err != nil {
				t.Fatal(err)
			}
			s = f.Snapshot()
			if d := s.DeviceOf(2); d == nil || d.MN != "MN-TWO" || !d.To.IsZero() || len(d.Keys) != 1 {
				t.Errorf("after the undo: %+v", s.DeviceOf(2))
			}
			if err := f.Unadopt(ctx, a, officer); !errs.Is(err, errs.Conflict) {
				t.Errorf("undone twice: %v", err)
			}
			// And once more, with time to regret.
			f.pass(time.Minute)
			if a, err = f.Adopt(ctx, "MN-NEW", AdoptInput{Outlet: 2}, officer); err != nil {
				t.Fatal(err)
			}
			f.pass(UndoWindow + time.Second)
			if err := f.Unadopt(ctx, a, officer); !errs.Is(err, errs.Conflict) {
				t.Errorf("undone too late: %v", err)
			}
			log, err := f.Log(ctx, "device", "MN-NEW", 10)
			if err != nil || len(log) != 3 {
				t.Fatalf("log %+v, %v", log, err)
			}
			if got := log[0]; got.Action != "adopt" || got.By != "u1" || got.Post != "值班员（示例）" || !got.At.Equal(a.At) || got.Old != "" {
				t.Errorf("log entry %+v", got)
			}
			all, err := f.Log(ctx, "", "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if strings.Contains(e.Old+e.New, "654321") || strings.Contains(e.Old+e.New, "506c6174") {
					t.Errorf("a secret stands in the log: %+v", e)
				}
			}
		})
	}
}

func TestUnadoptNewOutlet(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			a, err := f.Adopt(ctx, "MN-NEW", AdoptInput{New: &Outlet{Enterprise: "E1", Name: Name{Zh: "3号排口"}, Medium: Gas}}, officer)
			if err != nil || !a.Created || a.Outlet != 3 {
				t.Fatalf("%+v, %v", a, err)
			}
			// The page that undoes it knows only logger, outlet and time.
			if err := f.Unadopt(ctx, Adoption{MN: a.MN, Outlet: a.Outlet, At: a.At}, officer); err != nil {
				t.Fatal(err)
			}
			s := f.Snapshot()
			if s.Outlets[3] != nil || s.Devices["MN-NEW"] != nil || len(s.DevicesOf(3)) != 0 {
				t.Error("something is left")
			}
			// An outlet that was there before stays, also one that waits for its first logger.
			idle, err := f.CreateOutlet(ctx, Outlet{Enterprise: "E1", Name: Name{Zh: "5号排口"}, Medium: Gas}, officer)
			if err != nil {
				t.Fatal(err)
			}
			f.pass(time.Second)
			if a, err = f.Adopt(ctx, "MN-NEW", AdoptInput{Outlet: idle}, officer); err != nil {
				t.Fatal(err)
			}
			if err := f.Unadopt(ctx, a, officer); err != nil || f.Snapshot().Outlets[idle] == nil {
				t.Errorf("%v; the idle outlet is gone", err)
			}
			// Nobody knows whose it is yet.
			if a, err = f.Adopt(ctx, "MN-WHOSE", AdoptInput{New: &Outlet{Name: Name{Zh: "4号排口"}, Medium: Water}}, officer); err != nil {
				t.Fatal(err)
			}
			if o := f.Snapshot().Outlets[a.Outlet]; o == nil || o.Enterprise != Unregistered || f.Snapshot().Enterprises[Unregistered] == nil {
				t.Errorf("outlet %+v", o)
			}
			if a, err = f.Adopt(ctx, "MN-NEW", AdoptInput{Outlet: 1}, officer); err != nil {
				t.Fatal(err)
			}
			f.pass(time.Second)
			if err := f.Unadopt(ctx, a, officer); err != nil {
				t.Fatal(err)
			}
			if f.Snapshot().Outlets[1] == nil || f.Snapshot().DeviceOf(1).MN != "MN-ONE" {
				t.Error("the outlet is gone")
			}
		})
	}
}

func TestAdoptUnknown(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := checked(t, database.URL(t))
			f.load(t)
			ctx := t.Context()
			const n = 300
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					mn := fmt.Sprintf("LOAD%04d", i/2) // each twice, at the same time
					if err := f.AdoptUnknown(ctx, mn, "31", []string{"a21026", "a34013", "a21026", "bad code"}); err != nil {
						t.Errorf("%s: %v", mn, err)
					}
					if f.Snapshot().Devices[mn] == nil {
						t.Errorf("%s is not in the snapshot on return", mn)
					}
				})
			}
			wg.Wait()
			s := f.Snapshot()
			if len(s.Devices) != 2+n/2 || len(s.Outlets) != 2+n/2 {
				t.Errorf("%d loggers, %d outlets", len(s.Devices), len(s.Outlets))
			}
			d := s.Devices["LOAD0007"]
			o := s.Outlets[d.Outlet]
			if !d.AutoAdopted || d.Password != "" || o.Enterprise != Unregistered || o.Name.Zh != "LOAD0007" || o.Medium != Gas || len(o.Factors) != 2 {
				t.Errorf("%+v %+v", d, o)
			}
			version := s.Version
			if err := f.AdoptUnknown(ctx, "MN-ONE", "32", nil); err != nil || f.Snapshot().Version != version {
				t.Errorf("a registered logger: %v", err)
			}
			if err := f.AdoptUnknown(ctx, "\xff bad", "32", nil); !errs.Is(err, errs.Invalid) {
				t.Errorf("unreadable MN: %v", err)
			}
			canceled, cancel := context.WithCancel(ctx)
			cancel()
			if err := f.AdoptUnknown(canceled, "LATE", "32", nil); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			f.Close()
		})
	}
}

func TestMediumOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		st    string
		codes []string
		want  Medium
	}{
		{"31", []string{"w01018"}, Water},
		{"32", []string{"a01011"}, Gas},
		{"21", []string{"w01018"}, Surface},
		{"32", []string{"011"}, Water},
		{"31", nil, Gas},
		{"", nil, Gas},
	} {
		if got := MediumOf(tt.st, tt.codes); got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.st, tt.codes, got, tt.want)
		}
	}
}

// TestManyOutlets holds what a large installation has, and takes in loggers
// that come on top of it all at once.
func TestManyOutlets(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("50,000 outlets")
	}
	f := newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
	n, more, workers := 50_000, 2_000, 200
	if testkit.Race {
		n, more = 1_000, 400 // the detector makes SQLite twenty times slower
	}
	in := LoadInput{Enterprises: []Enterprise{{ID: "E1", Name: Name{Zh: "示例"}}}}
	for i := range OutletID(n) {
		in.Outlets = append(in.Outlets, Outlet{
			ID: i + 1, Enterprise: "E1", Name: Name{Zh: fmt.Sprintf("排口%05d", i)}, Medium: Gas,
			Factors: []OutletFactor{{Code: "a01011", Order: 1}, {Code: "a21026", Order: 2}},
		})
		in.Devices = append(in.Devices, Device{MN: fmt.Sprintf("MANY%06d", i), Outlet: i + 1})
	}
	begin := time.Now()
	if err := f.Load(t.Context(), in, auth.System); err != nil {
		t.Fatal(err)
	}
	loaded := time.Since(begin)
	begin = time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < more; i += workers {
				if err := f.AdoptUnknown(t.Context(), fmt.Sprintf("MORE%06d", i), "31", []string{"a01011", "a21026"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	adopted := time.Since(begin)
	begin = time.Now()
	if err := f.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("loaded %d in %v, adopted %d in %v, read again in %v", n, loaded, more, adopted, time.Since(begin))
	s := f.Snapshot()
	if len(s.Devices) != n+more || len(s.Order) != n+more || int(s.lastOutlet) != n+more {
		t.Errorf("%d loggers, %d in order, last number %d", len(s.Devices), len(s.Order), s.lastOutlet)
	}
}
