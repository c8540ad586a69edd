package evidence

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/disk"
	"plateau/internal/platform/errs"
)

// Folders inside the data folder.
const (
	Dir = "evidence"
	// Incoming holds what is not complete; nothing in it counts, and backups leave it
	// out.
	Incoming = "evidence/incoming"
)

// NoRoom is the key of the error that the disk is too full for more files; the edge
// answers it with 507.
const NoRoom = "err.no_room"

// Options are what the service stands on.
type Options struct {
	DB     *db.DB
	Data   string                 // the data folder
	Limits func() (Limits, error) // in force today
	Unused time.Duration          // a file that nothing refers to is kept for so long
	// Unfinished is how long an upload waits for who began it.
	Unfinished time.Duration
	Now        func() time.Time
	Logger     *slog.Logger
}

// Service keeps files. It is safe for concurrent use, of one process.
type Service struct {
	Options
	dir    string
	decode chan struct{} // who decodes a picture: one at a time
	// named is held, shared, while a file gets its name and its row, and alone while
	// one loses both.
	named  sync.RWMutex
	create func(path string) (written, error) // tests let it fail
	free   func() (int64, error)
}

// written is a file that is being written.
type written interface {
	io.Writer
	Sync() error
	Close() error
}

// New returns the service, with its folders.
func New(o Options) (*Service, error) {
	s := &Service{Options: o, dir: filepath.Join(o.Data, Dir), decode: make(chan struct{}, 1)}
	if err := os.MkdirAll(s.incoming(), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of evidence: %w", err)
	}
	s.create = func(path string) (written, error) {
		return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	s.free = func() (int64, error) {
		_, free, err := disk.Room(s.dir)
		return free, err
	}
	return s, nil
}

func (s *Service) incoming() string { return filepath.Join(s.Data, filepath.FromSlash(Incoming)) }

// path is where the original is, or would be.
func (s *Service) path(sum string) string { return filepath.Join(s.dir, sum[:2], sum[2:4], sum) }

func (s *Service) drawn(sum string, v Variant) string {
	return s.path(sum) + "." + string(v) + ".jpg"
}

// isSum reports whether s is a SHA-256 as files are called by it.
func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

// full gives an error of a full disk its kind.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errs.Wrap(err, errs.Busy, NoRoom)
	}
	return err
}

// Put keeps what r gives as a file that somebody brought, under the name they gave
// it; whatever fails, nothing of it counts. Errors: errs.Invalid about Field when it is too large, empty,
// a program, or a picture that cannot be decoded, or when the account has brought
// too much that nothing refers to; errs.Busy NoRoom when the disk is full.
func (s *Service) Put(ctx context.Context, by auth.Principal, name string, r io.Reader) (File, error) {
	return s.put(ctx, by, name, "", r)
}

// put also compares with the SHA-256 that was announced, "" = none was.
func (s *Service) put(ctx context.Context, by auth.Principal, name, want string, r io.Reader) (f File, err error) {
	name = Clean(name)
	lim, err := s.Limits()
	if err != nil {
		return f, err
	}
	if err := s.roomFor(ctx, by, 0, &lim); err != nil {
		return f, err
	}
	path := filepath.Join(s.incoming(), uuid.NewString())
	defer os.Remove(path) //nolint:errcheck // it has its name by then, or is of no use
	f, err = s.receive(path, name, &lim, r)
	if err != nil {
		return f, full(err)
	}
	if want != "" && f.SHA256 != want {
		return f, wrong(name, "checksum")
	}
	f.Added = s.Now().UTC().Truncate(time.Microsecond)
	if err := s.roomFor(ctx, by, f.Size, &lim); err != nil {
		return f, err
	}
	p, err := s.look(ctx, path, &f, &lim)
	switch {
	case errors.Is(err, errPixels):
		return f, wrong(name, "pixels", "millions", lim.Pixels/1e6)
	case errors.Is(err, errPicture):
		return f, wrong(name, "damaged")
	case err != nil:
		return f, err
	}
	f.Width, f.Height, f.Captured = p.width, p.height, p.captured
	return f, full(s.keep(ctx, by, name, path, &f, &p))
}

// receive writes what comes to path, durably.
func (s *Service) receive(path, name string, lim *Limits, r io.Reader) (f File, err error) {
	out, err := s.create(path)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return f, err
	}
	if n == 0 {
		return f, wrong(name, "empty")
	}
	head = head[:n]
	var program bool
	if f.MIME, f.Kind, program = sniff(head); program {
		return f, wrong(name, "program")
	}
	most, sum := lim.Of(f.Kind), sha256.New()
	if _, err := io.MultiWriter(out, sum).Write(head); err != nil {
		return f, err
	}
	more, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(r, most-int64(n)+1))
	if err != nil {
		return f, err
	}
	if f.Size = int64(n) + more; f.Size > most {
		return f, wrong(name, "large", "megabytes", megabytes(most))
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, out.Sync()
}

// look draws the copies of a picture; of other files it tells when they were taken,
// where they say so.
func (s *Service) look(ctx context.Context, path string, f *File, lim *Limits) (p picture, err error) {
	if f.Kind != Photo {
		return p, nil
	}
	in, err := os.Open(path)
	if err != nil {
		return p, err
	}
	defer in.Close()
	if kept[f.MIME] {
		_, p.captured = told(in, f.MIME)
		return p, nil
	}
	select {
	case s.decode <- struct{}{}:
	case <-ctx.Done():
		return p, ctx.Err()
	}
	defer func() { <-s.decode }()
	return look(in, f.MIME, lim, s.Now())
}

// keep gives a file its name and its row. The original is named last: without it the
// copies mean nothing, and without the row it means nothing.
func (s *Service) keep(ctx context.Context, by auth.Principal, name, path string, f *File, p *picture) error {
	s.named.RLock()
	defer s.named.RUnlock()
	if err := s.folders(f.SHA256); err != nil {
		return err
	}
	if err := s.draw(f.SHA256, p); err != nil {
		return err
	}
	to := s.path(f.SHA256)
	if err := os.Rename(path, to); err != nil {
		return err
	}
	if err := disk.SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO evidence_files (sha256, size, mime, kind, width, height, captured_at, added_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (sha256) DO NOTHING`, f.SHA256, f.Size, f.MIME, string(f.Kind), f.Width, f.Height, db.MicrosOrNull(f.Captured), db.Micros(f.Added)); err != nil {
			return fmt.Errorf("store evidence: %w", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO evidence_uploads (sha256, by_id, name, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (sha256, by_id) DO UPDATE SET name = excluded.name, at = excluded.at`, f.SHA256, by.ID, name, db.Micros(f.Added)); err != nil {
			return fmt.Errorf("store evidence: %w", err)
		}
		return nil
	})
}

// folders makes the folder of a file durable.
func (s *Service) folders(sum string) error {
	dir := filepath.Dir(s.path(sum))
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return errors.Join(disk.SyncDir(filepath.Dir(dir)), disk.SyncDir(s.dir))
}

// draw writes the copies of a picture.
func (s *Service) draw(sum string, p *picture) error {
	for v, text := range map[Variant][]byte{Thumb: p.thumb, Web: p.web} {
		if text == nil {
			continue
		}
		tmp := filepath.Join(s.incoming(), uuid.NewString())
		if err := s.write(tmp, text); err != nil {
			_ = os.Remove(tmp)
			return err
		}
		if err := os.Rename(tmp, s.drawn(sum, v)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) write(path string, text []byte) error {
	out, err := s.create(path)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Sync(), out.Close())
}

// roomFor refuses more where the disk has to stay free for what is measured, and
// where an account has brought too much already.
func (s *Service) roomFor(ctx context.Context, by auth.Principal, size int64, lim *Limits) error {
	if free, err := s.free(); err == nil && free < lim.Reserve+size { // a file system that does not tell is tried
		return errs.New(errs.Busy, NoRoom)
	}
	var unused int64
	if err := s.DB.QueryRow(ctx, `SELECT CAST(coalesce(sum(f.size), 0) AS BIGINT) FROM evidence_uploads u JOIN evidence_files f ON f.sha256 = u.sha256
		WHERE u.by_id = $1 AND NOT EXISTS (SELECT 1 FROM evidence_refs r WHERE r.sha256 = u.sha256)`, by.ID).Scan(&unused); err != nil {
		return fmt.Errorf("add up evidence: %w", err)
	}
	if unused+size > lim.Account {
		return errs.InvalidField(Field, "err.file.account", "megabytes", megabytes(lim.Account))
	}
	return nil
}

const columns = `f.sha256, f.size, f.mime, f.kind, f.width, f.height, f.captured_at, f.added_at`

func scan(row interface{ Scan(into ...any) error }, more ...any) (f File, err error) {
	var captured sql.NullInt64
	var added int64
	err = row.Scan(append([]any{&f.SHA256, &f.Size, &f.MIME, (*string)(&f.Kind), &f.Width, &f.Height, &captured, &added}, more...)...)
	f.Captured, f.Added = db.TimeOrZero(captured), db.Time(added)
	return f, err
}

// Get returns a file; errs.NotFound when there is none. Who may see it, the case
// decides that refers to it.
func (s *Service) Get(ctx context.Context, sum string) (File, error) {
	f, err := scan(s.DB.QueryRow(ctx, `SELECT `+columns+` FROM evidence_files f WHERE f.sha256 = $1`, sum))
	return f, db.NotFound(err)
}

// Content is a file that is given out; Close it.
type Content struct {
	*os.File
	MIME string
	Size int64
}

// Open gives a file out in a form. An original is read through first: what is not
// what it was is never given out. Errors: errs.NotFound where there is no such form
// of it, errs.Internal for a damaged or lost original.
func (s *Service) Open(ctx context.Context, f File, v Variant) (c Content, err error) {
	if !isSum(f.SHA256) || v != Original && (!f.Drawn() || v != Thumb && v != Web) {
		return c, errs.New(errs.NotFound, "err.not_found")
	}
	path := s.path(f.SHA256)
	c.MIME = f.MIME
	if v != Original {
		path, c.MIME = s.drawn(f.SHA256, v), "image/jpeg"
	}
	c.File, err = os.Open(path)
	if v != Original && errors.Is(err, fs.ErrNotExist) { // copies can be drawn again
		if err := s.redraw(ctx, &f); err != nil {
			return c, err
		}
		c.File, err = os.Open(path)
	}
	if err != nil {
		return c, fmt.Errorf("open evidence: %w", err)
	}
	if v == Original {
		sum := sha256.New()
		_, err = io.Copy(sum, c.File)
		if err == nil && hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
			err = fmt.Errorf("%s has other bytes than its name says", path)
		}
		if err == nil {
			_, err = c.Seek(0, io.SeekStart)
		}
	}
	info, statErr := c.Stat()
	if err = errors.Join(err, statErr); err != nil {
		return Content{}, errors.Join(fmt.Errorf("open evidence: %w", err), c.Close())
	}
	c.Size = info.Size()
	return c, nil
}

func (s *Service) redraw(ctx context.Context, f *File) error {
	lim, err := s.Limits()
	if err != nil {
		return err
	}
	lim.Pixels = max(lim.Pixels, int64(f.Width)*int64(f.Height)) // it was taken under the limits of its day
	p, err := s.look(ctx, s.path(f.SHA256), f, &lim)
	if err != nil {
		return fmt.Errorf("draw the copies of %s again: %w", f.SHA256, err)
	}
	return full(s.draw(f.SHA256, &p))
}

// Attached is a file that something refers to.
type Attached struct {
	File
	Name string // as who attached it called it
	By   string // account; "" = somebody without one
	At   time.Time
}

// kindCase is the kind of a reference from a case.
const kindCase = "case"

// strangersOwn is how long somebody without an account may attach what they brought:
// the same request does.
const strangersOwn = time.Hour

// Attach makes a case refer to files that who acts has brought, in the transaction of
// the act. errs.Invalid about "attachments" for others, and for too many.
func (s *Service) Attach(ctx context.Context, tx *db.Tx, id string, sums []string, by auth.Principal) error {
	if len(sums) == 0 {
		return nil
	}
	lim, err := s.Limits()
	if err != nil {
		return err
	}
	if len(sums) > lim.PerEvent {
		return errs.InvalidField("attachments", "err.case.attachments", "max", lim.PerEvent)
	}
	now := s.Now().UTC()
	var checks errs.Checks
	for _, sum := range sums {
		var name string
		var at int64
		err := db.NotFound(tx.QueryRow(ctx, `SELECT name, at FROM evidence_uploads WHERE sha256 = $1 AND by_id = $2`, sum, by.ID).Scan(&name, &at))
		if errs.Is(err, errs.NotFound) || err == nil && !by.Known() && now.Sub(db.Time(at)) > strangersOwn {
			checks.Add("attachments", "err.case.not_uploaded", "sum", sum[:min(len(sum), 12)])
			continue
		}
		if err != nil {
			return fmt.Errorf("look for evidence: %w", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO evidence_refs (sha256, kind, ref, by_id, name, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sha256, kind, ref) DO NOTHING`,
			sum, kindCase, id, by.ID, name, db.Micros(now)); err != nil {
			return fmt.Errorf("attach evidence: %w", err)
		}
	}
	return checks.Err()
}

// OfCase returns the files that a case refers to, by their SHA-256.
func (s *Service) OfCase(ctx context.Context, id string) (map[string]Attached, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+columns+`, r.name, r.by_id, r.at FROM evidence_refs r JOIN evidence_files f ON f.sha256 = r.sha256 WHERE r.kind = $1 AND r.ref = $2`, kindCase, id)
	if err != nil {
		return nil, fmt.Errorf("evidence of case %s: %w", id, err)
	}
	defer rows.Close()
	out := map[string]Attached{}
	for rows.Next() {
		var a Attached
		var at int64
		if a.File, err = scan(rows, &a.Name, &a.By, &at); err != nil {
			return nil, err
		}
		a.At = db.Time(at)
		out[a.SHA256] = a
	}
	return out, rows.Err()
}

// Looked records that somebody takes the original of a file that others brought;
// call it before anything is given out. Where it came from somebody without an
// account the entry names nobody.
func (s *Service) Looked(ctx context.Context, a *Attached, id string, by auth.Principal) error {
	if by.ID == a.By && by.Known() {
		return nil
	}
	e := by.Entry(s.Now(), "cases", "evidence.original", "case", id)
	if a.By != "" {
		e.Subjects = []string{a.By}
	}
	e.Detail = `{"file":"` + a.SHA256 + `"}`
	return s.DB.Tx(ctx, func(tx *db.Tx) error { return audit.Append(ctx, tx, e) })
}
