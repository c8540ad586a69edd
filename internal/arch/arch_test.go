package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"plateau/internal/testkit"
)

type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,GoFiles", "./...")
	cmd.Dir = testkit.Root()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list found only %d packages", len(list))
	}
	return list
}

// TestPackageDocs wants to be told of every package what it is for.
func TestPackageDocs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// refused lists, for a tree of packages, the imports that would turn the
// direction round, each with the reason.
var refused = []struct{ from, to, why string }{
	{"plateau/hj212", "plateau/internal", "the codec is public and pure"},
	{"plateau/hj212", "log/slog", "the codec takes values and returns values"},
	{"plateau/hj212", "net", "the codec does no input or output"},
	{"plateau/hj212", "database/sql", "the codec does no input or output"},
	{"plateau/internal/platform", "plateau/internal/telemetry", "the platform knows no modules"},
	{"plateau/internal/platform", "plateau/internal/app", "only commands and tests start the program"},
	{"plateau/internal/web", "plateau/internal/telemetry", "the shell knows no modules"},
	{"plateau/internal/telemetry", "plateau/internal/web", "pages know the module, not the other way round"},
	{"plateau/internal/telemetry", "plateau/internal/app", "only commands and tests start the program"},
	{"plateau/internal/telemetry/store", "plateau/internal/telemetry/gateway", "the store is fed, it does not fetch"},
	{"plateau/internal/telemetry/quality", "plateau/internal/telemetry/gateway", "judgement reads the store, never the wire"},
}

func under(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

func TestImportDirection(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for _, r := range refused {
				if under(p.ImportPath, r.from) && under(imp, r.to) && !under(imp, r.from) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, r.why)
				}
			}
		}
	}
}

// TestRefusedSees shows that the check would catch a planted violation.
func TestRefusedSees(t *testing.T) {
	t.Parallel()
	caught := false
	for _, r := range refused {
		caught = caught || under("plateau/internal/platform/db", r.from) && under("plateau/internal/telemetry/store", r.to)
	}
	if !caught || under("plateau/internal/webhook", "plateau/internal/web") {
		t.Fatal("the tree rule does not match what it should")
	}
}
