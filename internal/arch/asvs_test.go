package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plateau/internal/testkit"
)

// tests are the names of all tests and fuzz targets of the repository.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names, declared := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)`)
	err := filepath.WalkDir(testkit.Root(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestASVS holds the tables of SECURITY.md against the list of requirements: each
// stands there once, what is said to hold names tests, and these exist.
func TestASVS(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(filepath.Join("testdata", "asvs-5.0.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for line := range strings.Lines(string(list)) {
		if number, level, ok := strings.Cut(strings.TrimSpace(line), " "); ok && (level == "1" || level == "2") {
			want[number] = 0
		}
	}
	if len(want) != 253 {
		t.Fatalf("the list has %d requirements", len(want))
	}
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, doc, found := strings.Cut(string(text), "## OWASP ASVS")
	if !found {
		t.Fatal("SECURITY.md has no table")
	}
	number, test := regexp.MustCompile(`^\d+\.\d+\.\d+$`), regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	there, section := tests(t), ""
	for line := range strings.Lines(doc) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			section = name
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if section == "" || len(cells) < 2 || !number.MatchString(strings.TrimSpace(strings.Split(cells[0], ",")[0])) {
			continue
		}
		for n := range strings.SplitSeq(cells[0], ",") {
			n = strings.TrimSpace(n)
			if _, known := want[n]; !known {
				t.Errorf("%q is no requirement of level 1 or 2", n)
			}
			want[n]++
		}
		named := test.FindAllStringSubmatch(line, -1)
		if section == "Holds" && len(named) == 0 {
			t.Errorf("%s is said to hold, and no test shows it", cells[0])
		}
		for _, m := range named {
			if !there[m[1]] {
				t.Errorf("%s names %s, which does not exist", cells[0], m[1])
			}
		}
	}
	for n, times := range want {
		if times != 1 {
			t.Errorf("%s stands there %d times", n, times)
		}
	}
}

// TestNoCommands: nothing that the server is made of starts other programs or goes
// around Go's memory, but for the two places named here.
func TestNoCommands(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"plateau/internal/bench os/exec":             "plateau bench starts itself to measure it",
		"plateau/internal/sensorthings/query unsafe": "reads texts without copying them",
	}
	seen := 0
	for _, p := range packages(t) {
		if under(p.ImportPath, "plateau/internal/tools") || under(p.ImportPath, "plateau/internal/testkit") {
			continue // not in the program
		}
		for _, imp := range p.Imports {
			if imp != "os/exec" && imp != "unsafe" && imp != "plugin" && imp != "C" {
				continue
			}
			if allowed[p.ImportPath+" "+imp] == "" {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
			seen++
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d such imports, %d are explained", seen, len(allowed))
	}
}
