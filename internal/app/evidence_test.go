package app

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/doctor"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/evidence"
)

// TestEvidenceIsKept: a file of a case is in a backup and comes back with it; one that
// changed on the disk is named by backup, restore, verify and the doctor.
func TestEvidenceIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := victimOptions(filepath.Join(dir, "data"))
	o.Stdout, o.Stderr = io.Discard, io.Discard
	a := running(t, o)
	f, err := a.evidence.Put(t.Context(), auth.Principal{ID: "x"}, "words.txt", strings.NewReader("words"))
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, "data", filepath.FromSlash(evidence.Incoming), "half")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	restored := func(name string) (faults []string, data string) {
		t.Helper()
		m, err := Backup(t.Context(), o, filepath.Join(dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range m.Files {
			if strings.HasSuffix(x.Path, "half") {
				t.Errorf("%s holds %s", name, x.Path)
			}
		}
		data = filepath.Join(dir, name+"-data")
		r, err := Restore(t.Context(), victimOptions(data), filepath.Join(dir, name), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if named := DamagedEvidence(&m); strings.Join(named, "\n") != strings.Join(r.Faults, "\n") {
			t.Errorf("the backup says %q, restoring it %q", named, r.Faults)
		}
		return r.Faults, data
	}
	faults, data := restored("first")
	if len(faults) > 0 {
		t.Errorf("%q", faults)
	}
	if c, err := VerifyEvidence(t.Context(), victimOptions(data)); err != nil || c.Files != 1 || c.Bad != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	wantFinding(t, examined(t, o, false), "files of cases", doctor.OK, "all 1 files")

	path := filepath.Join(dir, "data", evidence.Dir, f.SHA256[:2], f.SHA256[2:4], f.SHA256)
	if err := os.WriteFile(path, []byte("w0rds"), 0o600); err != nil {
		t.Fatal(err)
	}
	faults, data = restored("second")
	if len(faults) != 1 || !strings.Contains(faults[0], f.SHA256) {
		t.Errorf("%q", faults)
	}
	if c, err := VerifyEvidence(t.Context(), victimOptions(data)); err != nil || c.Bad != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	wantFinding(t, examined(t, o, false), "files of cases", doctor.Fault, "has other bytes")
}
