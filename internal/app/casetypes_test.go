package app

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
)

const sampleType = `kind: pothole
version: 1
effective_to: 2026-01-01
start: new
states: {new: {open: true}, done: {open: false}}
actions: {close: {from: [new], to: done, roles: [office_clerk]}}
`

func putCaseType(t *testing.T, data, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(data, CaseTypesDir), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, CaseTypesDir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFaultyCaseTypeStopsTheStart: and names the line, before anything is made.
func TestFaultyCaseTypeStopsTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putCaseType(t, dir, "pothole.1.yaml", strings.Replace(sampleType, "to: done", "to: gone", 1))
	o := victimOptions(dir)
	o.Stdout, o.Stderr = io.Discard, io.Discard
	_, err := New(t.Context(), o)
	if want := filepath.Join(dir, CaseTypesDir, "pothole.1.yaml") + ":6: actions.close.to: there is no state gone"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nlacks %s", err, want)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestMoveCases: a running server opens cases with types of the data folder, and moves
// them by a command.
func TestMoveCases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := strings.Replace(sampleType, "effective_to: 2026-01-01\n", "", 1)
	putCaseType(t, dir, "pothole.1.yaml", first)
	a, end := serving(t, dir)
	defer end()
	o := Options{Flags: map[string]string{"data": dir}, Version: "test"}
	if _, err := Areas(t.Context(), o, AreasOrder{Act: "import", CSV: sampleAreas}); err != nil {
		t.Fatal(err)
	}
	clerk := auth.Principal{ID: "c1", Login: "clerk", Post: auth.Post{Zh: "示例岗"}, Role: "office_clerk"}
	c, _, err := a.cases.Open(t.Context(), casework.Opening{Kind: "pothole", Title: "坑", Source: "hotline", Location: casework.Location{Area: "540600"}}, casework.Input{}, clerk, casework.Request{})
	if err != nil {
		t.Fatal(err)
	}
	second := strings.NewReplacer("version: 1", "version: 2", "{new: {", "{fresh: {", "start: new", "start: fresh", "from: [new]", "from: [fresh]").Replace(first)
	order := MoveOrder{From: 1, Kind: "pothole", File: second}
	out, err := PreviewMove(t.Context(), o, order)
	if err != nil || out.To != 2 || len(out.Moved) != 1 || out.Moved[0].Cases != 1 || !strings.Contains(out.Moved[0].Stuck, "no state new") {
		t.Fatalf("%+v, %v", out, err)
	}
	order.States = map[string]string{"new": "fresh"}
	if out, err = PreviewMove(t.Context(), o, order); err != nil || out.Moved[0].To != "fresh" || out.Moved[0].Stuck != "" || out.Cases != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	order.File, order.To = "", 2
	if _, err := MoveCases(t.Context(), o, order); err == nil || !strings.Contains(err.Error(), "has no version 2 of kind pothole") {
		t.Errorf("to a version that the server has not loaded: %v", err)
	}
	end()

	// The server has ended; the next knows the new version.
	putCaseType(t, dir, "pothole.1.yaml", sampleType)
	putCaseType(t, dir, "pothole.2.yaml", strings.Replace(second, "version: 2\n", "version: 2\neffective_from: 2026-01-02\n", 1))
	if out, err = MoveCases(t.Context(), o, order); err != nil || out.Cases != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	b, end := serving(t, dir)
	defer end()
	if x, err := b.cases.ByTracking(t.Context(), c.TrackingNo); err != nil || x.Version != 2 || x.State != "fresh" {
		t.Errorf("%+v, %v", x, err)
	}
	if same, err := b.cases.Rebuild(t.Context(), c.ID); err != nil || !same {
		t.Errorf("%t, %v", same, err)
	}
}
