package keeping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/disk"
	"plateau/rules"
)

// Kinds of data, in the order of the page. KindDisk is what of the disk is used,
// by whomever.
var Kinds = []string{"frames", "series", "judged", "index", "archive", "database", "sensorthings", "reports", "evidence"}

const kindDisk = "disk"

// Status is what is kept and how long there is room.
type Status struct {
	At        time.Time
	Kinds     []KindSize
	Used      int64 // of the disk with the data folder, by whomever
	Free      int64
	PerDay    float64 // growth of Used; valid when Known
	Known     bool
	Days      float64 // until it is full; valid when Fills
	Fills     bool
	Place     string // of the archive
	Files     int
	Sealed    int64     // last group that is sealed; 0 = none
	SealedTo  time.Time // its receipt
	SealAfter time.Duration
	Fault     error // of the latest sealing
	Backup    Backup
	Retention Retention
	Warnings  []string // keys: disk_soon, disk_low, no_backup, old_backup, not_sealed
}

// KindSize is what one kind takes.
type KindSize struct {
	Kind   string
	Bytes  int64
	PerDay float64
	Known  bool // PerDay is
	Years  int  // kept at least; 0 = no rule
}

// Backup is the last backup that was made.
type Backup struct {
	At    time.Time `json:"at"` // when it began; zero = none is known
	Bytes int64     `json:"bytes"`
	To    string    `json:"to"`
}

// BackupName is the file in the data folder that tells of the last backup.
const BackupName = "last-backup.json"

// NoteBackup remembers a backup.
func NoteBackup(data string, b Backup) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(data, BackupName), append(text, '\n'), 0o600)
}

// LastBackup returns what NoteBackup remembered; the zero value when nothing.
func LastBackup(data string) (b Backup, err error) {
	text, err := os.ReadFile(filepath.Join(data, BackupName))
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(text, &b)
}

// Retention is the rule keeping.retention.
type Retention struct {
	Frames, Series, Judged, Logs int // years
	WarnDays, BackupDays         int
	FreePercent                  float64
}

// ReadRetention reads the rule in force on a date (YYYY-MM-DD).
func ReadRetention(set *rules.Set, date string) (Retention, error) {
	rule, ok := set.At("keeping.retention", date)
	if !ok {
		return Retention{}, fmt.Errorf("rule keeping.retention is missing: %w", rules.ErrInvalid)
	}
	var errs []error
	num := func(name string) float64 {
		v, err := rule.Float(name)
		errs = append(errs, err)
		return v
	}
	r := Retention{
		Frames: int(num("frames_years")), Series: int(num("series_years")), Judged: int(num("judged_years")), Logs: int(num("logs_years")),
		WarnDays: int(num("warn_days")), BackupDays: int(num("backup_days")), FreePercent: num("free_percent"),
	}
	return r, errors.Join(errs...)
}

// Status looks at everything. What was looked at within a minute is given again.
func (s *Service) Status(ctx context.Context) (Status, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	now := s.o.Now()
	if since := now.Sub(s.status.At); !s.status.At.IsZero() && since >= 0 && since < time.Minute {
		return s.status, nil
	}
	st, err := s.look(ctx, now)
	if err == nil {
		s.status = st
	}
	return st, err
}

func (s *Service) look(ctx context.Context, now time.Time) (Status, error) {
	st := Status{At: now, Place: s.o.Place.String(), SealAfter: s.o.SealAfter, Fault: s.Fault()}
	files, err := s.o.Store.Sealed(ctx)
	if err != nil {
		return st, err
	}
	archived := int64(0)
	for _, f := range files {
		archived += f.Size
		st.Sealed, st.SealedTo = int64(f.Last), time.UnixMicro(f.To).UTC()
	}
	st.Files = len(files)
	if st.Retention, err = ReadRetention(rules.Default(), now.UTC().Format(time.DateOnly)); err != nil {
		return st, err
	}
	if st.Backup, err = LastBackup(s.o.Data); err != nil {
		return st, err
	}
	sizes, err := s.sizes(archived)
	if err != nil {
		return st, err
	}
	if st.Used, st.Free, err = disk.Room(s.o.Data); err != nil {
		return st, err
	}
	past, err := s.samples(ctx)
	if err != nil {
		return st, err
	}
	grow := func(kind string, bytes int64) (float64, bool) {
		return Growth(append(past[kind], Sample{now.Unix(), bytes}))
	}
	years := map[string]int{"frames": st.Retention.Frames, "archive": st.Retention.Frames, "series": st.Retention.Series, "judged": st.Retention.Judged, "database": st.Retention.Logs}
	for _, kind := range Kinds {
		k := KindSize{Kind: kind, Bytes: sizes[kind], Years: years[kind]}
		k.PerDay, k.Known = grow(kind, k.Bytes)
		st.Kinds = append(st.Kinds, k)
	}
	if st.PerDay, st.Known = grow(kindDisk, st.Used); st.Known {
		st.Days, st.Fills = DaysLeft(st.Free, st.PerDay)
	}
	st.warn()
	return st, nil
}

func (st *Status) warn() {
	r := &st.Retention
	if st.Fills && st.Days < float64(r.WarnDays) {
		st.Warnings = append(st.Warnings, "disk_soon")
	}
	if float64(st.Free) < float64(st.Used+st.Free)*r.FreePercent/100 {
		st.Warnings = append(st.Warnings, "disk_low")
	}
	switch {
	case st.Backup.At.IsZero():
		st.Warnings = append(st.Warnings, "no_backup")
	case st.At.Sub(st.Backup.At) > time.Duration(r.BackupDays)*24*time.Hour:
		st.Warnings = append(st.Warnings, "old_backup")
	}
	if st.Fault != nil {
		st.Warnings = append(st.Warnings, "not_sealed")
	}
}

// sizes are the bytes of each kind.
func (s *Service) sizes(archived int64) (map[string]int64, error) {
	z, err := s.o.Store.Sizes()
	if err != nil {
		return nil, err
	}
	out := map[string]int64{"frames": z.Frames, "series": z.Series, "judged": z.Judged, "index": z.Index, "archive": archived}
	for kind, path := range s.o.Folders {
		if out[kind], err = disk.Size(path); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const (
	hourly  = 3 * 24 * time.Hour // samples of each hour are kept so long, then one of each day
	keepAll = 400 * 24 * time.Hour
)

// sample notes what is taken now, once an hour.
func (s *Service) sample(ctx context.Context) error {
	if s.o.DB == nil {
		return nil
	}
	st, err := s.Status(ctx)
	if err != nil {
		return err
	}
	now := st.At.Unix() / 3600 * 3600
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		put := func(kind string, bytes int64) error {
			_, err := tx.Exec(ctx, `INSERT INTO keeping_samples (at, kind, bytes) VALUES ($1, $2, $3) ON CONFLICT (at, kind) DO UPDATE SET bytes = excluded.bytes`, now, kind, bytes)
			return err
		}
		for _, k := range st.Kinds {
			if err := put(k.Kind, k.Bytes); err != nil {
				return err
			}
		}
		if err := put(kindDisk, st.Used); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM keeping_samples WHERE at < $1 AND at % 86400 <> 0 OR at < $2`, now-int64(hourly/time.Second), now-int64(keepAll/time.Second))
		return err
	})
}

// samples reads the past of each kind, in order of time.
func (s *Service) samples(ctx context.Context) (map[string][]Sample, error) {
	out := map[string][]Sample{}
	if s.o.DB == nil {
		return out, nil
	}
	rows, err := s.o.DB.Query(ctx, `SELECT kind, at, bytes FROM keeping_samples WHERE at > $1 ORDER BY at`, s.o.Now().Add(-fitSpan).Unix())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var v Sample
		if err := rows.Scan(&kind, &v.At, &v.Bytes); err != nil {
			return nil, err
		}
		out[kind] = append(out[kind], v)
	}
	return out, rows.Err()
}
