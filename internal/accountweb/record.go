package accountweb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// recordRoutes are the pages of the record of who did what.
func recordRoutes() []route {
	return []route{
		{"GET", "/audit", readsRecord, (*Handler).record},
		{"GET", "/audit.csv", readsRecord, (*Handler).recordCSV},
		{"GET", "/audit.json", readsRecord, (*Handler).recordJSON},
		{"GET", "/audit/chains", readsRecord, (*Handler).chains},
		{"GET", "/audit/entries/{chain}/{seq}", readsRecord, (*Handler).entry},
		{"POST", "/audit/check", readsRecord, (*Handler).beginCheck},
		{"POST", "/audit/check/end", readsRecord, (*Handler).endCheck},
	}
}

// Change is what one step of an act did to an object of a module.
type Change struct{ Kind, Ref, Before, After string }

// recordPage is how many entries a page of the record has.
const recordPage = 50

// sight is how much of the record who asks may see.
type sight struct {
	named bool        // what is personal, too
	check audit.Check // for which; ID "" = none
}

// sight tells what of the record is shown: what is personal to those whose post it
// is, to others for the check they have open.
func (h *Handler) sight(c *call) (s sight, err error) {
	if c.Holds("platform.named") {
		return sight{named: true}, nil
	}
	s.check, err = audit.OpenCheck(c.Ctx(), h.DB, c.Who.ID, c.Now)
	s.named = s.check.ID != ""
	return s, err
}

// lookEntry is the entry of a look at people in the record, for the check that is
// open, if one is.
func (c *call) lookEntry(s sight, act, ref string, seen ...string) audit.Entry {
	e := c.Who.Entry(c.Now, "platform", act, "audit_entry", ref)
	e.Subjects = seen
	if s.check.ID != "" {
		e.Detail = s.check.Detail()
	}
	return e
}

// ofPeople are the kinds of objects whose id is an account's.
var ofPeople = []string{"account"}

// blind takes what is personal out of an entry.
func (s sight) blind(e *audit.Entry) {
	if s.named {
		return
	}
	e.Who, e.Post, e.OnBehalfOf, e.Subjects, e.Address, e.Detail = "", "", "", nil, "", ""
	if slices.Contains(ofPeople, e.Kind) {
		e.Ref = ""
	}
}

// day reads a day of the filter; the zero time when there is none.
func day(s string) (time.Time, error) {
	s = i18n.Digits(strings.TrimSpace(s))
	if s == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, s, i18n.Zone)
}

// recordFilter reads the filter of an address. By whom and about what it was
// counts only for who may see that: else it would tell.
func (c *call) recordFilter(s sight) (f audit.Filter, err error) {
	q := c.R.URL.Query()
	var bad errs.Checks
	var err1, err2 error
	f.From, err1 = day(q.Get("from"))
	f.To, err2 = day(q.Get("to"))
	bad.Require(err1 == nil, "from", "err.record.day")
	bad.Require(err2 == nil, "to", "err.record.day")
	if !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1) // the day itself counts
	}
	f.Act, f.Kind, f.System = strings.TrimSpace(q.Get("act")), strings.TrimSpace(q.Get("kind")), q.Get("system")
	if s.named {
		f.Who, f.Ref, f.Subject = strings.TrimSpace(q.Get("who")), strings.TrimSpace(q.Get("ref")), strings.TrimSpace(q.Get("subject"))
	}
	return f, bad.Err()
}

type recordRow struct {
	audit.Entry
	Did, Href string
}

type recordView struct {
	Fields         []web.Field
	Path           string
	Any            bool
	Rows           []recordRow
	Older, Newest  string
	CSV, JSON      string
	Named          bool
	Check          audit.Check
	ForCheck       bool // a check can be opened
	Why, Reference web.Field
}

// Did says an act in words: its own, those of its group, or its code.
func Did(l *i18n.Localizer, act string) string {
	group, _, _ := strings.Cut(act, ".")
	for _, key := range []string{"did." + act, "did_group." + group} {
		if l.Has(key) {
			return l.T(key)
		}
	}
	return act
}

func (c *call) did(act string) string { return Did(c.L, act) }

func (h *Handler) record(c *call) error { return h.recordPage(c, nil) }

func (h *Handler) recordPage(c *call, wrong error) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	f, bad := c.recordFilter(s)
	q := c.R.URL.Query()
	v := &recordView{Path: c.Path("/audit"), Named: s.named, Check: s.check, ForCheck: !c.Holds("platform.named")}
	text := func(name, width string) web.Field {
		return web.Field{Name: name, Label: c.L.T("record.filter_" + name), Value: q.Get(name), Width: width}
	}
	v.Fields = []web.Field{text("from", "short"), text("to", "short"), text("act", "medium"), text("kind", "short"), text("system", "short")}
	if s.named {
		v.Fields = append(v.Fields, text("ref", "medium"), text("who", "medium"), text("subject", "medium"))
	}
	v.Why = web.Field{Name: "why", Kind: "textarea", Rows: 3, Label: c.L.T("record.why"), Hint: c.L.T("record.why_hint"), Value: c.form("why")}
	v.Reference = web.Field{Name: "reference", Label: c.L.T("record.reference"), Hint: c.L.T("record.reference_hint"), Width: "medium", Value: c.form("reference")}
	p := &web.Page{Title: c.L.T("record.title"), Wide: true, Crumbs: c.crumbs(), Data: v}
	fields := []*web.Field{&v.Why, &v.Reference}
	for i := range v.Fields {
		v.Any = v.Any || v.Fields[i].Value != ""
		fields = append(fields, &v.Fields[i])
	}
	if wrong == nil {
		wrong = bad
	}
	status, err := c.faults(wrong, p, fields...)
	if err != nil {
		return err
	}
	if bad == nil {
		if err := h.recordRows(c, s, f, v, q); err != nil {
			return err
		}
	}
	return c.Render(status, "record.html", p)
}

// recordRows reads a page of entries and records the look at their people.
func (h *Handler) recordRows(c *call, s sight, f audit.Filter, v *recordView, q url.Values) error {
	q.Del("before")
	for name, values := range q {
		if values[0] == "" {
			q.Del(name)
		}
	}
	to := func(path string) string {
		if len(q) == 0 {
			return c.Path(path)
		}
		return c.Path(path) + "?" + q.Encode()
	}
	v.CSV, v.JSON = to("/audit.csv"), to("/audit.json")
	if at, ok := audit.ParseCursor(c.R.URL.Query().Get("before")); ok {
		f.Before, v.Newest = at, to("/audit")
	}
	f.Most = recordPage + 1
	seen := map[string]bool{}
	err := audit.List(c.Ctx(), h.DB, f, func(e *audit.Entry) bool {
		if len(v.Rows) == recordPage {
			q.Set("before", v.Rows[recordPage-1].Cursor().String())
			v.Older = to("/audit")
			return false
		}
		for _, id := range e.Persons() {
			seen[id] = true
		}
		s.blind(e)
		v.Rows = append(v.Rows, recordRow{*e, c.did(e.Act), c.Path(fmt.Sprintf("/audit/entries/%s/%d", e.Chain, e.Seq))})
		return true
	})
	if err != nil || !s.named {
		return err
	}
	return audit.Look(c.Ctx(), h.DB, c.lookEntry(s, "record.list", "", slices.Collect(maps.Keys(seen))...))
}

// export gives all entries of the filter to fn, in one state of the database,
// after the look at their people was recorded.
func (h *Handler) export(c *call, fn func(e *audit.Entry) error) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	f, err := c.recordFilter(s)
	if err != nil {
		return err
	}
	if s.named {
		return audit.Read(c.Ctx(), h.DB, f, c.lookEntry(s, "record.export", ""), fn)
	}
	var broken error
	err = audit.List(c.Ctx(), h.DB, f, func(e *audit.Entry) bool {
		s.blind(e)
		broken = fn(e)
		return broken == nil
	})
	return cmp.Or(broken, err)
}

func (h *Handler) recordCSV(c *call) error {
	codes := []string{"entry", "at", "who", "post", "on_behalf_of", "address", "system", "act", "kind", "ref", "subjects", "detail", "erased", "hash"}
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = c.L.T("record.column_" + code)
	}
	rows := [][]string{codes, words}
	if err := h.export(c, func(e *audit.Entry) error {
		rows = append(rows, []string{
			fmt.Sprintf("%s/%d", e.Chain, e.Seq), e.At.In(i18n.Zone).Format(time.RFC3339), e.Who, e.Post, e.OnBehalfOf, e.Address, e.System, e.Act, e.Kind, e.Ref,
			strings.Join(e.Subjects, " "), e.Detail, strconv.FormatBool(e.Erased), e.Hash,
		})
		return nil
	}); err != nil {
		return err
	}
	return c.table("audit", rows)
}

// recordEntry is an entry in JSON, as plateau audit list prints it.
type recordEntry struct {
	Entry      string          `json:"entry"`
	At         time.Time       `json:"at"`
	Who        string          `json:"who,omitempty"`
	Post       string          `json:"post,omitempty"`
	OnBehalfOf string          `json:"on_behalf_of,omitempty"`
	Address    string          `json:"address,omitempty"`
	System     string          `json:"system"`
	Act        string          `json:"act"`
	Kind       string          `json:"kind,omitempty"`
	Ref        string          `json:"ref,omitempty"`
	Subjects   []string        `json:"subjects,omitempty"`
	Detail     json.RawMessage `json:"detail,omitempty"`
	Erased     bool            `json:"erased,omitempty"`
	Hash       string          `json:"hash"`
}

func (h *Handler) recordJSON(c *call) error {
	out := struct {
		Entries []recordEntry `json:"entries"`
	}{[]recordEntry{}}
	if err := h.export(c, func(e *audit.Entry) error {
		line := recordEntry{fmt.Sprintf("%s/%d", e.Chain, e.Seq), e.At, e.Who, e.Post, e.OnBehalfOf, e.Address, e.System, e.Act, e.Kind, e.Ref, e.Subjects, nil, e.Erased, e.Hash}
		if json.Valid([]byte(e.Detail)) {
			line.Detail = json.RawMessage(e.Detail)
		}
		out.Entries = append(out.Entries, line)
		return nil
	}); err != nil {
		return err
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return c.file("audit", "json", "application/json", body)
}

// table answers with a CSV file of rows, the head among them.
func (c *call) table(name string, rows [][]string) error {
	var b bytes.Buffer
	b.WriteString("\ufeff") // as spreadsheet programs want it
	for _, line := range rows {
		for i := range line {
			line[i] = csvcell.Safe(line[i])
		}
	}
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return err
	}
	return c.file(name, "csv", "text/csv; charset=utf-8", b.Bytes())
}

// file answers with a file to be kept.
func (c *call) file(name, format, kind string, body []byte) error {
	head := c.W.Header()
	head.Set("Content-Type", kind)
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Disposition", `attachment; filename="`+name+"-"+c.Now.In(i18n.Zone).Format("20060102-1504")+"."+format+`"`)
	c.W.WriteHeader(http.StatusOK)
	_, _ = c.W.Write(body) // the reader went away: nothing to do about it
	return nil
}

type chainsView struct {
	audit.Report
	Took string
}

// chains proves the record. One proof runs at a time: it reads everything.
func (h *Handler) chains(c *call) error {
	if !h.proving.TryLock() {
		return errs.New(errs.Busy, "err.busy")
	}
	defer h.proving.Unlock()
	r, err := audit.Verify(c.Ctx(), h.DB)
	if err != nil {
		return err
	}
	p := &web.Page{
		Title: c.L.T("record.chains"), Wide: true, Data: &chainsView{Report: r, Took: c.L.Duration(h.Now().Sub(c.Now).Round(time.Second))},
		Crumbs: c.crumbs("record.title", "/audit"),
	}
	return c.Render(http.StatusOK, "record_chains.html", p)
}

type entryView struct {
	audit.Entry
	Did     string
	Named   bool
	Detail  [][2]string // name, value
	Changes []Change
	Closed  bool // the changes are of a system that the post does not open
}

func (h *Handler) entry(c *call) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	seq, err := strconv.ParseInt(c.R.PathValue("seq"), 10, 64)
	if err != nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	e, err := audit.Find(c.Ctx(), h.DB, c.R.PathValue("chain"), seq)
	if err != nil {
		return err
	}
	if s.named {
		if err := audit.Look(c.Ctx(), h.DB, c.lookEntry(s, "record.view", fmt.Sprintf("%s/%d", e.Chain, e.Seq), e.Persons()...)); err != nil {
			return err
		}
	}
	v := &entryView{Did: c.did(e.Act), Named: s.named}
	if strings.HasPrefix(e.Act, "registry.") && h.Changes != nil {
		if v.Closed = !access.Default().Scope(c.Who.Grants(), "telemetry.registry", nil).All(); !v.Closed {
			if v.Changes, err = h.Changes(c.Ctx(), e.Detail); err != nil {
				return err
			}
		}
	}
	s.blind(&e)
	v.Entry, v.Detail = e, details(e.Detail)
	p := &web.Page{
		Title: c.L.T("record.entry_title", "seq", e.Seq), Data: v,
		Crumbs: c.crumbs("record.title", "/audit"),
	}
	return c.Render(http.StatusOK, "record_entry.html", p)
}

// details reads the detail of an entry as names and values.
func details(text string) (out [][2]string) {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &m) != nil {
		if text != "" {
			out = append(out, [2]string{"", text})
		}
		return out
	}
	for name, raw := range m {
		value := string(raw)
		var s string
		if json.Unmarshal(raw, &s) == nil {
			value = s
		}
		out = append(out, [2]string{name, value})
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// beginCheck opens a named check. What it is for is kept, and shown to each whose
// data is looked at.
func (h *Handler) beginCheck(c *call) error {
	_, err := audit.BeginCheck(c.Ctx(), h.DB, c.form("why"), c.form("reference"), c.Who.Entry(c.Now, "", "", "", ""))
	if err != nil {
		if errs.Is(err, errs.Invalid) {
			return h.recordPage(c, err)
		}
		return err
	}
	return c.Done("/audit", "check_open")
}

func (h *Handler) endCheck(c *call) error {
	if err := audit.EndCheck(c.Ctx(), h.DB, c.Who.Entry(c.Now, "", "", "", "")); err != nil {
		return err
	}
	return c.Done("/audit", "check_ended")
}

// changesFunc reads what an act of a module did, from the detail of its entry.
type changesFunc = func(ctx context.Context, detail string) ([]Change, error)
