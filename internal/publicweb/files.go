package publicweb

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/parquetfile"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// FilesPath is where the files are, without a language: they are the same in
// all of them.
const FilesPath = Home + "/files/"

// Formats of the files.
const (
	csvFormat     = "csv"
	parquetFormat = "parquet"
)

// file is what a file's name says: outlet-7-hours-2026-11.csv,
// county-540124-days-2026-11.parquet, outlet-7-days-2026.csv.
type file struct {
	kind     string // outlet, county
	id       string
	level    string // quality.LevelHour, quality.LevelDay
	from, to time.Time
	format   string
}

var fileLevels = map[string]string{"hours": quality.LevelHour, "days": quality.LevelDay}

// parseFile reads a file's name; ok is false for every other name, also for
// another spelling of the same file.
func parseFile(name string) (f file, ok bool) {
	base, format, _ := strings.Cut(name, ".")
	parts := strings.Split(base, "-")
	if len(parts) != 4 && len(parts) != 5 || format != csvFormat && format != parquetFormat {
		return f, false
	}
	f = file{kind: parts[0], id: parts[1], level: fileLevels[parts[2]], format: format}
	if f.level == "" || f.kind != "outlet" && f.kind != "county" || f.id == "" || strings.Trim(f.id, "0123456789") != "" {
		return f, false
	}
	var err error
	if len(parts) == 4 {
		f.from, err = time.ParseInLocation("2006", parts[3], i18n.Zone)
		f.to = f.from.AddDate(1, 0, 0)
		ok = f.kind == "outlet" // a county has some dozens of outlets: a month at a time
	} else {
		f.from, err = time.ParseInLocation("2006-01", parts[3]+"-"+parts[4], i18n.Zone)
		f.to = f.from.AddDate(0, 1, 0)
		ok = true
	}
	return f, ok && err == nil && f.String() == name
}

// String is the file's name.
func (f file) String() string {
	level, period := "hours", "2006-01"
	if f.level == quality.LevelDay {
		level = "days"
	}
	if f.to.Equal(f.from.AddDate(1, 0, 0)) {
		period = "2006"
	}
	return f.kind + "-" + f.id + "-" + level + "-" + f.from.Format(period) + "." + f.format
}

// stretch is how much is read from the store at one time, so that a slow reader
// holds little memory and nobody holds a processor for long.
const stretch = 4 * 24 * time.Hour

// maxDownloads is how many files are sent at one time; whoever comes then is
// asked to come again.
const maxDownloads = 32

// outletsOf are the outlets of a file.
func (c *call) outletsOf(f file) ([]*telemetry.Outlet, error) {
	if f.kind == "outlet" {
		o, err := c.find(f.id)
		return []*telemetry.Outlet{o}, err
	}
	var out []*telemetry.Outlet
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && c.snap.Present(o.Area) == c.snap.Present(f.id) && c.placed(o) {
			out = append(out, o)
		}
	}
	if len(out) == 0 {
		return nil, notFound()
	}
	return out, nil
}

// records reads the rows of a file in order: outlet, time, factor.
func (h *Handler) records(c *call, f file, outlets []*telemetry.Outlet, write func(*Record) error) error {
	for _, o := range outlets {
		base := c.base(o)
		for from := f.from; from.Before(f.to); from = from.Add(stretch) {
			if from.After(c.cut) {
				break
			}
			to := from.Add(stretch)
			if to.After(f.to) {
				to = f.to
			}
			if err := c.r.Context().Err(); err != nil {
				return err
			}
			if err := h.piece(c, f, o, base, from, to, write); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *Handler) piece(c *call, f file, o *telemetry.Outlet, base Record, from, to time.Time, write func(*Record) error) error {
	if f.level == quality.LevelHour {
		rows, err := read(h, func() ([]quality.HourRow, error) { return h.Quality.Hours(o.ID, from, to) })
		if err != nil {
			return err
		}
		rows = c.hours(rows)
		for i := range rows {
			if err := c.hourRecords(o, base, &rows[i], write); err != nil {
				return err
			}
		}
		return nil
	}
	rows, err := read(h, func() ([]quality.DayRow, error) { return h.Quality.Days(o.ID, from, to) })
	if err != nil {
		return err
	}
	rows = c.days(rows)
	for i := range rows {
		if err := c.dayRecords(o, base, &rows[i], write); err != nil {
			return err
		}
	}
	return nil
}

// read asks the store among few others.
func read[T any](h *Handler, ask func() (T, error)) (T, error) {
	h.building <- struct{}{}
	defer func() { <-h.building }()
	return ask()
}

// sheet writes records in a format.
type sheet interface {
	Write(r *Record) error
	Close() error
}

type csvSheet struct {
	w    *csv.Writer
	cols []column
	line []string
}

// newCSV writes UTF-8 with a byte order mark, as spreadsheet programs want it,
// and one head row: programs read these files, the words are on the page of the
// data.
func newCSV(w io.Writer) (*csvSheet, error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, err
	}
	s := &csvSheet{w: csv.NewWriter(w), cols: columns()}
	for _, c := range s.cols {
		s.line = append(s.line, c.Name)
	}
	return s, s.w.Write(s.line)
}

// Write implements sheet.
func (s *csvSheet) Write(r *Record) error {
	for i, c := range s.cols {
		s.line[i] = c.text(r)
	}
	return s.w.Write(s.line)
}

// Close implements sheet.
func (s *csvSheet) Close() error {
	s.w.Flush()
	return s.w.Error()
}

func (h *Handler) newSheet(w io.Writer, format string) (sheet, error) {
	if format == csvFormat {
		return newCSV(w)
	}
	about := map[string]string{"licence": h.Licence, "licence_url": h.LicenceURL, "publisher": h.Publisher, "columns": dictionaryPath}
	return parquetfile.New[Record](w, h.Version, "public", about), nil
}

// stamps remember what files held, so that whoever has the newest one is told
// so without being sent it again.
type stamps struct {
	mu   sync.Mutex
	kept map[string]stamp
}

type stamp struct {
	slot  slot
	tag   string
	since time.Time // when this content was first seen here: never before it changed
}

// maxStamps bounds what is remembered.
const maxStamps = 2000

// stamp tells the entity tag of a file's rows and since when they are so. The
// rows are read for it at most once a minute.
func (h *Handler) stamp(c *call, f file, outlets []*telemetry.Outlet) (stamp, error) {
	now, name := slot{c.cut.Unix(), c.snap.Version}, f.String()
	h.stamps.mu.Lock()
	was, known := h.stamps.kept[name]
	h.stamps.mu.Unlock()
	if known && was.slot == now {
		return was, nil
	}
	sum := sha256.New()
	s, err := newCSV(sum)
	if err == nil {
		err = errors.Join(h.records(c, f, outlets, s.Write), s.Close())
	}
	if err != nil {
		return stamp{}, err
	}
	next := stamp{slot: now, tag: f.format + "-" + short(sum), since: c.now.UTC().Truncate(time.Second)}
	if known && was.tag == next.tag {
		next.since = was.since
	}
	h.stamps.mu.Lock()
	defer h.stamps.mu.Unlock()
	if h.stamps.kept == nil || len(h.stamps.kept) >= maxStamps {
		h.stamps.kept = map[string]stamp{}
	}
	h.stamps.kept[name] = next
	return next, nil
}

func short(sum hash.Hash) string { return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12]) }

// file sends a file, row by row as it is read.
func (h *Handler) file(w http.ResponseWriter, r *http.Request) {
	if err := h.sendFile(w, r); err != nil {
		httpd.Problem(w, r, err)
	}
}

func (h *Handler) sendFile(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	if base, ok := strings.CutSuffix(name, metadataSuffix); ok {
		return h.metadata(w, r, base)
	}
	f, ok := parseFile(name)
	c, err := h.call(r, nil)
	switch {
	case err != nil:
		return err
	case !ok || f.from.After(c.cut) || !c.policy.publishes(f.level):
		return notFound()
	}
	outlets, err := c.outletsOf(f)
	if err != nil {
		return err
	}
	select {
	case h.downloads <- struct{}{}:
		defer func() { <-h.downloads }()
	default:
		return errs.New(errs.Busy, "public.err_busy")
	}
	st, err := h.stamp(c, f, outlets)
	if err != nil {
		return err
	}
	head := w.Header()
	head.Set("Cache-Control", maxAge)
	head.Set("Last-Modified", st.since.Format(http.TimeFormat))
	head.Set("Link", `<`+FilesPath+name+metadataSuffix+`>; rel="describedby"; type="application/csvm+json"`)
	if h.LicenceURL != "" {
		head.Add("Link", `<`+h.LicenceURL+`>; rel="license"`)
	}
	if httpd.NotModified(w, r, st.tag) {
		return nil
	}
	if notSince(r, st.since) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	head.Set("Content-Type", map[string]string{csvFormat: "text/csv; charset=utf-8", parquetFormat: "application/vnd.apache.parquet"}[f.format])
	head.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := h.stream(w, c, f, outlets); err != nil {
		if r.Context().Err() == nil {
			h.Logger.ErrorContext(r.Context(), "public file broken off", slog.String("file", name), slog.String("error", err.Error()))
		}
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return nil
}

// notSince reports whether the reader's copy is as new as since; an entity tag,
// where one is sent, decides alone (RFC 9110 section 13.2.2).
func notSince(r *http.Request, since time.Time) bool {
	if r.Header.Get("If-None-Match") != "" {
		return false
	}
	have, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !since.After(have)
}

func (h *Handler) stream(w http.ResponseWriter, c *call, f file, outlets []*telemetry.Outlet) error {
	s, err := h.newSheet(w, f.format)
	if err != nil {
		return err
	}
	if err := h.records(c, f, outlets, h.patient(w, s.Write)); err != nil {
		return err
	}
	return s.Close()
}

// patience is how long a reader may take for what was read of the store at one
// time: links of these counties are slow.
const patience = 5 * time.Minute

// patient moves the deadline of a response on while it is being sent.
func (h *Handler) patient(w http.ResponseWriter, write func(*Record) error) func(*Record) error {
	rc, n := http.NewResponseController(w), 0
	return func(r *Record) error {
		if n%4096 == 0 {
			_ = rc.SetWriteDeadline(h.Now().Add(patience)) // a recorder in a test has none
		}
		n++
		return write(r)
	}
}

// fileLink is a file offered on a page.
type fileLink struct {
	Text    string
	CSV     string
	Parquet string
}

func (c *call) fileLink(kind, id, level string, from, to time.Time, text string) fileLink {
	f := file{kind: kind, id: id, level: level, from: from, to: to, format: csvFormat}
	l := fileLink{Text: text, CSV: FilesPath + f.String()}
	f.format = parquetFormat
	l.Parquet = FilesPath + f.String()
	return l
}

// files offers the month and, of an outlet, the year that hold day.
func (c *call) files(kind, id string, day time.Time) (out []fileLink) {
	local := day.In(i18n.Zone)
	month := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, i18n.Zone)
	year := time.Date(local.Year(), 1, 1, 0, 0, 0, 0, i18n.Zone)
	for _, level := range []string{quality.LevelHour, quality.LevelDay} {
		if !c.policy.publishes(level) {
			continue
		}
		out = append(out, c.fileLink(kind, id, level, month, month.AddDate(0, 1, 0), c.l.T("public.file."+level, "period", month.Format("2006-01"))))
		if kind == "outlet" {
			out = append(out, c.fileLink(kind, id, level, year, year.AddDate(1, 0, 0), c.l.T("public.file."+level, "period", strconv.Itoa(local.Year()))))
		}
	}
	return out
}
