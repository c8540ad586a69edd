package caseweb

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/evidence"
	"plateau/internal/platform/i18n"
	"plateau/internal/web/kit"
)

// formBytes bounds a form that brings files; larger ones go by UploadPath, in parts.
const formBytes = 64 << 20

// formWords bounds what is entered in the fields of such a form, in bytes.
const formWords = 64 << 10

func filePages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		{Address: kit.Address{Method: http.MethodGet, Path: "/cases/{number}/files/{sha256}", May: Open, Passing: true}, Serve: (*Handler).file},
	}
}

// readFiles reads a form that brings files, if it is one: each file is kept as it
// comes and named under "attachment", as those that came before are. wrong says what is
// the matter with files that were not taken.
func (h *Handler) readFiles(c *call) (wrong, err error) {
	kind, _, _ := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	if kind != "multipart/form-data" || h.Files == nil {
		return nil, nil
	}
	parts, err := c.R.MultipartReader()
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "")
	}
	var faults []errs.Field
	words := 0
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable(err)
		}
		name := p.FormName()
		if name == evidence.Field {
			if p.FileName() == "" {
				continue // none was chosen
			}
			f, err := h.Files.Put(c.Ctx(), c.Who, p.FileName(), &patient{p, http.NewResponseController(c.W)})
			if e, ok := errors.AsType[*errs.Error](err); ok && e.Kind == errs.Invalid {
				faults = append(faults, e.Fields...)
				continue
			}
			if err != nil {
				return nil, unreadable(err)
			}
			if !slices.Contains(c.R.PostForm["attachment"], f.SHA256) {
				c.R.PostForm.Add("attachment", f.SHA256)
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(p, formWords+1))
		if err != nil {
			return nil, unreadable(err)
		}
		if words += len(text); words > formWords {
			return nil, errs.New(errs.TooLarge, "")
		}
		c.R.PostForm.Add(name, string(text))
	}
	if len(faults) > 0 {
		return &errs.Error{Kind: errs.Invalid, Key: "err.invalid", Fields: faults}, nil
	}
	return nil, nil
}

// unreadable gives what cannot be read of a request its kind.
func unreadable(err error) error {
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return errs.Wrap(err, errs.TooLarge, "")
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, multipart.ErrMessageTooLarge) {
		return errs.Wrap(err, errs.Malformed, "")
	}
	return err
}

// patience is how long a form with files may pause; as long as bytes come, it may take
// its time.
const patience = time.Minute

// patient reads a file over a slow line: the time to read a request begins anew with
// each piece that comes.
type patient struct {
	io.Reader
	line *http.ResponseController
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	until := time.Now().Add(patience) //nolint:forbidigo // deadlines of connections are by the machine's clock
	_ = p.line.SetReadDeadline(until) // a line that cannot wait ends when the server says
	_ = p.line.SetWriteDeadline(until.Add(patience))
	return p.Reader.Read(b)
}

// shownFile is a file of a case on a page.
type shownFile struct {
	Text, Note  string
	Href, Thumb string // "" = none is given to who reads
	Alt         string
	Original    string
}

// filesOf are the files that a case refers to.
func (h *Handler) filesOf(ctx context.Context, id string) (map[string]evidence.Attached, error) {
	if h.Files == nil {
		return nil, nil
	}
	return h.Files.OfCase(ctx, id)
}

// shownFile is a file as it stands beside an event that who asks may read.
func (h *Handler) shownFile(c *call, s *sight, e *casework.Event, n int, sum string, files map[string]evidence.Attached) shownFile {
	at := c.Path(s.path() + "/files/" + sum)
	a, ok := files[sum]
	if !ok {
		return shownFile{Text: c.L.T("case.file", "n", n), Href: at}
	}
	out := shownFile{Text: a.Name, Note: c.L.T("evidence.kind_"+string(a.Kind)) + " · " + size(a.Size)}
	if !a.Captured.IsZero() {
		out.Note += " · " + c.L.T("evidence.captured", "time", i18n.Stamp(a.Captured))
	}
	if s.original(e, &a, c.Who.ID) {
		out.Original = at + "?size=" + string(evidence.Original)
		out.Href = out.Original
	}
	if a.Drawn() {
		out.Href, out.Thumb, out.Alt = at+"?size="+string(evidence.Web), at+"?size="+string(evidence.Thumb), c.L.T("evidence.alt", "name", a.Name)
	}
	return out
}

// size is a number of bytes to read.
func size(n int64) string {
	if n < 100_000 {
		return i18n.Number(float64(n)/1000, 1) + " kB"
	}
	return i18n.Number(float64(n)/1e6, 1) + " MB"
}

// original reports whether who asks may take the original of a file beside an event
// that they may read: what a camera wrote in it may tell who reported. It is for who
// works on the case for the authority, for who brought it, and, of what the staff
// brought, for the organisation that must act.
func (s *sight) original(e *casework.Event, a *evidence.Attached, id string) bool {
	return s.a.Works(s.Case) || id != "" && a.By == id || s.insider && e.Visibility != casework.Restricted
}

// file gives a file of a case out: a picture as it was drawn anew, an original to few,
// each time on record.
func (h *Handler) file(c *call) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	files, err := h.filesOf(c.Ctx(), s.ID)
	if err != nil {
		return err
	}
	a, ok := files[c.R.PathValue("sha256")]
	if !ok {
		return errs.New(errs.NotFound, "err.not_found")
	}
	events, err := h.Cases.Events(c.Ctx(), s.ID)
	if err != nil {
		return err
	}
	reads, original := false, false
	for i := range events {
		e := &events[i]
		if slices.Contains(e.Body.Attachments, a.SHA256) && s.a.Reads(s.Case, e) {
			reads, original = true, original || s.original(e, &a, c.Who.ID)
		}
	}
	if !reads {
		return errs.New(errs.NotFound, "err.not_found")
	}
	v := evidence.Variant(c.Query("size"))
	if v == "" {
		if v = evidence.Original; a.Drawn() {
			v = evidence.Web
		}
	}
	if v == evidence.Original {
		if !original {
			return errs.New(errs.Forbidden, "err.file.original")
		}
		if err := h.Files.Looked(c.Ctx(), &a, s.ID, c.Who); err != nil {
			return err
		}
	}
	return h.give(c, &a, v)
}

// give sends a file so that a browser does nothing with it but show a picture that was
// drawn here, or save it.
func (h *Handler) give(c *call, a *evidence.Attached, v evidence.Variant) error {
	in, err := h.Files.Open(c.Ctx(), a.File, v)
	if err != nil {
		return err
	}
	defer in.Close()
	head := c.W.Header()
	head.Set("Content-Type", in.MIME)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	head.Set("Cache-Control", "private, max-age=300")
	if v == evidence.Original {
		if a.Kind == evidence.Other {
			head.Set("Content-Type", "application/octet-stream")
		}
		head.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
		head.Set("Cache-Control", "no-store")
	} else {
		head.Set("Content-Disposition", "inline")
	}
	http.ServeContent(c.W, c.R, "", time.Time{}, in)
	return nil
}

// apiFile is a file beside an event.
type apiFile struct {
	SHA256   string    `json:"sha256"`
	Name     string    `json:"name"`
	MIME     string    `json:"mime"` // by its bytes
	Kind     string    `json:"kind"` // photo, video, audio, pdf, track, other
	Size     int64     `json:"size"`
	Width    int       `json:"width,omitempty"` // of a picture that there are copies of: size=thumb and size=web
	Height   int       `json:"height,omitempty"`
	Captured time.Time `json:"captured_at,omitzero"`
	Path     string    `json:"path"`
}

func apiFiles(number string, e *casework.Event, files map[string]evidence.Attached) (out []apiFile) {
	for _, sum := range e.Body.Attachments {
		if a, ok := files[sum]; ok {
			out = append(out, apiFile{a.SHA256, a.Name, a.MIME, string(a.Kind), a.Size, a.Width, a.Height, a.Captured, "/zh/cases/" + number + "/files/" + sum})
		}
	}
	return out
}
