package calendar

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"plateau/calendars"
)

func files(list ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = &fstest.MapFile{Data: []byte(list[i+1])}
	}
	return m
}

func of(year string) string { return "# years " + year + "\ndate,kind,note\n" }

func TestSetFor(t *testing.T) {
	t.Parallel()
	s, err := Load(
		Layer{files("national.csv", of("2001"), "540100.csv", of("2002"), "540000.csv", of("2003")), "built in"},
		Layer{files("540100.csv", of("2004"), "540102001.csv", of("2005"), "README.md", "x", ".540200.csv", "x"), "data"},
	)
	if err != nil {
		t.Fatal(err)
	}
	above := map[string]string{"540102001": "540102", "540102002": "540102", "540102": "540100", "540100": "540000", "540202": "540200", "540200": "540000", "1": "2", "2": "1"}
	up := func(code string) (string, bool) { p, ok := above[code]; return p, ok }
	for area, want := range map[string]struct {
		code string
		year int
	}{
		"540102001": {"540102001", 2005},
		"540102002": {"540100", 2004}, // the file of the data folder
		"540100":    {"540100", 2004},
		"540202":    {"540000", 2003},
		"630000":    {National, 2001},
		"":          {National, 2001},
		"1":         {National, 2001}, // a circle ends
	} {
		c, code := s.For(area, up)
		if complete, _ := c.Years(); code != want.code || !slices.Equal(complete, []int{want.year}) {
			t.Errorf("%s: calendar of %s with %v, want %v", area, code, complete, want)
		}
	}
	var list []string
	for _, e := range s.Entries() {
		list = append(list, e.Code+" "+e.Layer)
	}
	if got := strings.Join(list, ", "); got != "national built in, 540000 built in, 540100 data, 540102001 data" {
		t.Error(got)
	}
}

type broken struct{}

func (broken) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	base := Layer{files("national.csv", of("2026")), "built in"}
	if _, err := Load(base, Layer{files(), "data"}); err != nil {
		t.Error(err)
	}
	if _, err := Load(base, Layer{fs.FS(missing{}), "data"}); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	_, err := Load(base, Layer{files("540100.csv", of("2026")+"2026-02-31,off,\n", "540200.csv", of("26"), "lhasa.csv", of("2026"), "540300.CSV", of("2026")), "data/calendars"})
	if err == nil || !errors.Is(err, ErrName) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`data/calendars/540100.csv:3: "2026-02-31" is no day`, `data/calendars/540200.csv:1: "26" is no year`,
		"data/calendars/lhasa.csv: not the name of a calendar; call it CODE.csv", "data/calendars/540300.CSV: not the name",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if _, err := Load(base, Layer{broken{}, "data"}); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "calendars of data") {
		t.Error(err)
	}
	if _, err := Load(Layer{files("540100.csv", of("2026")), "x"}); err == nil || !strings.Contains(err.Error(), "no national calendar") {
		t.Error(err)
	}
}

type missing struct{}

func (missing) Open(string) (fs.File, error) { return nil, fs.ErrNotExist }

// TestBuiltIn: the files of the program are well formed, have the dates of the
// reference, and claim no year to be complete.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	s, err := Load(Layer{calendars.Files, "built in"})
	if err != nil {
		t.Fatal(err)
	}
	up := func(string) (string, bool) { return "", false }
	for _, v := range []struct {
		area, start string
		n           int
		due         string
	}{
		{"540100", "2023-02-17", 3, "2023-02-27"},
		{"540100", "2025-02-26", 3, "2025-03-07"},
		{"540100", "2026-02-13", 5, "2026-03-03"},
		{"540100", "2026-02-13", 20, "2026-03-24"},
		{"540600", "2026-02-13", 5, "2026-02-27"},
		{"540600", "2026-02-13", 20, "2026-03-19"},
	} {
		c, _ := s.For(v.area, up)
		if got, provisional := c.AddWorkingDays(day(t, v.start), v.n); !got.Equal(day(t, v.due)) || !provisional {
			t.Errorf("%s: %s and %d: %s, provisional %v; want %s", v.area, v.start, v.n, got, provisional, v.due)
		}
	}
	for _, e := range s.Entries() {
		if complete, partial := e.Calendar.Years(); len(complete) > 0 || len(partial) == 0 {
			t.Errorf("%s: complete %v, in part %v", e.Code, complete, partial)
		}
	}
}
