package config_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/config"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plateau.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOrderOfSources(t *testing.T) {
	t.Parallel()
	path := file(t, "data = \"from-file\"\n[http]\naddr = \":1\"\n[hj212]\naddr = \":2\"\nidle_timeout = \"5m\"\n")
	c, unknown, err := config.Load(config.Source{
		Defaults: config.Default(),
		File:     path,
		Env:      []string{"PLATEAU_HTTP_ADDR=:3", "PLATEAU_HJ212_ADDR=:4", "PLATEAU_HJ212_ADOPT_UNKNOWN=true", "PLATEAU_PORT=tcp://10.0.0.1", "PLATEAU_SHARED=x", "HOME=/"},
		Flags:    map[string]string{"hj212.addr": ":5"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Data, want.HTTP.Addr, want.HJ212.Addr = "from-file", ":3", ":5"
	want.HJ212.IdleTimeout, want.HJ212.AdoptUnknown = config.Duration(5*time.Minute), true
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"PLATEAU_PORT"}, unknown); d != "" {
		t.Errorf("unknown variables: %s", d)
	}
	if got := c.DatabaseURL(); got != filepath.Join("from-file", "plateau.db") {
		t.Errorf("database at %s", got)
	}
}

func TestFaultsNamePlaceAndRemedy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		toml  string
		env   []string
		flags map[string]string
		want  []string
	}{
		{name: "misspelt key", toml: "[http]\nadr = \":1\"\n", want: []string{"plateau.toml", "line 2: ", `"http.adr" is no setting`, `did you mean "http.addr"?`}},
		{name: "misspelt table", toml: "[databse]\nurl = \"x\"\n", want: []string{`"databse.url"`, `"database.url"`}},
		{name: "syntax", toml: "data = \"a\"\ndata2 = = 1\n", want: []string{"line 2"}},
		{name: "wrong type", toml: "[hj212]\nmax_connections = \"many\"\n", want: []string{"max_connections"}},
		{name: "bad duration", toml: "[hj212]\nidle_timeout = \"soon\"\n", want: []string{"90s, 10m or 2h"}},
		{name: "too short", toml: "[hj212]\nidle_timeout = \"5s\"\n", want: []string{"hj212.idle_timeout is 5s"}},
		{name: "bad level", env: []string{"PLATEAU_LOG_LEVEL=loud"}, want: []string{`log.level is "loud"`, "debug, info"}},
		{name: "bad bool", env: []string{"PLATEAU_HJ212_ADOPT_UNKNOWN=perhaps"}, want: []string{"PLATEAU_HJ212_ADOPT_UNKNOWN", "neither true nor false"}},
		{name: "proxies that are no networks", env: []string{"PLATEAU_HTTP_PROXIES=127.0.0.1 proxy.example"}, want: []string{"http.proxies", "127.0.0.1/32"}},
		{name: "certificate without key", env: []string{"PLATEAU_HTTP_TLS_CERT=a.pem"}, want: []string{"http.tls.cert and http.tls.key", "two PEM files"}},
		{name: "files and ACME", env: []string{"PLATEAU_HTTP_TLS_CERT=a.pem", "PLATEAU_HTTP_TLS_KEY=a.key", "PLATEAU_HTTP_TLS_DOMAINS=plateau.test"}, want: []string{"not both"}},
		{name: "ACME without its terms", env: []string{"PLATEAU_HTTP_TLS_DOMAINS=plateau.test"}, want: []string{"http.tls.acme_terms = true"}},
		{name: "ACME for an address", env: []string{"PLATEAU_HTTP_TLS_DOMAINS=plateau.test 10.0.0.1", "PLATEAU_HTTP_TLS_ACME_TERMS=true"}, want: []string{`http.tls.domains is "plateau.test 10.0.0.1"`, "plateau.example.org"}},
		{name: "ACME in the clear", env: []string{"PLATEAU_HTTP_TLS_DOMAINS=plateau.test", "PLATEAU_HTTP_TLS_ACME_TERMS=true", "PLATEAU_HTTP_TLS_ACME_DIRECTORY=http://ca.test/"}, want: []string{"http.tls.acme_directory"}},
		{name: "sent on to nowhere", env: []string{"PLATEAU_HTTP_TLS_PLAIN_ADDR=:80"}, want: []string{"http.tls.plain_addr", "leave it out"}},
		{name: "a life shorter than the idle time", env: []string{"PLATEAU_SESSION_LIFE=1h"}, want: []string{"session.idle is 12h0m0s and session.life 1h0m0s"}},
		{name: "profiles for everybody", env: []string{"PLATEAU_PROFILE_ADDR=:6060"}, want: []string{`profile.addr is ":6060"`, "127.0.0.1:6060"}},
		{name: "missing secret file", env: []string{"PLATEAU_DATABASE_URL_FILE=/nonexistent/x"}, want: []string{"PLATEAU_DATABASE_URL_FILE"}},
		{name: "empty flag", flags: map[string]string{"http.addr": ""}, want: []string{"http.addr is empty"}},
		{name: "bad flag", flags: map[string]string{"hj212.max_connections": "x"}, want: []string{"hj212.max_connections", "whole number"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := config.Source{Defaults: config.Default(), Env: tt.env, Flags: tt.flags}
			if tt.toml != "" {
				s.File = file(t, tt.toml)
			}
			_, _, err := config.Load(s)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
		})
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(secret, []byte("postgres://plateau:hunter2@db.example/plateau?sslmode=verify-full\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(config.Source{Defaults: config.Default(), Env: []string{"PLATEAU_DATABASE_URL_FILE=" + secret}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.DatabaseURL(), "hunter2") {
		t.Fatal("the program itself needs the password")
	}
	var printed, logged bytes.Buffer
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&logged, nil)).Info("started", slog.Any("config", c))
	for name, text := range map[string]string{"printed": printed.String(), "logged": logged.String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "db.example") {
			t.Errorf("%s: %s", name, text)
		}
	}
	// What is printed is a file that can be read again.
	if _, _, err := config.Load(config.Source{Defaults: config.Default(), File: file(t, printed.String())}); err != nil {
		t.Error(err)
	}
}
