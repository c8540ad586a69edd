package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	quiet "golang.org/x/exp/slog"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/disk"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
)

// SumHeader is the header in which a complete upload tells the SHA-256 by which its
// file is attached.
const SumHeader = "Upload-SHA256"

// maxOpen bounds the uploads that one account has begun and not ended.
const maxOpen = 100

// doneFor is how long a complete upload still answers: the answer to its last part
// may have been lost on the way.
const doneFor = 24 * time.Hour

// Uploads takes files in parts (tus 1.0, https://tus.io/protocols/resumable-upload;
// extensions creation, creation-with-upload and termination). Who asks is in the
// context of the request; an upload answers to who began it alone. When it is
// complete it is kept as Put does, its SHA-256 held against "sha256" of the
// Upload-Metadata where that is given.
type Uploads struct {
	s     *Service
	path  string
	dir   string
	files filestore.FileStore
	tus   *handler.UnroutedHandler
}

// Uploads returns the handler of uploads under a path, which ends with a slash.
func (s *Service) Uploads(path string) (*Uploads, error) {
	u := &Uploads{s: s, path: path, dir: s.uploads()}
	if err := os.MkdirAll(u.dir, 0o750); err != nil {
		return nil, err
	}
	u.files = filestore.New(u.dir)
	u.files.DirModePerm, u.files.FileModePerm = 0o750, 0o600
	parts := handler.NewStoreComposer()
	parts.UseCore(u)
	parts.UseTerminater(u)
	parts.UseLocker(&locks{held: map[string]*hold{}})
	var err error
	u.tus, err = handler.NewUnroutedHandler(handler.Config{
		StoreComposer: parts, BasePath: path, DisableDownload: true, DisableConcatenation: true, Cors: &handler.CorsConfig{Disable: true},
		Logger: quiet.New(quiet.NewTextHandler(io.Discard, nil)), PreUploadCreateCallback: u.begin,
	})
	return u, err
}

func (s *Service) uploads() string { return filepath.Join(s.incoming(), "uploads") }

type requestKey struct{}

// ServeHTTP answers a request whose path is that of Uploads, or one with an id behind
// it.
func (u *Uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, u.path)
	if id != "" && !u.owns(auth.From(r.Context()), id) {
		httpd.Problem(w, r, errs.New(errs.NotFound, "err.not_found"))
		return
	}
	var next http.HandlerFunc
	switch {
	case r.Method == http.MethodPost && id == "":
		next = u.tus.PostFile
	case r.Method == http.MethodHead && id != "":
		next = u.tus.HeadFile
	case r.Method == http.MethodPatch && id != "":
		next = u.tus.PatchFile
	case r.Method == http.MethodDelete && id != "":
		next = u.tus.DelFile
	default:
		httpd.Problem(w, r, errs.New(errs.NotFound, "err.not_found"))
		return
	}
	body := &stoppable{ReadCloser: r.Body, line: http.NewResponseController(w)}
	// The library looks at its reader of the body from another goroutine when a request
	// is ended, which is safe only when its handler is through. A line that breaks ends
	// reading by itself; who comes for the same upload ends it by body.stop.
	ctx, done := context.WithCancel(context.WithoutCancel(r.Context()))
	defer done()
	r = r.WithContext(context.WithValue(context.WithValue(ctx, requestKey{}, r), bodyKey{}, body))
	r.Header, r.Body = r.Header.Clone(), body
	r.Header.Del("X-HTTP-Method-Override") // every client of ours can send all methods
	http.StripPrefix(u.path, u.tus.Middleware(next)).ServeHTTP(&answer{ResponseWriter: w, u: u, id: id}, r)
}

type bodyKey struct{}

// stoppable is the body of a request that can be ended from outside.
type stoppable struct {
	io.ReadCloser
	line *http.ResponseController
	over atomic.Bool
}

// Read implements io.Reader.
func (b *stoppable) Read(into []byte) (int, error) {
	if b.over.Load() {
		return 0, handler.ErrUploadInterrupted
	}
	return b.ReadCloser.Read(into)
}

// stop ends a reading that waits, and all after it.
func (b *stoppable) stop() {
	b.over.Store(true)
	_ = b.line.SetReadDeadline(time.Unix(1, 0)) // a line that cannot is over with its next bytes
}

// locks let one request at a time have an upload. Who comes later is most likely the
// same client, whose line broke without a word: the request before ends for it.
type locks struct {
	mu   sync.Mutex
	held map[string]*hold
}

type hold struct {
	by   *stoppable
	free chan struct{}
}

// NewLock implements handler.Locker.
func (l *locks) NewLock(id string) (handler.Lock, error) { return &lock{l, id}, nil }

type lock struct {
	l  *locks
	id string
}

// Lock implements handler.Lock.
func (k *lock) Lock(ctx context.Context, _ func()) error {
	by, _ := ctx.Value(bodyKey{}).(*stoppable)
	for {
		k.l.mu.Lock()
		h := k.l.held[k.id]
		if h == nil {
			k.l.held[k.id] = &hold{by, make(chan struct{})}
		}
		k.l.mu.Unlock()
		if h == nil {
			return nil
		}
		if h.by != nil {
			h.by.stop()
		}
		select {
		case <-h.free:
		case <-ctx.Done():
			return handler.ErrLockTimeout
		}
	}
}

// Unlock implements handler.Lock.
func (k *lock) Unlock() error {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	close(k.l.held[k.id].free)
	delete(k.l.held, k.id)
	return nil
}

// answer tells the place of an upload as a path, whatever stands before the program,
// and the file that a complete one has become.
type answer struct {
	http.ResponseWriter
	u  *Uploads
	id string
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	h := a.Header()
	if to := h.Get("Location"); to != "" {
		_, a.id, _ = strings.Cut(to, a.u.path)
		h.Set("Location", a.u.path+a.id)
	}
	if sum := a.u.became(a.id); sum != "" && status < http.StatusBadRequest {
		h.Set(SumHeader, sum)
	}
	h.Set("Cache-Control", "no-store")
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// owner is how the ids of the uploads of an account begin.
func owner(p auth.Principal) string {
	sum := sha256.Sum256([]byte("upload\x00" + p.ID))
	return hex.EncodeToString(sum[:8]) + "-"
}

var uploadID = regexp.MustCompile(`^[0-9a-f]{16}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (u *Uploads) owns(p auth.Principal, id string) bool {
	return p.Known() && uploadID.MatchString(id) && strings.HasPrefix(id, owner(p))
}

// fault is an error as the protocol's handler gives it on: a problem document in the
// language of the request.
func fault(ctx context.Context, err error) error {
	if _, ok := errors.AsType[handler.Error](err); ok {
		return err
	}
	err = full(err)
	out := handler.NewError("ERR_REFUSED", err.Error(), httpd.Status(err))
	if r, ok := ctx.Value(requestKey{}).(*http.Request); ok {
		text, _ := json.Marshal(httpd.Describe(r, err)) // strings and numbers
		out.HTTPResponse.Body = string(text)
		out.HTTPResponse.Header = handler.HTTPHeader{"Content-Type": "application/problem+json"}
		if out.HTTPResponse.StatusCode == http.StatusInsufficientStorage {
			out.HTTPResponse.Header["Retry-After"] = "600"
		}
	}
	return out
}

// begin checks what is announced, and names the upload.
func (u *Uploads) begin(e handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
	var none handler.HTTPResponse
	by := auth.From(e.Context)
	refuse := func(err error) (handler.HTTPResponse, handler.FileInfoChanges, error) {
		return none, handler.FileInfoChanges{}, fault(e.Context, err)
	}
	name, sum := Clean(e.Upload.MetaData["filename"]), e.Upload.MetaData["sha256"]
	lim, err := u.s.Limits()
	if err != nil {
		return refuse(err)
	}
	if sum != "" && !isSum(sum) {
		return refuse(errs.InvalidField("sha256", "err.file.sum"))
	}
	if e.Upload.Size > lim.Most() {
		return refuse(tooLarge(name, lim.Most()))
	}
	announced, open, err := u.pending(by)
	if err != nil {
		return refuse(err)
	}
	if open >= maxOpen {
		return refuse(errs.InvalidField(Field, "err.file.open", "most", maxOpen))
	}
	if err := u.s.roomFor(e.Context, by, announced+e.Upload.Size, &lim); err != nil {
		return refuse(err)
	}
	meta := handler.MetaData{"filename": name}
	if sum != "" {
		meta["sha256"] = sum
	}
	return none, handler.FileInfoChanges{ID: owner(by) + uuid.NewString(), MetaData: meta}, nil
}

// tooLarge is what is told of a file before it has come, or while it comes.
func tooLarge(name string, most int64) error {
	return &errs.Error{Kind: errs.TooLarge, Key: "err.file.large", Args: []any{"name", name, "megabytes", megabytes(most)}}
}

// pending adds up what somebody has announced and not ended.
func (u *Uploads) pending(p auth.Principal) (bytes int64, open int, err error) {
	list, err := filepath.Glob(filepath.Join(u.dir, owner(p)+"*.info"))
	if err != nil {
		return 0, 0, err
	}
	for _, path := range list {
		id := strings.TrimSuffix(filepath.Base(path), ".info")
		if u.became(id) != "" {
			continue
		}
		text, err := os.ReadFile(path)
		var info handler.FileInfo
		if err == nil && json.Unmarshal(text, &info) == nil {
			bytes, open = bytes+info.Size, open+1
		}
	}
	return bytes, open, nil
}

func (u *Uploads) mark(id string) string { return filepath.Join(u.dir, id+".done") }

// became is the file that an upload has become; "" when it has not yet.
func (u *Uploads) became(id string) string {
	if !uploadID.MatchString(id) {
		return ""
	}
	text, err := os.ReadFile(u.mark(id))
	if err != nil || !isSum(string(text)) {
		return ""
	}
	return string(text)
}

// NewUpload implements handler.DataStore.
func (u *Uploads) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	x, err := u.files.NewUpload(ctx, info)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return &part{x, u, info.ID}, nil
}

// GetUpload implements handler.DataStore. One whose bytes are all there and that is
// not kept yet (the program was killed, the disk was full) is kept now.
func (u *Uploads) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	x, err := u.files.GetUpload(ctx, id)
	if _, half := errors.AsType[*json.SyntaxError](err); half { // killed while it began
		return nil, handler.ErrNotFound
	}
	if err != nil {
		return nil, fault(ctx, err)
	}
	p := &part{x, u, id}
	info, err := x.GetInfo(ctx)
	if err == nil && info.Offset == info.Size && u.became(id) == "" {
		err = p.FinishUpload(ctx)
	}
	if err != nil {
		return nil, fault(ctx, err)
	}
	return p, nil
}

// AsTerminatableUpload implements handler.TerminaterDataStore.
func (u *Uploads) AsTerminatableUpload(x handler.Upload) handler.TerminatableUpload {
	return x.(*part) //nolint:forcetypeassert // uploads of this store are
}

// part is an upload.
type part struct {
	handler.Upload
	u  *Uploads
	id string
}

// WriteChunk implements handler.Upload; what it says is written survives the loss of
// power.
func (p *part) WriteChunk(ctx context.Context, offset int64, src io.Reader) (n int64, err error) {
	lim, err := p.u.s.Limits()
	if err != nil {
		return 0, fault(ctx, err)
	}
	if free, err := p.u.s.free(); err == nil && free < lim.Reserve {
		return 0, fault(ctx, errs.New(errs.Busy, NoRoom))
	}
	n, err = p.Upload.WriteChunk(ctx, offset, src)
	if err != nil {
		return n, fault(ctx, err)
	}
	path := filepath.Join(p.u.dir, p.id)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return n, fault(ctx, err)
	}
	head := make([]byte, headSize)
	read, readErr := f.ReadAt(head, 0)
	if errors.Is(readErr, io.EOF) {
		readErr = nil
	}
	if err := errors.Join(readErr, f.Sync(), f.Close()); err != nil {
		return n, fault(ctx, err)
	}
	// What it is shows in its head: nobody sends 30 MB to hear that a photo has 12.
	info, err := p.GetInfo(ctx)
	if err != nil || offset >= headSize {
		return n, err
	}
	_, kind, program := sniff(head[:read])
	name := info.MetaData["filename"]
	switch {
	case read < headSize && read < int(info.Size):
		return n, nil
	case program:
		err = wrong(name, "program")
	case info.Size > lim.Of(kind):
		err = tooLarge(name, lim.Of(kind))
	default:
		return n, nil
	}
	return n, fault(ctx, errors.Join(err, p.Terminate(ctx)))
}

// FinishUpload implements handler.Upload: the file is kept. One that is refused is
// gone; where something else is in the way, it stays and is tried again when somebody
// asks for it.
func (p *part) FinishUpload(ctx context.Context) error {
	if p.u.became(p.id) != "" {
		return nil
	}
	info, err := p.GetInfo(ctx)
	if err != nil {
		return fault(ctx, err)
	}
	path := filepath.Join(p.u.dir, p.id)
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // it was refused while it came
		return handler.ErrNotFound
	}
	if err != nil {
		return fault(ctx, err)
	}
	f, err := p.u.s.put(ctx, auth.From(ctx), info.MetaData["filename"], info.MetaData["sha256"], in)
	if err := errors.Join(err, in.Close()); err != nil {
		if errs.Is(err, errs.Invalid) {
			err = errors.Join(err, p.Terminate(ctx))
		}
		return fault(ctx, err)
	}
	if err := disk.WriteFile(p.u.mark(p.id), []byte(f.SHA256), 0o600); err != nil {
		return fault(ctx, err)
	}
	// Its bytes are kept by another name; here they answer for their number alone.
	if os.Remove(path) == nil {
		if os.Link(p.u.s.path(f.SHA256), path) != nil {
			_ = p.Terminate(ctx) // a file system without links: it is begun anew where the answer is lost
		}
	}
	return nil
}

// Terminate implements handler.TerminatableUpload.
func (p *part) Terminate(ctx context.Context) error {
	err := p.u.files.AsTerminatableUpload(p.Upload).Terminate(ctx)
	if e := os.Remove(p.u.mark(p.id)); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// clearUploads removes uploads that nobody went on with, and those that are complete
// and were answered for long enough.
func (s *Service) clearUploads() error {
	list, err := os.ReadDir(s.uploads())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	last := map[string]time.Time{} // when something was last written, by id
	done := map[string]bool{}
	for _, d := range list {
		info, err := d.Info()
		if err != nil {
			continue // went meanwhile
		}
		id, end, _ := strings.Cut(d.Name(), ".")
		if info.ModTime().After(last[id]) {
			last[id] = info.ModTime()
		}
		done[id] = done[id] || end == "done"
	}
	for id, at := range last {
		age := s.Now().Sub(at)
		if age < s.Unfinished && (!done[id] || age < doneFor) {
			continue
		}
		for _, end := range []string{"", ".info", ".done", ".done.tmp"} {
			if err := os.Remove(filepath.Join(s.uploads(), id+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
