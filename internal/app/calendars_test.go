package app

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plateau/internal/platform/calendar"
)

const sampleCalendar = "# years 2026\ndate,kind,note\n2026-02-16,off,sample\n"

func putCalendar(t *testing.T, data, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(data, CalendarsDir), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, CalendarsDir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFaultyCalendarStopsTheStart: and names the line, before anything is made in
// the data folder.
func TestFaultyCalendarStopsTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putCalendar(t, dir, "540600.csv", sampleCalendar+"2026-02-17,closed,sample\n")
	putCalendar(t, dir, "national.csv", "date,kind,note\n")
	o := victimOptions(dir)
	o.Stdout, o.Stderr = io.Discard, io.Discard
	_, err := New(t.Context(), o)
	for _, want := range []string{
		filepath.Join(dir, CalendarsDir, "540600.csv") + `:4: kind "closed" is unknown; write work or off`,
		filepath.Join(dir, CalendarsDir, "national.csv") + ":1: the first line must name the years",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestCalendars: those of the data folder come over those of the program; a
// running server tells what it has loaded, and a backup takes them along.
func TestCalendars(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putCalendar(t, dir, "540100.csv", sampleCalendar)
	a, end := serving(t, dir)
	defer end()
	o := Options{Flags: map[string]string{"data": dir}, Version: "test"}
	list := func() []CalendarInfo {
		t.Helper()
		out, err := Calendars(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	check := func(list []CalendarInfo, areas ...string) {
		t.Helper()
		var got []string
		for i := range list {
			got = append(got, list[i].Area)
		}
		if !slices.Equal(got, areas) {
			t.Errorf("%+v, want %v", list, areas)
		}
	}
	running := list()
	check(running, calendar.National, "540100")
	if n, l := running[0], running[1]; n.From != builtIn || !slices.Equal(n.Partial, []int{2026}) ||
		l.From != filepath.Join(dir, CalendarsDir) || !slices.Equal(l.Complete, []int{2026}) || l.Off != 1 || l.Work != 0 || !strings.HasSuffix(l.Hours, "(default)") {
		t.Errorf("%+v", running)
	}
	if c, code := a.workdays.For("540102", func(string) (string, bool) { return "540100", true }); code != "540100" {
		t.Errorf("calendar of %s: %v", code, c)
	}
	putCalendar(t, dir, "540600.csv", sampleCalendar)
	check(list(), calendar.National, "540100") // until the next start
	from := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), o, from, nil); err != nil {
		t.Fatal(err)
	}
	end()
	check(list(), calendar.National, "540100", "540600")

	to := filepath.Join(t.TempDir(), "data")
	if r, err := Restore(t.Context(), victimOptions(to), from, nil, nil); err != nil || !r.OK() {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, name := range []string{"540100.csv", "540600.csv"} {
		if text, err := os.ReadFile(filepath.Join(to, CalendarsDir, name)); err != nil || string(text) != sampleCalendar {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// TestStrayCalendar: a calendar of an area that nobody has entered counts for
// nothing, which the log says.
func TestStrayCalendar(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putCalendar(t, dir, "999999.csv", sampleCalendar)
	putCalendar(t, dir, "national.csv", sampleCalendar)
	var log bytes.Buffer
	o := victimOptions(dir)
	o.Stdout, o.Stderr, o.Flags["log.level"] = io.Discard, &log, "warn"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if got := log.String(); strings.Count(got, "the registry does not know") != 1 || !strings.Contains(got, "999999") {
		t.Error(got)
	}
}
