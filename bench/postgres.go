package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// pgStore keeps what Plateau keeps: each frame byte for byte and its values as a
// row, in one transaction. The server is one of its own, with Debian's binaries
// and defaults: fsync and synchronous_commit are on.
type pgStore struct {
	dir    string
	server *exec.Cmd
	alive  io.Closer // the server goes when it is closed
	log    bytes.Buffer
	conns  [writers]*pgx.Conn
}

func openPostgres(s settings) (peer, error) {
	p := &pgStore{}
	if err := p.start(s); err != nil {
		if p.alive != nil {
			_ = p.alive.Close()
		}
		return nil, fmt.Errorf("%w: %s", err, p.log.String())
	}
	return p, nil
}

func (p *pgStore) start(s settings) error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return errors.New("PostgreSQL is not here: install postgresql")
	}
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	// Sockets may have paths of 107 characters.
	var err error
	if p.dir, err = os.MkdirTemp("/tmp", "plateau-pg-"); err != nil {
		return err
	}
	data := filepath.Join(s.Dir, "pg")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	as := []string{}
	if os.Geteuid() == 0 { // it does not run as root
		as = []string{"runuser", "-u", "postgres", "--"}
		if out, err := exec.Command("chown", "postgres", p.dir, data).CombinedOutput(); err != nil {
			return fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		full := append(append(slices.Clone(as), filepath.Join(bin, name)), args...)
		cmd := exec.Command(full[0], full[1:]...)
		cmd.Dir = "/"
		return cmd
	}
	if out, err := command("initdb", "-D", data, "-U", "plateau", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	// The shell goes with this process, and the server with the shell.
	full := append(slices.Clone(as), "/bin/sh", "-c", `"$1/postgres" -D "$2" -k "$3" -h "" & cat; kill -INT $!; wait`, "sh", bin, data, p.dir)
	p.server = exec.Command(full[0], full[1:]...)
	p.server.Dir, p.server.Stderr = "/", &p.log
	if p.alive, err = p.server.StdinPipe(); err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	url := "postgres://plateau@/postgres?sslmode=disable&host=" + p.dir
	for i := range p.conns {
		for tries := 0; ; tries++ {
			if p.conns[i], err = pgx.Connect(background, url); err == nil {
				break
			}
			if tries == 300 {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	var fsync, commit string
	if err := p.conns[0].QueryRow(background, `SELECT current_setting('fsync'), current_setting('synchronous_commit')`).Scan(&fsync, &commit); err != nil {
		return err
	}
	if fsync != "on" || commit != "on" {
		return fmt.Errorf("fsync is %s, synchronous_commit is %s", fsync, commit)
	}
	if _, err := p.conns[0].Exec(background, `CREATE TABLE journal (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raw BYTEA NOT NULL);
		CREATE TABLE series (outlet INTEGER, at BIGINT, vals BYTEA NOT NULL, PRIMARY KEY (outlet, at))`); err != nil {
		return err
	}
	return nil
}

func (p *pgStore) version() (v string) {
	_ = p.conns[0].QueryRow(background, `SHOW server_version`).Scan(&v)
	v, _, _ = strings.Cut(v, " ")
	return v
}

func (p *pgStore) durable() string { return "all that was committed" }

func (p *pgStore) write(part int, group []frame) error {
	tx, err := p.conns[part].Begin(background)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(background) }()
	if _, err := tx.CopyFrom(background, pgx.Identifier{"journal"}, []string{"raw"}, pgx.CopyFromSlice(len(group), func(i int) ([]any, error) {
		return []any{group[i].raw}, nil
	})); err != nil {
		return err
	}
	if _, err := tx.CopyFrom(background, pgx.Identifier{"series"}, []string{"outlet", "at", "vals"}, pgx.CopyFromSlice(len(group), func(i int) ([]any, error) {
		return []any{int32(group[i].outlet), group[i].at, pack(&group[i])}, nil
	})); err != nil {
		return err
	}
	return tx.Commit(background)
}

// pack writes the values one behind another: decimal, mark, blank.
func pack(f *frame) (b []byte) {
	for i := range f.values {
		b = append(append(f.values[i].Dec.Append(b), f.values[i].Flag...), ' ')
	}
	return b
}

func (p *pgStore) sync() error { return nil }

func (p *pgStore) settle() (size int64, err error) {
	if _, err := p.conns[0].Exec(background, `VACUUM FULL ANALYZE`); err != nil {
		return 0, err
	}
	err = p.conns[0].QueryRow(background, `SELECT pg_total_relation_size('journal') + pg_total_relation_size('series')`).Scan(&size)
	return size, err
}

func (p *pgStore) count(query string, args ...any) (n int, err error) {
	rows, err := p.conns[0].Query(background, query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var packed []byte
		if err := rows.Scan(&packed); err != nil {
			return 0, err
		}
		n += bytes.Count(packed, []byte{' '})
	}
	return n, rows.Err()
}

func (p *pgStore) day(outlet int, from, to int64) (int, error) {
	return p.count(`SELECT vals FROM series WHERE outlet = $1 AND at >= $2 AND at < $3 ORDER BY at`, int32(outlet), from, to)
}

// latest goes from outlet to outlet along the index.
func (p *pgStore) latest() (int, error) {
	return p.count(`WITH RECURSIVE o AS (SELECT min(outlet) AS outlet FROM series UNION ALL
			SELECT (SELECT min(s.outlet) FROM series s WHERE s.outlet > o.outlet) FROM o WHERE o.outlet IS NOT NULL)
		SELECT l.vals FROM o CROSS JOIN LATERAL (SELECT vals FROM series s WHERE s.outlet = o.outlet ORDER BY at DESC LIMIT 1) l`)
}

// close sums the peaks of the server's processes; what they share is counted in
// each that touched it.
func (p *pgStore) close() (peak float64, err error) {
	pids := []string{strconv.Itoa(p.server.Process.Pid)}
	for i := 0; i < len(pids); i++ {
		tasks, _ := filepath.Glob("/proc/" + pids[i] + "/task/*/children")
		for _, t := range tasks {
			children, _ := os.ReadFile(t)
			pids = append(pids, strings.Fields(string(children))...)
		}
		status, _ := os.ReadFile("/proc/" + pids[i] + "/status")
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				peak += kb / 1024
			}
		}
	}
	for _, c := range p.conns {
		_ = c.Close(background)
	}
	_ = p.alive.Close()
	_ = p.server.Wait()
	return peak, os.RemoveAll(p.dir)
}
