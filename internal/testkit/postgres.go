package testkit

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// cluster is the PostgreSQL server of this test binary.
var cluster struct {
	once sync.Once
	url  string
	skip string // why there is none
	stop func()
}

// Postgres returns the URL of a fresh, empty schema on a real PostgreSQL,
// dropped at the end of the test. The server is that of PLATEAU_TEST_POSTGRES
// (a postgres:// URL) or, without it, a throw-away one that this test binary
// starts from the machine's own binaries; Main must then be the package's
// TestMain, to stop it. Without either, the test is skipped, but with CI=true
// it fails.
func Postgres(tb testing.TB) string {
	tb.Helper()
	cluster.once.Do(func() {
		if cluster.url = os.Getenv("PLATEAU_TEST_POSTGRES"); cluster.url != "" {
			return
		}
		if err := startCluster(); err != nil {
			cluster.skip = err.Error()
		}
	})
	if cluster.skip != "" {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("no PostgreSQL: %s", cluster.skip)
		}
		tb.Skipf("no PostgreSQL: %s; install postgresql or set PLATEAU_TEST_POSTGRES", cluster.skip)
	}
	return freshSchema(tb)
}

func freshSchema(tb testing.TB) string {
	tb.Helper()
	schema := "test_" + strings.ToLower(rand.Text()[:12])
	run := func(query string) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		pool, err := sql.Open("pgx", cluster.url)
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = pool.Close() }()
		if _, err := pool.ExecContext(ctx, query); err != nil {
			tb.Errorf("%s: %v", query, err)
		}
	}
	run("CREATE SCHEMA " + schema)
	tb.Cleanup(func() { run("DROP SCHEMA " + schema + " CASCADE") })
	u, err := url.Parse(cluster.url)
	if err != nil {
		tb.Fatalf("PLATEAU_TEST_POSTGRES: %v", err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// Main runs the tests and stops what they started. Packages that use Postgres
// say: func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }.
func Main(m *testing.M) int {
	code := m.Run()
	if cluster.stop != nil {
		cluster.stop()
	}
	return code
}

// startCluster makes and starts a server that listens on a socket in a folder
// of its own only. PostgreSQL refuses to run as root, so root lends it to the
// account postgres or nobody.
func startCluster() (err error) {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	as, err := account()
	if err != nil {
		return err
	}
	// A short path: sockets may have 107 characters.
	dir, err := os.MkdirTemp("/tmp", "plateau-pg-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if len(as) > 0 {
		if out, err := exec.Command("chown", as[2], dir).CombinedOutput(); err != nil {
			return fmt.Errorf("chown: %s", out)
		}
	}
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		full := append(append(slices.Clone(as), filepath.Join(bin, name)), args...)
		cmd := exec.Command(full[0], full[1:]...)
		cmd.Dir = dir
		return cmd
	}
	if out, err := command("initdb", "-D", data, "-U", "plateau", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	// fsync off: the data are worth nothing.
	// A shell stands between: it lives as long as this pipe, so the server goes
	// with the test binary even when that is killed. fsync is off: the data are
	// worth nothing.
	const script = `"$1/postgres" -D "$2/data" -k "$2" -h "" -F -c max_connections=200 -c full_page_writes=off -c synchronous_commit=off &
cat; kill -QUIT $!; wait; rm -rf "$2"`
	full := append(slices.Clone(as), "/bin/sh", "-c", script, "sh", bin, dir)
	server := exec.Command(full[0], full[1:]...)
	var log bytes.Buffer
	server.Stderr = &log
	alive, err := server.StdinPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	cluster.stop = func() {
		_ = alive.Close()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	cluster.url = (&url.URL{Scheme: "postgres", User: url.User("plateau"), Path: "/postgres", RawQuery: "host=" + url.QueryEscape(dir) + "&sslmode=disable"}).String()
	if err := waitReady(); err != nil {
		cluster.stop()
		cluster.stop = nil
		return fmt.Errorf("postgres: %w: %s", err, log.String())
	}
	return nil
}

// waitReady returns when the server answers.
func waitReady() error {
	pool, err := sql.Open("pgx", cluster.url)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = pool.PingContext(context.Background()); err == nil {
			return nil
		}
		select {
		case <-deadline:
			return err
		case <-tick.C:
		}
	}
}

// postgresBin finds the folder of initdb and postgres: in PATH, or where Debian
// puts the newest version.
func postgresBin() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("initdb not found")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// account returns the words that run a command as another account, when needed.
func account() ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	runuser, err := exec.LookPath("runuser")
	if err != nil {
		return nil, errors.New("root cannot run PostgreSQL, and runuser is missing")
	}
	for _, name := range []string{"postgres", "nobody"} {
		if exec.Command("id", name).Run() == nil {
			return []string{runuser, "-u", name, "--"}, nil
		}
	}
	return nil, errors.New("root cannot run PostgreSQL, and there is neither the account postgres nor nobody")
}

// Database is one of the databases that every statement must work on.
type Database struct {
	Name string
	URL  func(tb testing.TB) string // of a fresh, empty one
}

// Databases lists them, for one subtest each.
func Databases() []Database {
	return []Database{
		{"sqlite", func(tb testing.TB) string {
			tb.Helper()
			return filepath.Join(tb.TempDir(), "plateau.db")
		}},
		{"postgres", Postgres},
	}
}
