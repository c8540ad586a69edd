package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lhasa2026 has the days of 2026 around Losar in Lhasa, as if the year were complete.
const lhasa2026 = `# years 2026
# hours 09:00-13:00 15:00-18:00
date,kind,note
2026-02-14,work,moved weekend
2026-02-15,off,
2026-02-16,off,Losar
2026-02-17,off,
2026-02-18,off,
2026-02-19,off,
2026-02-20,off,
2026-02-21,off,
2026-02-22,off,
2026-02-23,off,
2026-02-24,off,
2026-02-25,off,
2026-02-26,off,
2026-02-28,work,moved weekend
`

func calendarFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCalendarDue(t *testing.T) {
	t.Parallel()
	lhasa := calendarFile(t, "lhasa.csv", lhasa2026)
	for _, v := range []struct{ file, from, n, want string }{
		{lhasa, "2026-02-13", "5", "2026-03-03"},
		{lhasa, "2026-02-13", "20", "2026-03-24"},
		{lhasa, "2026-02-12T16:00:00Z", "5", "2026-03-03"}, // the 13th in Lhasa
		{lhasa, "2026-02-13T23:30:00+08:00", "5", "2026-03-03"},
		{lhasa, "2026-02-15", "0", "2026-02-15"},
		{lhasa, "2026-12-31", "1", "2027-01-01 provisional"},
		{lhasa, "2027-02-13", "0", "2027-02-13 provisional"},
		{"../../calendars/540100.csv", "2026-02-13", "5", "2026-03-03 provisional"}, // a year known in part
	} {
		if code, out, errOut := call("calendar", "due", "--calendar", v.file, "--from", v.from, "--working-days", v.n); code != 0 || out != v.want+"\n" || errOut != "" {
			t.Errorf("%+v: exit code %d, %q %q", v, code, out, errOut)
		}
	}
}

func TestCalendarCheck(t *testing.T) {
	t.Parallel()
	lhasa := calendarFile(t, "lhasa.csv", strings.Replace(lhasa2026, "2026\n", "2027?,2026\n", 1))
	if code, out, errOut := call("calendar", "check", lhasa); code != 0 || errOut != "" || out != lhasa+": years 2026,2027?; days off 12, worked 2; hours 09:00-13:00 15:00-18:00\n" {
		t.Errorf("exit code %d, %q %q", code, out, errOut)
	}
	faulty := calendarFile(t, "faulty.csv", lhasa2026+"2026-02-28,work,again\n2027-01-01,off,x\n2026-05-01,holiday,x\n")
	want := faulty + ":18: 2026-02-28 is in line 17 already; leave one of them\n" +
		faulty + ":19: 2027-01-01 lies in a year that the first line does not name; add 2027 there, or 2027? while days of it are still to come\n" +
		faulty + ":20: kind \"holiday\" is unknown; write work or off\n"
	for _, args := range [][]string{{"check", faulty}, {"due", "--calendar", faulty, "--from", "2026-02-13", "--working-days", "5"}} {
		if code, out, errOut := call(append([]string{"calendar"}, args...)...); code != 1 || out != "" || errOut != want {
			t.Errorf("%v: exit code %d, %q\n%s", args, code, out, errOut)
		}
	}
	for _, name := range []string{"national.csv", "540100.csv"} { // those of the program
		if code, out, errOut := call("calendar", "check", "../../calendars/"+name); code != 0 {
			t.Errorf("%s: %s%s", name, out, errOut)
		}
	}
}

func TestCalendarList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, "calendars")
	code, out, errOut := call("calendar", "list", "--data", dir)
	if code != 0 || errOut != "" || strings.Count(out, "\n") != 3 || strings.Count(out, "built in") != 2 || !strings.Contains(out, "2023?,2025?,2026?") {
		t.Errorf("without calendars of its own: exit code %d, %s%s", code, out, errOut)
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"540100.csv", "540600.csv"} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(lhasa2026), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errOut = call("calendar", "list", "--data", dir)
	want := []string{
		"area      years  off  worked  hours                              from",
		"national  2026?  9    2       09:30-13:00 15:30-18:00 (default)  built in",
		"540100    2026   12   2       09:00-13:00 15:00-18:00            " + own,
		"540600    2026   12   2       09:00-13:00 15:00-18:00            " + own,
		"",
	}
	if code != 0 || errOut != "" || out != strings.Join(want, "\n") {
		t.Errorf("exit code %d, %s\n%s", code, errOut, out)
	}
	if err := os.WriteFile(filepath.Join(own, "lhasa.csv"), []byte(lhasa2026+"x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := call("calendar", "list", "--data", dir); code != 1 || out != "" || !strings.Contains(errOut, filepath.Join(own, "lhasa.csv")+": not the name of a calendar") {
		t.Errorf("exit code %d, %s%s", code, out, errOut)
	}
}
