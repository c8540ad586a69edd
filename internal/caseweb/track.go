package caseweb

import (
	"net/http"
	"sync"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// trackPages are for everybody: whoever has a number may ask how the case stands.
func trackPages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/track", access.Open, (*Handler).track),
		kit.Post("/track", access.Open, (*Handler).trackWithPIN),
	}
}

// Bounds of guessing. A number is one of ten thousand million, a PIN of a million.
const (
	lookups   = 30              // of numbers from one address
	within    = 5 * time.Minute // in that time
	pinTries  = 5               // of PINs of one number from one address
	pinWithin = 15 * time.Minute
	pinDay    = 100 // of PINs of one number, wherever they come from
)

// tries counts what was tried, by who or what, in memory: after a restart they begin
// anew, as does a guesser.
type tries struct {
	mu sync.Mutex
	by map[string][]time.Time
}

// maxTried bounds the memory.
const maxTried = 50_000

// take counts a try, unless there were most of them within a span already.
func (t *tries) take(key string, most int, span time.Duration, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil || len(t.by) >= maxTried {
		t.by = map[string][]time.Time{}
	}
	have := t.by[key]
	for len(have) > 0 && now.Sub(have[0]) >= span {
		have = have[1:]
	}
	if len(have) >= most {
		t.by[key] = have
		return false
	}
	t.by[key] = append(have, now)
	return true
}

// forget lets a key begin anew: what was tried was right.
func (t *tries) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, key)
}

type trackView struct {
	Number, PIN web.Field
	Found       *tracked
}

// tracked is what of a case is shown to who has its number, and more with the PIN.
type tracked struct {
	Number, Kind, Category, State, Unit, Summary string
	Opened, Since, Due                           time.Time
	Open, Late                                   bool

	Notes       []step // comments for everybody
	Own         bool   // with the PIN
	Title, Text string
	Lang        string
	Steps       []step
}

type step struct {
	At   time.Time
	What string
	Said []said
}

type said struct{ Label, Text string }

func (h *Handler) track(c *call) error {
	if c.Query("number") == "" {
		return h.trackPage(c, nil, nil)
	}
	x, err := h.find(c, c.Query("number"))
	if err != nil {
		return h.trackPage(c, nil, err)
	}
	v, err := h.withSteps(c, x, h.shown(c, x, h.Cases.IsLink(x, c.Query("key"))))
	if err != nil {
		return err
	}
	return h.trackPage(c, v, nil)
}

// find looks a case up by the number that was entered.
func (h *Handler) find(c *call, entered string) (*casework.Case, error) {
	number, err := casework.ParseTracking(entered)
	if err != nil {
		return nil, err
	}
	if !h.looked.take(h.From(c.R), lookups, within, c.Now) {
		return nil, errs.InvalidField("number", "err.case.lookups")
	}
	x, err := h.Cases.ByTracking(c.Ctx(), number)
	if errs.Is(err, errs.NotFound) {
		return nil, errs.InvalidField("number", "err.case.no_number")
	}
	return x, err
}

func (h *Handler) trackWithPIN(c *call) error {
	x, err := h.find(c, c.Form("number"))
	if err != nil {
		return h.trackPage(c, nil, err)
	}
	pin := c.Form("pin")
	if pin == "" {
		v, err := h.withSteps(c, x, h.shown(c, x, false))
		if err != nil {
			return err
		}
		return h.trackPage(c, v, nil)
	}
	key := "pin " + x.ID + " " + h.From(c.R)
	if !h.looked.take(key, pinTries, pinWithin, c.Now) || !h.looked.take("day "+x.ID, pinDay, 24*time.Hour, c.Now) {
		return h.trackPage(c, nil, errs.InvalidField("pin", "err.case.pin_often"))
	}
	if !h.Cases.IsPIN(x, pin) {
		return h.trackPage(c, nil, errs.InvalidField("pin", "err.case.pin"))
	}
	h.looked.forget(key)
	v, err := h.withSteps(c, x, h.shown(c, x, true))
	if err != nil {
		return err
	}
	return h.trackPage(c, v, nil)
}

func (h *Handler) trackPage(c *call, found *tracked, wrong error) error {
	entered := c.Query("number")
	if c.R.Method == http.MethodPost {
		entered = c.Form("number")
	}
	if found != nil {
		entered = found.Number
	}
	v := &trackView{Number: c.Field("number", entered, false), PIN: c.Field("pin", "", true), Found: found}
	v.PIN.Auto, v.Number.Auto = "off", "off"
	p := &web.Page{Title: c.L.T("case.track_title"), Private: found != nil && found.Own, Data: v}
	status, err := c.Faults(wrong, p, &v.Number, &v.PIN)
	if err != nil {
		return err
	}
	return c.Render(status, "track.html", p)
}

func in(t casework.Text, lang i18n.Lang) string {
	switch {
	case lang == i18n.Bo && t.Bo != "":
		return t.Bo
	case lang == i18n.En && t.En != "":
		return t.En
	}
	return t.Zh
}

// shown is what of a case its number shows: where it stands, its dates, who acts and
// what came of it; with the PIN also what was reported and what was said to who
// reported it.
func (h *Handler) shown(c *call, x *casework.Case, own bool) *tracked {
	out := &tracked{Number: casework.Written(x.TrackingNo), State: x.State, Opened: x.Created, Since: x.StateSince, Summary: in(x.Summary, c.Lang), Own: own}
	t := h.Cases.TypeOf(x)
	if t == nil {
		return out
	}
	out.Kind = in(t.Name, c.Lang)
	for _, k := range t.Categories {
		if k.Code == x.Category {
			out.Category = in(k.Name, c.Lang)
		}
	}
	if st := t.State(x.State); st != nil {
		out.State, out.Open = in(st.Label, c.Lang), st.Open
	}
	if d := x.Due(); d != nil && out.Open && x.Paused.IsZero() {
		out.Due, out.Late = d.Due, c.Now.After(d.Due)
	}
	if x.OwnerUnit != "" && h.UnitName != nil {
		name, _ := h.UnitName(x.OwnerUnit)
		out.Unit = in(name, c.Lang)
	}
	if !own {
		return out
	}
	out.Title, out.Text, out.Lang = x.Title, x.Text, x.Lang
	return out
}

// withSteps adds what was said to everybody and, for who reported it, what was done.
func (h *Handler) withSteps(c *call, x *casework.Case, v *tracked) (*tracked, error) {
	events, err := h.Cases.Events(c.Ctx(), x.ID)
	t := h.Cases.TypeOf(x)
	if err != nil || t == nil {
		return v, err
	}
	if v.Own {
		v.Steps = steps(t, events, c.L)
		return v, nil
	}
	taken := takenBack(events)
	for i := range events {
		if e := &events[i]; e.Action == casework.Comment && e.Visibility == casework.Public && !taken[e.Seq] {
			v.Notes = append(v.Notes, step{At: e.At, Said: []said{{"", e.Body.Form["text"]}}})
		}
	}
	return v, nil
}

// steps are the events of a case that who reported it may read, with what was said
// to them.
func steps(t *casework.Type, events []casework.Event, l *i18n.Localizer) (out []step) {
	a, lang, taken := &casework.Actor{Reporter: true}, l.Lang(), takenBack(events)
	for i := range events {
		e := &events[i]
		x := t.ActionIn(e.Action, e.From)
		if e.Seq == 1 {
			x = t.Opens(e.Action)
		}
		if x == nil || !a.Reads(nil, e) || e.Action == casework.Comment && taken[e.Seq] {
			continue
		}
		if n := e.Body.Changes.TakesBack; n > 0 && events[n-1].Action == casework.Comment {
			continue
		}
		s := step{At: e.At, What: in(x.Label, lang)}
		if taken[e.Seq] {
			s.What += " (" + l.T("case.taken_back") + ")"
			out = append(out, s)
			continue
		}
		if f := t.Form(x.Form); f != nil {
			for _, q := range f.Fields {
				if text := e.Body.Form[q.Name]; text != "" && (q.Reporter || q.Public) {
					for _, o := range q.Options {
						if o.Value == text {
							text = in(o.Label, lang)
						}
					}
					s.Said = append(s.Said, said{in(q.Label, lang), text})
				}
			}
		}
		out = append(out, s)
	}
	return out
}
