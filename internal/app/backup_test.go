package app

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/backup"
	"plateau/internal/telemetry"
)

// serving starts the victim's program in this process; end stops it.
func serving(t *testing.T, dir string) (a *App, end func()) {
	t.Helper()
	o := victimOptions(dir)
	o.Stdout, o.Stderr = io.Discard, io.Discard
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	return a, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestBackupWhileReceiving takes backups from a running server while loggers
// send. Each restores to a folder that verifies, holds every frame that was
// acknowledged before its start once, and is judged to the same bytes as when it
// is judged anew; and so does one of the stopped server.
func TestBackupWhileReceiving(t *testing.T) {
	t.Parallel()
	// A data folder whose name is too long for a socket's address has one all the same.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-name/", 9))
	a, end := serving(t, dir)
	defer end()
	l := load{acked: map[string]map[string]bool{}, start: time.Now().Add(-5 * 24 * time.Hour).Truncate(time.Hour)}
	enough := make(chan struct{})
	l.begin(300, enough)
	var wg sync.WaitGroup
	for n := range loggers {
		wg.Go(func() { l.run(a.hjAddr, n) })
	}
	known := func() *load { // what was acknowledged up to now
		l.mu.Lock()
		defer l.mu.Unlock()
		c := &load{acked: map[string]map[string]bool{}, total: l.total}
		for mn, frames := range l.acked {
			c.acked[mn] = maps.Clone(frames)
		}
		return c
	}
	<-enough
	o := Options{Flags: map[string]string{"data": dir}, Version: "test"}
	var kept []*load
	for _, name := range []string{"first", "second"} {
		before := known()
		kept = append(kept, before)
		m, err := Backup(t.Context(), o, filepath.Join(dir, "..", name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Running || m.Database != "sqlite" || m.Schema == 0 || m.Journal.Sequence == 0 || m.Program != a.o.Version {
			t.Errorf("%+v", m)
		}
		if after := known(); after.total == before.total {
			t.Error("nothing was received while the backup was made")
		}
	}
	// Orders that cannot be followed are refused with a reason.
	if _, err := Backup(t.Context(), o, filepath.Join(dir, "..", "second"), nil); err == nil || !strings.Contains(err.Error(), "holds something already") {
		t.Errorf("%v", err)
	}
	var nothing any
	if err := command(t.Context(), dir, "dance", nil, &nothing, nil); err == nil || !strings.Contains(err.Error(), `order "dance"`) {
		t.Errorf("%v", err)
	}
	end()
	wg.Wait()
	kept = append(kept, known())
	m, err := Backup(t.Context(), o, filepath.Join(dir, "..", "third"), nil)
	if err != nil || m.Running || m.Schema == 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	for i, name := range []string{"first", "second", "third"} {
		to := filepath.Join(t.TempDir(), "data")
		r, err := Restore(t.Context(), victimOptions(to), filepath.Join(dir, "..", name), nil, nil)
		if err != nil || !r.OK() || r.Loggers != loggers || r.Outlets != loggers || r.Journal.Frames == 0 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		kept[i].check(t, to)
	}
}

// TestRestoreTellsDamage: a damaged file of a real backup is named; a journal
// that is not the one of the manifest is told.
func TestRestoreTellsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, end := serving(t, dir)
	defer end()
	l := load{acked: map[string]map[string]bool{}, start: time.Now().Add(-24 * time.Hour).Truncate(time.Hour)}
	enough := make(chan struct{})
	l.begin(20, enough)
	go l.run(a.hjAddr, 0)
	<-enough
	from := filepath.Join(t.TempDir(), "b")
	m, err := Backup(t.Context(), Options{Flags: map[string]string{"data": dir}}, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	end()
	for _, f := range m.Files {
		if !strings.HasSuffix(f.Path, ".log") && f.Path != dbName || f.Size == 0 {
			continue
		}
		path := filepath.Join(from, f.Path)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		harmed := append([]byte(nil), whole...)
		harmed[len(harmed)/2] ^= 1
		if err := os.WriteFile(path, harmed, 0o600); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "data")
		if _, err := Restore(t.Context(), victimOptions(to), from, nil, nil); err == nil || !strings.Contains(err.Error(), f.Path+" has ") {
			t.Errorf("%s: %v", f.Path, err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(from, backup.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), m.Journal.Hash[:8], "00000000", 1)
	if err := os.WriteFile(filepath.Join(from, backup.ManifestName), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(t.Context(), victimOptions(filepath.Join(t.TempDir(), "data")), from, nil, nil)
	if err != nil || r.OK() || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "is not the one that the manifest names") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNoOrders: a server that takes no orders is told apart from none.
func TestNoOrders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{Flags: map[string]string{"data": dir}}
	if _, err := Backup(t.Context(), o, filepath.Join(t.TempDir(), "b"), nil); err == nil || !strings.Contains(err.Error(), "holds no journal") {
		t.Errorf("an empty folder: %v", err)
	}
	_, end := serving(t, dir)
	defer end()
	if err := os.Remove(filepath.Join(dir, ControlName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), o, filepath.Join(t.TempDir(), "b"), nil); err == nil || !strings.Contains(err.Error(), "takes no orders at") {
		t.Errorf("no socket: %v", err)
	}
	if _, err := Archive(t.Context(), o, time.Hour, false); err == nil || !strings.Contains(err.Error(), "takes no orders at") {
		t.Errorf("no socket: %v", err)
	}
	end()
	// A socket that a killed server left stands for none.
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, ControlName))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	if _, err := Backup(t.Context(), o, filepath.Join(t.TempDir(), "b"), nil); err != nil {
		t.Errorf("a left-over socket: %v", err)
	}
	// Nor does a server start on half a restore.
	if err := os.WriteFile(filepath.Join(dir, backup.IncompleteName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), victimOptions(dir)); err == nil || !strings.Contains(err.Error(), "broken off") {
		t.Errorf("half a restore: %v", err)
	}
}

// TestArchiveOfRunningServer seals while loggers send: frames are reached over
// the interface as before, a backup with archives restores and verifies, and
// without the archive only the old frames cannot be shown.
func TestArchiveOfRunningServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, end := serving(t, dir)
	defer end()
	l := load{acked: map[string]map[string]bool{}, start: time.Now().Add(-5 * 24 * time.Hour).Truncate(time.Hour)}
	enough := make(chan struct{})
	l.begin(200, enough)
	var wg sync.WaitGroup
	for n := range loggers {
		wg.Go(func() { l.run(a.hjAddr, n) })
	}
	<-enough
	o := victimOptions(dir)
	var sealed []SealedFile
	for waited := time.Now(); len(sealed) == 0; {
		files, err := Archive(t.Context(), o, time.Nanosecond, true)
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, files...)
		if time.Since(waited) > 30*time.Second {
			t.Fatal("nothing was sealed: the judgement does not go on")
		}
	}
	if sealed[0].First != 1 {
		t.Errorf("%+v", sealed)
	}
	from := filepath.Join(t.TempDir(), "b")
	if _, err := Backup(t.Context(), o, from, nil); err != nil {
		t.Fatal(err)
	}
	f, err := a.store.FrameAt(telemetry.Locator{Seq: 1})
	if err != nil || len(f.Raw) == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	end()
	wg.Wait()
	if _, err := Archive(t.Context(), o, time.Nanosecond, true); err != nil {
		t.Errorf("stopped: %v", err)
	}
	l.check(t, dir)
	to := filepath.Join(t.TempDir(), "data")
	r, err := Restore(t.Context(), victimOptions(to), from, nil, nil)
	if err != nil || !r.OK() || r.Journal.Groups < int64(sealed[0].Last) {
		t.Fatalf("%+v, %v", r, err)
	}
	if v, err := Verify(t.Context(), victimOptions(to)); err != nil || !v.OK() {
		t.Errorf("%+v, %v", v, err)
	}
	if err := os.RemoveAll(filepath.Join(to, ArchiveDir)); err != nil {
		t.Fatal(err)
	}
	a, end = serving(t, to)
	defer end()
	token, err := a.operatorToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.httpAddr+"/en/frames/1-0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "Frame 1-0 is archived, and the archive cannot be read") {
		t.Errorf("%s: %.500s", res.Status, body)
	}
}
