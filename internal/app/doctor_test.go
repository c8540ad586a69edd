package app

import (
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plateau/internal/doctor"
	"plateau/internal/platform/auth"
	"plateau/internal/telemetry/keeping"
	"plateau/internal/testkit"
)

// examined is what the doctor finds, by check.
func examined(t *testing.T, o Options, chains bool) map[string][]doctor.Finding {
	t.Helper()
	list, err := Doctor(t.Context(), o, chains)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]doctor.Finding{}
	for _, f := range list {
		if f.State != doctor.OK && f.Remedy == "" {
			t.Errorf("%s: %q has no remedy", f.Check, f.Found)
		}
		out[f.Check] = append(out[f.Check], f)
	}
	return out
}

// wantFinding wants one of a check that has state and text.
func wantFinding(t *testing.T, found map[string][]doctor.Finding, check string, state doctor.State, text string) {
	t.Helper()
	for _, f := range found[check] {
		if f.State == state && strings.Contains(f.Found, text) {
			return
		}
	}
	t.Errorf("%s: no %s that says %q, but %+v", check, state, text, found[check])
}

// TestDoctor: an installation as it should be has no fault, running or stopped;
// each thing that is put wrong is found, by its name.
func TestDoctor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := testkit.Certificate(t, dir, "server", 1, time.Now().Add(47*time.Hour))
	o := victimOptions(filepath.Join(dir, "data"))
	o.Version, o.Stdout, o.Stderr = "1", io.Discard, io.Discard
	maps.Copy(o.Flags, map[string]string{
		"hj212.adopt_unknown": "false", "http.url": "https://localhost", "http.tls.cert": cert, "http.tls.key": key, "public.publisher": "示例局", "hj212.max_connections": "100",
	})
	t.Run("running", func(t *testing.T) {
		a := running(t, o)
		if err := a.auth.SpendLink(t.Context(), a.firstKey, samplePassword); err != nil {
			t.Fatal(err)
		}
		found := examined(t, o, true)
		wantFinding(t, found, "server", doctor.OK, "version 1 runs at https://"+a.httpAddr)
		wantFinding(t, found, "accounts", doctor.Warning, "admin may change everything and sign in without a second factor")
		wantFinding(t, found, "https", doctor.Warning, "runs out on")
		wantFinding(t, found, "record of acts", doctor.OK, "chains whole")
		wantFinding(t, found, "backup", doctor.Warning, "none was ever made")
		for check, list := range found {
			for _, f := range list {
				if f.State == doctor.Fault {
					t.Errorf("%s: %s", check, f.Found)
				}
			}
		}
		a.ready.Hold("sample", "it waits")
		wantFinding(t, examined(t, o, false), "server", doctor.Fault, "is not ready: sample: it waits")
		a.ready.Release("sample")
		newer := o
		newer.Version = "2"
		wantFinding(t, examined(t, newer, false), "server", doctor.Warning, "version 1 runs")
	})
	data := o.Flags["data"]
	if err := keeping.NoteBackup(data, keeping.Backup{At: time.Now(), To: "/elsewhere"}); err != nil {
		t.Fatal(err)
	}
	found := examined(t, o, false)
	wantFinding(t, found, "server", doctor.OK, "no server runs; its ports are free")
	wantFinding(t, found, "backup", doctor.OK, "the last one is of")
	if len(found["record of acts"]) > 0 {
		t.Error("the record was looked through unasked")
	}
	other := func(change map[string]string) Options {
		c := o
		c.Flags = map[string]string{}
		maps.Copy(c.Flags, o.Flags)
		maps.Copy(c.Flags, change)
		return c
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	old, oldKey := testkit.Certificate(t, dir, "old", 2, time.Now().Add(-time.Hour))
	for _, c := range []struct {
		change map[string]string
		check  string
		state  doctor.State
		text   string
	}{
		{map[string]string{"data": filepath.Join(dir, "none")}, "data folder", doctor.Fault, "is not there"},
		{map[string]string{"data": dir}, "data folder", doctor.Fault, "is no data folder of a server"},
		{map[string]string{"hj212.addr": l.Addr().String()}, "server", doctor.Fault, "hj212.addr could not be opened"},
		{map[string]string{"hj212.max_connections": "9999999"}, "files at one time", doctor.Warning, "hj212.max_connections wants"},
		{map[string]string{"database.url": filepath.Join(dir, "none.db")}, "database", doctor.Fault, "there is no database"},
		{map[string]string{"http.tls.cert": old, "http.tls.key": oldKey}, "https", doctor.Fault, "ran out on"},
		{map[string]string{"http.url": "https://elsewhere.test"}, "https", doctor.Fault, "elsewhere.test"},
		{map[string]string{"http.tls.cert": "", "http.tls.key": "", "http.url": "", "http.addr": ":0"}, "https", doctor.Fault, "passwords travel in the clear"},
		{map[string]string{"http.tls.cert": "", "http.tls.key": "", "http.addr": ":0"}, "https", doctor.Warning, "is reached in the clear, too"},
		{map[string]string{"http.tls.cert": "", "http.tls.key": ""}, "https", doctor.OK, "reached from this machine only"},
		{map[string]string{"http.url": ""}, "addresses", doctor.Warning, "http.url is not set"},
		{map[string]string{"http.url": "https://localhost"}, "addresses", doctor.Warning, "all people share one address"},
		{map[string]string{"hj212.adopt_unknown": "true"}, "addresses", doctor.Fault, "unknown loggers are let in"},
		{map[string]string{"webhooks.allow_private": "true"}, "addresses", doctor.Warning, "its own network"},
		{map[string]string{"public.publisher": ""}, "addresses", doctor.Warning, "without the authority"},
		{map[string]string{"keeping.archive": "/proc/none/archive"}, "archive", doctor.Fault, "/proc/none/archive cannot be used"},
		{map[string]string{"keeping.seal_after": "0s"}, "archive", doctor.OK, "none"},
	} {
		wantFinding(t, examined(t, other(c.change), false), c.check, c.state, c.text)
	}

	// What is wrong in the folder itself, one thing on the other.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(data, 0o755))
	wantFinding(t, examined(t, o, false), "data folder", doctor.Fault, "open to everybody")
	must(os.Chmod(data, 0o750))
	secret := filepath.Join(data, auth.KeyFile)
	must(os.Chmod(secret, 0o640))
	wantFinding(t, examined(t, o, false), "key of second factors", doctor.Fault, "may be read by others")
	must(os.Remove(secret))
	wantFinding(t, examined(t, o, false), "key of second factors", doctor.Warning, "no such file")
	must(keeping.NoteBackup(data, keeping.Backup{At: time.Now().Add(-30 * 24 * time.Hour), To: "/elsewhere"}))
	wantFinding(t, examined(t, o, false), "backup", doctor.Warning, "the last one is of")
	name := filepath.Join(data, dbName)
	text, err := os.ReadFile(name)
	must(err)
	for i := len(text) / 2; i < len(text)/2+20_000; i++ {
		text[i] = 0xa5
	}
	must(os.WriteFile(name, text, 0o600))
	wantFinding(t, examined(t, o, false), "database", doctor.Fault, "is damaged")
}

// TestDoctorOfDemo: accounts whose passwords are printed are a fault.
func TestDoctorOfDemo(t *testing.T) {
	t.Parallel()
	o := demoOptions(t.TempDir(), io.Discard)
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	found := examined(t, o, false)
	wantFinding(t, found, "accounts", doctor.Fault, "accounts of the demonstration can sign in: ")
}
