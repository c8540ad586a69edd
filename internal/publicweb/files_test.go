package publicweb

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

func TestParseFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"outlet-7-hours-2026-11.csv", "outlet-7-hours-2026.parquet", "outlet-7-days-2026.csv", "outlet-7-days-2026-01.parquet", "county-540124-hours-2026-11.csv", "county-540124-days-2026-12.parquet",
	} {
		f, ok := parseFile(name)
		if !ok || f.String() != name {
			t.Errorf("%s is read as %+v, %t", name, f, ok)
		}
	}
	for _, name := range []string{
		"", "outlet-7-hours-2026-11.xlsx", "outlet-7-hours-2026-13.csv", "outlet-7-hours-2026-1.csv", "outlet-7-minutes-2026-11.csv", "outlet--hours-2026-11.csv", "county-540124-hours-2026.csv",
		"region-1-hours-2026-11.csv", "outlet-7-hours-2026-11.csv.csv", "outlet-7x-hours-2026-11.csv", "outlet-7-hours-+2026.csv",
	} {
		if f, ok := parseFile(name); ok {
			t.Errorf("%q is read as %+v", name, f)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("outlet-7-hours-2026-11.csv")
	f.Add("county-540124-days-2026-12.parquet")
	f.Fuzz(func(t *testing.T, name string) {
		if x, ok := parseFile(name); ok && x.String() != name {
			t.Fatalf("%q is written back as %q", name, x)
		}
	})
}

// TestColumnsAreOfRecord holds the two formats and the dictionary to the same
// columns in the same order.
func TestColumnsAreOfRecord(t *testing.T) {
	t.Parallel()
	var inFile, described []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Record]()) {
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		inFile = append(inFile, name)
	}
	for _, c := range columns() {
		described = append(described, c.Name)
		for _, lang := range i18n.Langs() {
			for _, key := range []string{"public.field." + c.Name, "public.field_text." + c.Name} {
				if !i18n.Default().Has(lang, key) {
					t.Errorf("missing: %s %s", lang, key)
				}
			}
		}
	}
	if d := cmp.Diff(described, inFile); d != "" {
		t.Errorf("columns described (-) and in the file (+) differ:\n%s", d)
	}
}

// download reads a file that must be there.
func (r *rig) download(tb testing.TB, name string) []byte {
	tb.Helper()
	w := r.ask(FilesPath + name)
	if w.Code != http.StatusOK {
		tb.Fatalf("%s: status %d: %s", name, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func readParquet(tb testing.TB, b []byte) []Record {
	tb.Helper()
	rows, err := parquet.Read[Record](bytes.NewReader(b), int64(len(b)))
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

func readCSV(tb testing.TB, b []byte) []map[string]string {
	tb.Helper()
	text, ok := strings.CutPrefix(string(b), "\ufeff")
	if !ok {
		tb.Error("the CSV has no byte order mark")
	}
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	var out []map[string]string
	for _, line := range all[1:] {
		m := map[string]string{}
		for i, name := range all[0] {
			m[name] = line[i]
		}
		out = append(out, m)
	}
	return out
}

// TestFilesEqualTheJudgement: what a Parquet file and a CSV file hold is the
// same, and is what the engine judged.
func TestFilesEqualTheJudgement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, base := range []string{"outlet-1-hours-2026-11", "outlet-2-hours-2026-11", "outlet-1-days-2026", "outlet-2-days-2026-11", "county-540124-hours-2026-11", "county-540124-days-2026-11", "outlet-1-hours-2026"} {
		t.Run(base, func(t *testing.T) {
			plain, rows := readCSV(t, r.download(t, base+".csv")), readParquet(t, r.download(t, base+".parquet"))
			if len(plain) != len(rows) || len(rows) == 0 {
				t.Fatalf("%d rows in CSV, %d in Parquet", len(plain), len(rows))
			}
			for i := range rows {
				for _, c := range columns() {
					if got, want := plain[i][c.Name], c.text(&rows[i]); got != want {
						t.Fatalf("row %d, %s: CSV %q, Parquet %q", i, c.Name, got, want)
					}
				}
			}
			for i := range rows {
				x := &rows[i]
				if x.Start.Add(map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour}[x.Level]).After(testNow.Add(-15 * time.Minute)) {
					t.Errorf("%s of %s was not over when it was published", x.Level, x.Start)
				}
				if x.Value != nil && !x.Valid || x.Finding && !x.Over {
					t.Errorf("row %d contradicts itself: %+v", i, x)
				}
			}
		})
	}
	rows := readParquet(t, r.download(t, "outlet-1-hours-2026-11.parquet"))
	hours, err := r.quality.Hours(1, time.Date(2026, 11, 1, 0, 0, 0, 0, i18n.Zone), time.Date(2026, 12, 1, 0, 0, 0, 0, i18n.Zone))
	if err != nil {
		t.Fatal(err)
	}
	byTime := map[int64]*quality.HourRow{}
	for i := range hours {
		byTime[hours[i].At] = &hours[i]
	}
	over, gaps := 0, 0
	for i := range rows {
		x := &rows[i]
		f := byTime[x.Start.Unix()].Factor(x.Factor)
		if f == nil {
			t.Fatalf("%s %s is not what was judged", x.Start, x.Factor)
		}
		want := f.Mean.V
		if f.Judged.OK {
			want = f.Judged.V
		}
		switch {
		case f.Valid != x.Valid, f.Valid && *x.Value != want, f.Over && f.Evidence != x.Finding, int64(f.NValid) != x.PartsValid:
			t.Errorf("%s %s: judged %+v, published %+v", x.Start, x.Factor, f, x)
		}
		over += boolInt(x.Finding)
		gaps += boolInt(!x.Valid)
		if x.Factor == "a01012" {
			t.Error("a factor that the rule does not name and that has no limit is published")
		}
	}
	if over != 4 || gaps != 2 || len(rows) != 2*(22*24+8) {
		t.Errorf("%d rows, %d over, %d gaps", len(rows), over, gaps)
	}
	if got := readCSV(t, r.download(t, "outlet-2-days-2026-11.csv"))[0]["outlet_name"]; got != "'=总排口" {
		t.Errorf("a name that a spreadsheet would run is written %q", got)
	}
}

func TestFileAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"outlet-1-hours-2027-01.csv", "outlet-77-hours-2026-11.csv", "county-540127-hours-2026-11.csv", "county-999999-days-2026-11.csv", "x.csv"} {
		if w := r.ask(FilesPath + name); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	for name, kind := range map[string]string{"outlet-1-days-2026-11.csv": "text/csv; charset=utf-8", "outlet-1-days-2026-11.parquet": "application/vnd.apache.parquet"} {
		w := r.ask(FilesPath + name)
		h := w.Header()
		if h.Get("Content-Type") != kind || h.Get("Content-Disposition") != `attachment; filename="`+name+`"` || h.Get("Cache-Control") != maxAge {
			t.Errorf("%s: %v", name, h)
		}
		if again := r.ask(FilesPath+name, "If-None-Match", h.Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: unchanged file has status %d", name, again.Code)
		}
		if again := r.ask(FilesPath+name, "If-Modified-Since", h.Get("Last-Modified")); again.Code != http.StatusNotModified {
			t.Errorf("%s: file that is no newer has status %d", name, again.Code)
		}
		if again := r.ask(FilesPath+name, "If-Modified-Since", testNow.Add(-time.Hour).UTC().Format(http.TimeFormat)); again.Code != http.StatusOK {
			t.Errorf("%s: file that is newer has status %d", name, again.Code)
		}
		if again := r.ask(FilesPath+name, "If-None-Match", `"other"`, "If-Modified-Since", h.Get("Last-Modified")); again.Code != http.StatusOK {
			t.Errorf("%s: the tag does not decide before the date: %d", name, again.Code)
		}
	}
	// An hour later there is one row more, and the old copy is out of date.
	first := r.ask(FilesPath + "outlet-1-hours-2026-11.csv")
	r.now = r.now.Add(time.Hour)
	if again := r.ask(FilesPath+"outlet-1-hours-2026-11.csv", "If-None-Match", first.Header().Get("ETag")); again.Code != http.StatusOK {
		t.Errorf("a file that grew has status %d", again.Code)
	}
}

// TestTooManyDownloads: who comes while all places are taken is asked to come
// again, and the pages go on.
func TestTooManyDownloads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range maxDownloads {
		r.downloads <- struct{}{}
	}
	if w := r.ask(FilesPath + "outlet-1-days-2026-11.csv"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := r.ask("/zh/public"); w.Code != http.StatusOK {
		t.Errorf("page: status %d", w.Code)
	}
	<-r.downloads
	r.download(t, "outlet-1-days-2026-11.csv")
	if len(r.downloads) != maxDownloads-1 {
		t.Error("a download keeps its place")
	}
}

// TestFailedFileIsBrokenOff: a file that fails halfway does not look whole.
func TestFailedFileIsBrokenOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const name = "outlet-1-days-2026-11.csv"
	r.download(t, name) // the stamp of this minute is known now
	r.quality.failed = true
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the very value
			t.Errorf("recovered %v", v)
		}
	}()
	r.ask(FilesPath + name)
	t.Error("the answer ended as if it were whole")
}

// TestMetadata: the description beside a CSV names its very columns.
func TestMetadata(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const name = "outlet-1-hours-2026-11.csv"
	var m struct {
		URL     string
		License struct {
			ID string `json:"@id"`
		} `json:"dc:license"`
		TableSchema struct {
			PrimaryKey []string
			Columns    []struct {
				Name, Titles string
				Required     bool
				Description  []said `json:"dc:description"`
			}
		}
	}
	if err := json.Unmarshal(r.download(t, name+metadataSuffix), &m); err != nil {
		t.Fatal(err)
	}
	lines := readCSV(t, r.download(t, name))
	var got []string
	for _, c := range m.TableSchema.Columns {
		got = append(got, c.Titles)
		if len(c.Description) != 3 {
			t.Errorf("%s is described in %d languages", c.Name, len(c.Description))
		}
		for i, line := range lines {
			if c.Required && line[c.Name] == "" {
				t.Fatalf("row %d: %s is empty", i, c.Name)
			}
		}
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(string(r.download(t, name)), "\ufeff"), "\n")
	if strings.Join(got, ",") != head || m.URL != name || m.License.ID != r.LicenceURL {
		t.Errorf("url %q, licence %q, columns %v, head %s", m.URL, m.License.ID, got, head)
	}
	seen := map[string]bool{}
	for _, line := range lines {
		key := ""
		for _, k := range m.TableSchema.PrimaryKey {
			key += line[k] + " "
		}
		if seen[key] {
			t.Fatalf("the key %s stands twice", key)
		}
		seen[key] = true
	}
	var d struct {
		Columns []jsonColumn
		Files   []string
		Rule    struct{ ID string }
	}
	w := r.ask("/public/data.json")
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || len(d.Columns) != len(columns()) || d.Rule.ID != "public.publish" {
		t.Errorf("%v: %s", err, w.Body)
	}
}

// TestNothingSecretLeaks walks every address a resident can ask for.
func TestNothingSecretLeaks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	targets := []string{"/robots.txt", "/public/data.json"}
	for _, lang := range i18n.Langs() {
		for _, p := range []string{"", "/feed.atom", "/counties/540124", "/counties/540124/feed.atom", "/data"} {
			targets = append(targets, "/"+string(lang)+Home+p)
		}
		for id := range r.snap.Outlets {
			o := "/" + string(lang) + outletPath(id)
			targets = append(targets, o, o+"/history", o+"/history?from=2026-11-23&to=2026-11-23", o+"/history?from=2026-01-01&to=2026-12-31", o+"/history?factor=a01012", o+"/history?factor="+secretMN)
		}
	}
	for id := range r.snap.Outlets {
		n := strconv.Itoa(int(id))
		targets = append(targets, FilesPath+"outlet-"+n+"-hours-2026-11.csv", FilesPath+"outlet-"+n+"-days-2026.csv", FilesPath+"outlet-"+n+"-hours-2026.csv"+metadataSuffix)
	}
	for _, to := range targets {
		w := r.ask(to)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", to, w.Code)
		}
		lacksSecrets(t, to, w.Body.String())
		for k, v := range w.Header() {
			lacksSecrets(t, to+" "+k, strings.Join(v, " "))
		}
	}
	for _, x := range readParquet(t, r.download(t, "county-540124-hours-2026-11.parquet")) {
		if x.Value != nil && *x.Value == minuteValue {
			t.Fatalf("a value that is not published is in a file: %+v", x)
		}
	}
	_ = telemetry.Gas
}
