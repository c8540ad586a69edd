package bench

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // driver "sqlite"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/testkit"
)

// BenchmarkIngestPeers does the store's work with other stores: frames decoded,
// the raw frame and one row of ten values kept, a synced commit for each
// thousand frames. Compare with BenchmarkIngest of the same run. The throw-away
// PostgreSQL of the tests syncs nothing, which its name then says; give a server
// that does in PLATEAU_TEST_POSTGRES.
func BenchmarkIngestPeers(b *testing.B) {
	const frames, group = 100_000, 1000
	conf := Config{Frames: frames, Outlets: 1000, Now: time.Now}
	raws := makeFrames(&conf)
	type row struct {
		raw    []byte
		outlet int32
		at     int64
		values []byte // compact: mark and decimal of each value, one after another
	}
	// rows decodes one group as the store's callers do.
	rows := func(b *testing.B, from int, out []row) []row {
		b.Helper()
		var p hj212.Packet
		for i := from; i < from+group; i++ {
			f, err := decode(&p, telemetry.OutletID(i%conf.Outlets+1), raws.at(i), nil, time.Now())
			if err != nil {
				b.Fatal(err)
			}
			var packed []byte
			for k := range f.Values {
				packed = append(f.Values[k].Dec.Append(packed), f.Values[k].Flag...)
			}
			out = append(out, row{f.Raw, int32(f.Outlet), f.At, packed})
		}
		return out
	}
	report := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(frames)*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	}

	url := testkit.Postgres(b)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	var fsync, commit string
	err = conn.QueryRow(b.Context(), `SELECT current_setting('fsync'), current_setting('synchronous_commit')`).Scan(&fsync, &commit)
	_ = conn.Close(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("postgresql/fsync="+fsync+",synchronous_commit="+commit, func(b *testing.B) {
		for b.Loop() {
			// Two connections write side by side, each with COPY into both tables.
			var wg sync.WaitGroup
			for part := range 2 {
				conn, err := pgx.Connect(b.Context(), url)
				if err != nil {
					b.Fatal(err)
				}
				if part == 0 {
					if _, err := conn.Exec(b.Context(), `DROP TABLE IF EXISTS journal, series;
						CREATE TABLE journal (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raw BYTEA NOT NULL);
						CREATE TABLE series (outlet INTEGER, at BIGINT, vals BYTEA NOT NULL, PRIMARY KEY (outlet, at))`); err != nil {
						b.Fatal(err)
					}
				}
				wg.Go(func() {
					defer func() { _ = conn.Close(b.Context()) }()
					var buf []row
					for from := part * group; from < frames; from += 2 * group {
						buf = rows(b, from, buf[:0])
						tx, err := conn.Begin(b.Context())
						if err != nil {
							b.Error(err)
							return
						}
						_, err = tx.CopyFrom(b.Context(), pgx.Identifier{"journal"}, []string{"raw"}, pgx.CopyFromSlice(len(buf), func(i int) ([]any, error) { return []any{buf[i].raw}, nil }))
						if err == nil {
							_, err = tx.CopyFrom(b.Context(), pgx.Identifier{"series"}, []string{"outlet", "at", "vals"}, pgx.CopyFromSlice(len(buf), func(i int) ([]any, error) { return []any{buf[i].outlet, buf[i].at, buf[i].values}, nil }))
						}
						if err == nil {
							err = tx.Commit(b.Context())
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		}
		report(b)
	})

	b.Run("sqlite", func(b *testing.B) {
		for b.Loop() {
			db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "peer.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := db.ExecContext(b.Context(), `CREATE TABLE journal (id INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;
				CREATE TABLE series (outlet INTEGER, at INTEGER, vals BLOB NOT NULL, PRIMARY KEY (outlet, at)) STRICT, WITHOUT ROWID`); err != nil {
				b.Fatal(err)
			}
			var buf []row
			for from := 0; from < frames; from += group {
				buf = rows(b, from, buf[:0])
				if err := sqliteGroup(b, db, len(buf), func(i int) (raw []byte, key [2]int64, vals []byte) {
					return buf[i].raw, [2]int64{int64(buf[i].outlet), buf[i].at}, buf[i].values
				}); err != nil {
					b.Fatal(err)
				}
			}
			_ = db.Close()
		}
		report(b)
	})
}

// sqliteGroup writes one group: prepared single rows in one transaction.
func sqliteGroup(b *testing.B, db *sql.DB, n int, at func(int) ([]byte, [2]int64, []byte)) error {
	b.Helper()
	tx, err := db.BeginTx(b.Context(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	journal, err := tx.PrepareContext(b.Context(), `INSERT INTO journal (raw) VALUES ($1)`)
	if err != nil {
		return err
	}
	defer func() { _ = journal.Close() }()
	series, err := tx.PrepareContext(b.Context(), `INSERT INTO series (outlet, at, vals) VALUES ($1, $2, $3)`)
	if err != nil {
		return err
	}
	defer func() { _ = series.Close() }()
	for i := range n {
		raw, key, vals := at(i)
		if _, err := journal.ExecContext(b.Context(), raw); err != nil {
			return err
		}
		if _, err := series.ExecContext(b.Context(), key[0], key[1], vals); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// BenchmarkJudgePeers asks SQL for the hour means that the judgement makes of
// minute records: marks counted, mean, smallest and largest of the valid ones,
// one statement over everything. Loading is not measured. Compare with
// BenchmarkJudge of the same run, which also folds, compares with limits, makes
// days, and does so while records come in.
func BenchmarkJudgePeers(b *testing.B) {
	const outlets, records = 200, 500
	const query = `SELECT outlet, at / 3600, factor, SUM(CASE WHEN mark = 'N' THEN 10 ELSE 0 END), AVG(v), MIN(v), MAX(v), COUNT(*) FROM reading GROUP BY 1, 2, 3`
	type row struct {
		outlet, at int64
		factor     string
		v          float64
	}
	var all []row
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for o := range outlets {
		l := newLogger(o)
		for k := range records {
			for i, c := range codes {
				l.values[i] *= 1 + 0.01*(l.rnd.Float64()-0.5)
				all = append(all, row{int64(o), start + int64(k)*600, c, l.values[i]})
			}
		}
	}
	hours := outlets * ((records + 5) / 6) * len(codes)
	ask := func(b *testing.B, db *sql.DB) (n int) {
		b.Helper()
		rows, err := db.QueryContext(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
		return n
	}
	measure := func(b *testing.B, db *sql.DB) {
		b.Helper()
		for b.Loop() {
			if n := ask(b, db); n != hours {
				b.Fatalf("%d hour means, want %d", n, hours)
			}
		}
		b.ReportMetric(float64(outlets*records)*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	}
	b.Run("sqlite", func(b *testing.B) {
		db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "judge.db")+"?_pragma=journal_mode(wal)&_pragma=cache_size(-200000)")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		tx, err := db.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tx.ExecContext(b.Context(), `CREATE TABLE reading (outlet INTEGER, at INTEGER, factor TEXT, v REAL, mark TEXT, PRIMARY KEY (outlet, factor, at)) STRICT, WITHOUT ROWID`); err != nil {
			b.Fatal(err)
		}
		add, err := tx.PrepareContext(b.Context(), `INSERT INTO reading VALUES ($1, $2, $3, $4, 'N')`)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = add.Close() }()
		for _, r := range all {
			if _, err := add.ExecContext(b.Context(), r.outlet, r.at, r.factor, r.v); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		measure(b, db)
	})
	b.Run("postgresql", func(b *testing.B) {
		url := testkit.Postgres(b)
		conn, err := pgx.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close(b.Context()) }()
		if _, err := conn.Exec(b.Context(), `CREATE TABLE reading (outlet BIGINT, at BIGINT, factor TEXT, v DOUBLE PRECISION, mark TEXT)`); err != nil {
			b.Fatal(err)
		}
		_, err = conn.CopyFrom(b.Context(), pgx.Identifier{"reading"}, []string{"outlet", "at", "factor", "v", "mark"}, pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
			return []any{all[i].outlet, all[i].at, all[i].factor, all[i].v, "N"}, nil
		}))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Exec(b.Context(), `ALTER TABLE reading ADD PRIMARY KEY (outlet, factor, at)`); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Exec(b.Context(), `ANALYZE reading`); err != nil {
			b.Fatal(err)
		}
		db, err := sql.Open("pgx", url)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		measure(b, db)
	})
}
