package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/evidence"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/keeping"
)

// ArchiveDir is the folder of archive files inside the data folder, where no
// other place is set; sealingDir holds those being written.
const (
	ArchiveDir = "archive"
	sealingDir = "sealing"
)

// archivePlaces are where archive files may lie; new ones go to the first.
func archivePlaces(c *config.Config) ([]archive.Place, error) {
	own := archive.Folder(filepath.Join(c.Data, ArchiveDir))
	switch {
	case c.Keeping.Archive == "":
		return []archive.Place{own}, nil
	case !c.ArchiveInStore():
		return []archive.Place{archive.Folder(c.Keeping.Archive), own}, nil
	}
	s3, err := archive.OpenS3(archive.S3Options{
		Place: c.Keeping.Archive, Endpoint: c.Keeping.S3Endpoint, Region: c.Keeping.S3Region, AccessKey: c.Keeping.S3AccessKey, SecretKey: c.Keeping.S3SecretKey,
	})
	if err != nil {
		return nil, fmt.Errorf("keeping.archive: %w", err)
	}
	return []archive.Place{s3, own}, nil
}

// SealedFile is what Archive tells of a file it made.
type SealedFile struct {
	Name        string    `json:"name"`
	First, Last uint64    // groups
	From, To    time.Time // of receipt
	Size        int64     `json:"size"`
}

func sealedFiles(files []*archive.File) []SealedFile {
	out := make([]SealedFile, len(files))
	for i, f := range files {
		out[i] = SealedFile{f.Name, f.First, f.Last, time.UnixMicro(f.From).UTC(), time.UnixMicro(f.To).UTC(), f.Size}
	}
	return out
}

func (a *App) orderArchive(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	age, err := time.ParseDuration(q.Get("age"))
	if err != nil {
		return nil, err
	}
	files, err := a.keeping.Seal(ctx, age, q.Get("partial") == "true")
	return sealedFiles(files), err
}

// Archive seals the groups of the journal that are older than an age: the
// running server does it, or, when there is none, this process. Of o it takes
// the configuration. A zero age is the one of the configuration.
func Archive(ctx context.Context, o Options, age time.Duration, partial bool) (files []SealedFile, err error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	if age <= 0 {
		if age = time.Duration(c.Keeping.SealAfter); age <= 0 {
			return nil, errors.New("keeping.seal_after says never; give an age")
		}
	}
	q := url.Values{"age": {age.String()}, "partial": {strconv.FormatBool(partial)}}
	err = command(ctx, c.Data, "archive", q, &files, nil)
	if !errors.Is(err, errNoServer) {
		return files, err
	}
	s, err := stopped(&c)
	if err != nil {
		return nil, held(err, c.Data, "stop it first")
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	places, err := archivePlaces(&c)
	if err != nil {
		return nil, err
	}
	k := keeping.New(keeping.Options{
		Store: s, Place: places[0], Stage: filepath.Join(c.Data, sealingDir), Now: time.Now, Logger: slog.New(slog.DiscardHandler), //nolint:forbidigo // the command's own clock
	})
	sealed, err := k.Seal(ctx, age, partial)
	return sealedFiles(sealed), err
}

// keptFolders are the kinds of data that lie in folders or files of their own.
func (a *App) keptFolders() map[string]string {
	out := map[string]string{"reports": filepath.Join(a.c.Data, ReportsDir), "sensorthings": filepath.Join(a.c.Data, SensorThingsDir), "evidence": filepath.Join(a.c.Data, evidence.Dir)}
	if url := a.c.DatabaseURL(); !db.IsPostgres(url) {
		out["database"] = url
	}
	return out
}
