package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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

// TestUpload: who may work with cases uploads a file in parts over the whole edge and
// attaches it; others do not, and no other site does for them.
func TestUpload(t *testing.T) {
	t.Parallel()
	o := demoOptions(t.TempDir(), io.Discard)
	o.Flags["api.rate"] = "0"
	a := running(t, o)
	ctx := t.Context()
	u, err := a.auth.AddUser(ctx, auth.User{Login: "w", Post: auth.Post{Zh: "河长"}, Role: "warden", Area: "540100"})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := a.auth.CreateToken(ctx, u.ID, "x", "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	bearer := []string{"Authorization", "Bearer " + token, "Tus-Resumable", "1.0.0"}
	text := "%PDF-1.7 words"
	send := func(method, path, body string, header ...string) reply {
		t.Helper()
		return ask(t, http.DefaultClient, method, "http://"+a.httpAddr+path, body, header...)
	}
	length := []string{"Upload-Length", strconv.Itoa(len(text)), "Upload-Metadata", "filename eC5wZGY="}
	if g := send("POST", "/uploads/", "", length...); g.status != http.StatusUnauthorized {
		t.Errorf("a stranger: %d %s", g.status, g.body)
	}
	if g := send("POST", "/uploads/", "", append(append(length, bearer...), "Sec-Fetch-Site", "cross-site")...); g.status != http.StatusForbidden {
		t.Errorf("another site: %d", g.status)
	}
	if g := send("POST", "/uploads/", "", append([]string{"Upload-Length", "99999999"}, bearer...)...); g.status != http.StatusRequestEntityTooLarge || !strings.Contains(g.body, "30 MB") || !strings.HasPrefix(g.header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("too large: %d %s", g.status, g.body)
	}
	g := send("POST", "/uploads/", "", append(length, bearer...)...)
	path := g.header.Get("Location")
	if g.status != http.StatusCreated || !strings.HasPrefix(path, "/uploads/") {
		t.Fatalf("%d %q %s", g.status, path, g.body)
	}
	part := append([]string{"Content-Type", "application/offset+octet-stream"}, bearer...)
	if g := send("PATCH", path, text[:5], append(part, "Upload-Offset", "0")...); g.status != http.StatusNoContent || g.header.Get("Upload-Offset") != "5" {
		t.Fatalf("%d %s", g.status, g.body)
	}
	if g := send("HEAD", path, "", bearer...); g.status != http.StatusOK || g.header.Get("Upload-Offset") != "5" {
		t.Fatalf("%d %v", g.status, g.header)
	}
	g = send("PATCH", path, text[5:], append(part, "Upload-Offset", "5")...)
	sum := g.header.Get(evidence.SumHeader)
	if g.status != http.StatusNoContent || len(sum) != 64 {
		t.Fatalf("%d %v %s", g.status, g.header, g.body)
	}
	report := `{"kind":"river_case","category":"litter","title":"岸边垃圾","source":"patrol","location":{"area":"540102"},"attachments":["` + sum + `"]}`
	if g := send("POST", "/api/v1/cases", report, append(bearer, "Content-Type", "application/json")...); g.status != http.StatusCreated {
		t.Errorf("opened with it: %d %s", g.status, g.body)
	}
}
