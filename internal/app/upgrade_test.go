package app

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

// oldFolder is what internal/tools/oldfolder put into a folder.
type oldFolder struct {
	MadeAt       time.Time `json:"made_at"`
	Frames       map[string]int
	Login        string
	Password     string
	Token        string
	Webhook      string
	Datastream   string
	Observations int
	Entries      map[string]string
}

func unpack(t *testing.T, name, to string) (want oldFolder) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return want
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "expect.json" {
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			continue
		}
		path := filepath.Join(to, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUpgrade starts on folders that earlier programs filled: everything in them
// is there, opens and verifies, as it does when the database is then moved to
// PostgreSQL.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	old, err := filepath.Glob(filepath.Join("testdata", "upgrade", "*.tar.gz"))
	if err != nil || len(old) == 0 {
		t.Fatalf("no folders of earlier programs: %v", err)
	}
	for _, name := range old {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".tar.gz"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			want := unpack(t, name, dir)
			begin := time.Now()
			o := victimOptions(filepath.Join(dir, "data"))
			o.Stdout, o.Stderr = io.Discard, io.Discard
			o.Now = func() time.Time { return want.MadeAt.Add(time.Hour + time.Since(begin)) } // sessions and tokens end with time
			t.Run("upgraded", func(t *testing.T) { want.there(t, o) })
			t.Run("moved", func(t *testing.T) {
				to := testkit.Postgres(t)
				if _, err := CopyDatabase(t.Context(), o, to, func(db.Table) {}); err != nil {
					t.Fatal(err)
				}
				o.Flags["database.url"] = to
				want.there(t, o)
			})
		})
	}
}

// there starts the program and looks for what must be in its folder.
func (want *oldFolder) there(t *testing.T, o Options) {
	t.Helper()
	t.Run("running", func(t *testing.T) {
		a, ctx := running(t, o), t.Context()
		for mn, n := range want.Frames {
			all, _, err := a.store.Frames(mn, time.Time{}, time.Time{}, "", 1<<20)
			if err != nil || len(all) != n {
				t.Errorf("%s: %d frames of %d, %v", mn, len(all), n, err)
			}
		}
		if _, p, err := a.auth.SignIn(ctx, want.Login, want.Password, auth.Client{Address: "127.0.0.1"}); err != nil || p.Login != want.Login {
			t.Errorf("signing in: %+v, %v", p, err)
		}
		if hooks, err := a.hooks.List(ctx); err != nil || len(hooks) != 1 || hooks[0].URL != want.Webhook {
			t.Errorf("webhooks: %+v, %v", hooks, err)
		}
		got := ask(t, http.DefaultClient, http.MethodGet, "http://"+a.httpAddr+want.Datastream+"/Observations?$count=true&$top=1", "", "Authorization", "Bearer "+want.Token)
		if !strings.Contains(got.body, fmt.Sprintf(`"@iot.count":%d,`, want.Observations)) {
			t.Errorf("observations by the old token: %d, %.300s", got.status, got.body)
		}
		entries := map[string]string{}
		if err := ListAudit(ctx, o, audit.Filter{}, func(e *audit.Entry) error { entries[fmt.Sprintf("%s/%d", e.Chain, e.Seq)] = e.Hash; return nil }); err != nil {
			t.Fatal(err)
		}
		for place, hash := range want.Entries {
			if entries[place] != hash {
				t.Errorf("entry %s of the record of acts: %q, want %q", place, entries[place], hash)
			}
		}
		if r, err := VerifyAudit(ctx, o); err != nil || !r.OK() {
			t.Errorf("record of acts: %+v, %v", r, err)
		}
	})
	if r, err := Verify(t.Context(), o); err != nil || !r.OK() {
		t.Errorf("journal: %+v, %v", r.Faults, err)
	}
	if r, err := VerifyJudgement(t.Context(), o, nil); err != nil || !r.OK() {
		t.Errorf("judgement: %+v, %v", r.Faults, err)
	}
}
