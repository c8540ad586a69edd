package people

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// Manage is the permission to keep organisations, posts and appointments, for
// objects in an area.
const Manage = access.Permission("platform.people")

// See is the permission to ask who holds and held which post.
const See = access.Permission("platform.posts")

// Kinds are what an organisation may be.
var Kinds = []string{"authority", "enterprise", "maintenance", "hospital", "school", "village", "other"}

// Organisation is a public body, a company or another organisation.
type Organisation struct {
	ID   string
	Kind string // one of Kinds
	Code string // such as the unified social credit code; "" = none
	Name auth.Post
	Area string
	From string // first day, YYYY-MM-DD; "" = since ever
	To   string // last day; "" = open
}

// Post is a place in an organisation that one holder, or several, fill in turn.
// Organisation, Kind, Area and Enterprise never change: who held it then held it
// for those.
type Post struct {
	ID           string
	Organisation string
	Kind         string // of the policy's accounts; what its holder may do
	Area         string // for which; "" = all areas
	Enterprise   string // id in the registry whose objects it is for, where the kind needs one
	Title        auth.Post
	Phone        string // of the office; "" = none
	Several      bool   // may have several holders at a time
	From, To     string // days; "" = open
}

// object is what decides who may appoint to a post.
func (p *Post) object() access.Object {
	return access.Object{Area: p.Area, Organisation: p.Enterprise}
}

// Appointment is a period in which an account holds a post.
type Appointment struct {
	ID      string
	Post    string
	Account string    // id
	From    time.Time // inclusive
	To      time.Time // exclusive; zero = open
	ByID    string    // account that appointed, or "system"
	ByPost  string    // its post then
	Made    time.Time
}

// Places is what there is to hold a post for.
type Places interface {
	access.Areas
	// AreaLevel is the level of an area, "" when there is none with the code.
	AreaLevel(code string) string
	// HasEnterprise reports whether the registry has an enterprise.
	HasEnterprise(id string) bool
}

// Service keeps organisations, posts and appointments. It is safe for concurrent
// use. Errors are errs.Invalid with the fields to mend, errs.NotFound,
// errs.Conflict and errs.Forbidden.
type Service struct {
	db     *db.DB
	now    func() time.Time
	places Places
	ended  func()
}

// New returns the service over a migrated database. ended is called after each
// act that may have taken rights away; nil: nobody is told.
func New(d *db.DB, now func() time.Time, places Places, ended func()) *Service {
	if ended == nil {
		ended = func() {}
	}
	return &Service{db: d, now: now, places: places, ended: ended}
}

// Day is the instant at which a day, YYYY-MM-DD, begins in Beijing.
func Day(s string) (time.Time, bool) {
	t, err := time.ParseInLocation(time.DateOnly, s, i18n.Zone)
	return t, err == nil && len(s) == len(time.DateOnly)
}

// today is the day of now.
func (s *Service) today() string { return s.now().In(i18n.Zone).Format(time.DateOnly) }

// may returns errs.Forbidden unless by may keep what is of an object.
func (s *Service) may(by auth.Principal, o access.Object) error {
	if access.Default().May(by.Grants(), Manage, o, s.places) {
		return nil
	}
	return errs.New(errs.Forbidden, "err.people.area")
}

var creditCode = regexp.MustCompile(`^[0-9A-Za-z-]{4,32}$`)

func checkName(c *errs.Checks, field string, n *auth.Post) {
	for _, t := range []*string{&n.Zh, &n.Bo, &n.En} {
		*t = strings.TrimSpace(*t)
	}
	c.Require(n.Zh != "", field+"_zh", "err.field.required")
	for i, t := range []string{n.Zh, n.Bo, n.En} {
		f := field + []string{"_zh", "_bo", "_en"}[i]
		c.Require(utf8.RuneCountInString(t) <= 120, f, "err.field.long", "max", 120)
		c.Require(utf8.ValidString(t) && !strings.ContainsFunc(t, unicode.IsControl), f, "err.field.text")
	}
}

func checkDays(c *errs.Checks, from, to string) {
	_, ok := Day(from)
	c.Require(from == "" || ok, "from", "err.field.date")
	_, ok = Day(to)
	c.Require(to == "" || ok, "to", "err.field.date")
	c.Require(to == "" || from <= to, "to", "err.field.after")
}

// PutOrganisation adds an organisation, or corrects the one with its ID.
func (s *Service) PutOrganisation(ctx context.Context, o Organisation, by auth.Principal) (Organisation, error) {
	o.Code = strings.TrimSpace(o.Code)
	var c errs.Checks
	c.Require(slices.Contains(Kinds, o.Kind), "kind", "err.field.choice", "choices", strings.Join(Kinds, ", "))
	c.Require(o.Code == "" || creditCode.MatchString(o.Code), "code", "err.people.code")
	checkName(&c, "name", &o.Name)
	c.Require(o.Area == "" || s.places.AreaLevel(o.Area) != "", "area", "err.field.unknown", "value", o.Area)
	checkDays(&c, o.From, o.To)
	if err := c.Err(); err != nil {
		return o, err
	}
	if err := s.may(by, access.Object{Area: o.Area}); err != nil {
		return o, err
	}
	act := "organisation.change"
	if o.ID == "" {
		o.ID, act = uuid.Must(uuid.NewV7()).String(), "organisation.add"
	}
	at := s.now()
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		var old *Organisation
		if act == "organisation.change" {
			list, err := organisations(ctx, tx, `WHERE o.id = $1`, o.ID)
			if err != nil || len(list) == 0 {
				return cmpNotFound(err)
			}
			if err := s.may(by, access.Object{Area: list[0].Area}); err != nil {
				return err
			}
			old = &list[0]
			if *old == o {
				return nil
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO organisations (`+organisationColumns+`, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, code = excluded.code, name_zh = excluded.name_zh, name_bo = excluded.name_bo,
			name_en = excluded.name_en, area = excluded.area, from_date = excluded.from_date, to_date = excluded.to_date`,
			o.ID, o.Kind, o.Code, o.Name.Zh, o.Name.Bo, o.Name.En, o.Area, o.From, o.To, db.Micros(at)); err != nil {
			return err
		}
		return s.note(ctx, tx, by, at, act, "organisation", o.ID, change{Old: old, New: o})
	})
	if errs.Is(err, errs.Conflict) {
		err = errs.InvalidField("code", "err.field.taken", "value", o.Code)
	}
	return o, err
}

// AddPost adds a post.
func (s *Service) AddPost(ctx context.Context, p Post, by auth.Principal) (Post, error) {
	policy := access.Default()
	var c errs.Checks
	c.Require(policy.HasAccount(p.Kind), "kind", "err.field.choice", "choices", strings.Join(policy.Accounts(), ", "))
	checkName(&c, "title", &p.Title)
	s.checkPhone(&c, &p)
	level := s.places.AreaLevel(p.Area)
	c.Require(p.Area == "" || level != "", "area", "err.field.unknown", "value", p.Area)
	seat := policy.Seat(p.Kind)
	c.Require(seat == "" || level == seat || p.Area != "" && level == "", "area", "policy.seat_"+seat)
	needs := policy.NeedsOrganisation(p.Kind)
	c.Require(!needs || p.Enterprise != "", "enterprise", "err.field.required")
	c.Require(p.Enterprise == "" || needs, "enterprise", "err.people.no_enterprise")
	c.Require(p.Enterprise == "" || s.places.HasEnterprise(p.Enterprise), "enterprise", "err.field.unknown", "value", p.Enterprise)
	checkDays(&c, p.From, p.To)
	if err := c.Err(); err != nil {
		return p, err
	}
	if err := s.mayAppoint(by, &p); err != nil {
		return p, err
	}
	p.ID = uuid.Must(uuid.NewV7()).String()
	at := s.now()
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		list, err := organisations(ctx, tx, `WHERE o.id = $1`, p.Organisation)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errs.InvalidField("organisation", "err.field.unknown", "value", p.Organisation)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO posts (`+postColumns+`, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			p.ID, p.Organisation, p.Kind, p.Area, p.Enterprise, p.Title.Zh, p.Title.Bo, p.Title.En, p.Phone, db.Bool(p.Several), p.From, p.To, db.Micros(at)); err != nil {
			return err
		}
		return s.note(ctx, tx, by, at, "post.add", "post", p.ID, change{New: p})
	})
	return p, err
}

func (s *Service) checkPhone(c *errs.Checks, p *Post) {
	p.Phone = strings.TrimSpace(p.Phone)
	c.Require(len(p.Phone) <= 40 && !strings.ContainsFunc(p.Phone, func(r rune) bool { return !strings.ContainsRune("0123456789+-() ", r) }), "phone", "err.people.phone")
}

// ChangePost corrects title, phone and whether it has several holders. The answer
// to who held it does not change.
func (s *Service) ChangePost(ctx context.Context, id string, title auth.Post, phone string, several bool, by auth.Principal) error {
	var c errs.Checks
	next := Post{Title: title, Phone: phone}
	checkName(&c, "title", &next.Title)
	s.checkPhone(&c, &next)
	if err := c.Err(); err != nil {
		return err
	}
	at := s.now()
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		p, err := s.lockPost(ctx, tx, id, by)
		if err != nil {
			return err
		}
		old := p
		p.Title, p.Phone, p.Several = next.Title, next.Phone, several
		if p == old {
			return nil
		}
		if old.Several && !several {
			now, err := appointments(ctx, tx, `WHERE a.post = $1 AND (a.to_at IS NULL OR a.to_at > $2) ORDER BY a.from_at, a.id`, id, db.Micros(at))
			if err != nil {
				return err
			}
			for i := 1; i < len(now); i++ {
				if now[i-1].To.IsZero() || now[i-1].To.After(now[i].From) {
					return errs.InvalidField("several", "err.people.several_now")
				}
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE posts SET title_zh = $2, title_bo = $3, title_en = $4, phone = $5, several = $6 WHERE id = $1`,
			id, p.Title.Zh, p.Title.Bo, p.Title.En, p.Phone, db.Bool(several)); err != nil {
			return err
		}
		return s.note(ctx, tx, by, at, "post.change", "post", id, change{Old: old, New: p})
	})
}

// EndPost ends a post after a day, and with it, at the end of that day, who holds
// it.
func (s *Service) EndPost(ctx context.Context, id, lastDay string, by auth.Principal) error {
	day, ok := Day(lastDay)
	if !ok {
		return errs.InvalidField("to", "err.field.date")
	}
	at, end := s.now(), day.AddDate(0, 0, 1)
	if lastDay < s.today() {
		return errs.InvalidField("to", "err.people.past")
	}
	defer s.ended()
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		p, err := s.lockPost(ctx, tx, id, by)
		if err != nil {
			return err
		}
		if p.To != "" && p.To <= lastDay || lastDay < p.From {
			return errs.InvalidField("to", "err.people.post_ends", "day", p.To)
		}
		open, err := appointments(ctx, tx, `WHERE a.post = $1 AND (a.to_at IS NULL OR a.to_at > $2)`, id, db.Micros(end))
		if err != nil {
			return err
		}
		for i := range open {
			if err := s.endAt(ctx, tx, &open[i], end, by, at); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE posts SET to_date = $2 WHERE id = $1`, id, lastDay); err != nil {
			return err
		}
		old := p
		p.To = lastDay
		return s.note(ctx, tx, by, at, "post.end", "post", id, change{Old: old, New: p})
	})
}

// mayAppoint returns errs.Forbidden unless by may appoint to a post of this kind,
// here.
func (s *Service) mayAppoint(by auth.Principal, p *Post) error {
	if err := s.may(by, p.object()); err != nil {
		return err
	}
	if !access.Default().MayAppoint(string(by.Role), p.Kind) {
		return errs.New(errs.Forbidden, "err.people.kind", "kind", p.Kind)
	}
	return nil
}

// MayAppoint reports whether by may appoint to a post.
func (s *Service) MayAppoint(by auth.Principal, p Post) bool { return s.mayAppoint(by, &p) == nil }

// lockPost reads a post that by may appoint to; until the end of the transaction
// nobody else appoints to it.
func (s *Service) lockPost(ctx context.Context, tx *db.Tx, id string, by auth.Principal) (Post, error) {
	if _, err := tx.Exec(ctx, `UPDATE posts SET several = several WHERE id = $1`, id); err != nil {
		return Post{}, err
	}
	list, err := posts(ctx, tx, `WHERE p.id = $1`, id)
	if err != nil || len(list) == 0 {
		return Post{}, cmpNotFound(err)
	}
	return list[0], s.mayAppoint(by, &list[0])
}

// Appoint lets an account hold a post; a zero From is now. Nobody appoints
// themselves; a post that has one holder at a time has none in the period.
func (s *Service) Appoint(ctx context.Context, a Appointment, by auth.Principal) (Appointment, error) {
	at := s.now()
	if a.From.IsZero() {
		a.From = at
	}
	a.ID, a.ByID, a.ByPost, a.Made = uuid.Must(uuid.NewV7()).String(), by.ID, by.Post.Zh, instant(at)
	a.From, a.To = instant(a.From), instant(a.To)
	if a.Account == by.ID || a.Account != "" && a.Account == by.OnBehalfOf {
		return a, errs.New(errs.Forbidden, "err.people.self")
	}
	if !a.To.IsZero() && !a.To.After(a.From) {
		return a, errs.InvalidField("to", "err.field.after")
	}
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		p, err := s.lockPost(ctx, tx, a.Post, by)
		if err != nil {
			return err
		}
		if from, ok := Day(p.From); ok && a.From.Before(from) {
			return errs.InvalidField("from", "err.people.post_begins", "day", p.From)
		}
		if last, ok := Day(p.To); ok {
			end := last.AddDate(0, 0, 1)
			if !a.From.Before(end) || a.To.After(end) {
				return errs.InvalidField("to", "err.people.post_ends", "day", p.To)
			}
			if a.To.IsZero() {
				a.To = instant(end)
			}
		}
		if err := openAccount(ctx, tx, a.Account); err != nil {
			return err
		}
		others, err := appointments(ctx, tx, `WHERE a.post = $1 AND (a.to_at IS NULL OR a.to_at > $2 AND a.to_at > a.from_at) ORDER BY a.from_at, a.id`, a.Post, db.Micros(a.From))
		if err != nil {
			return err
		}
		for _, o := range others {
			if (a.To.IsZero() || o.From.Before(a.To)) && (!p.Several || o.Account == a.Account) {
				return errs.InvalidField("from", "err.people.held", "from", i18n.Short(o.From))
			}
		}
		if err := tx.Insert(ctx, "appointments", []string{"id", "post", "account", "from_at", "to_at", "by_id", "by_post", "made_at"},
			[][]any{{a.ID, a.Post, a.Account, db.Micros(a.From), db.MicrosOrNull(a.To), a.ByID, a.ByPost, db.Micros(a.Made)}}); err != nil {
			return err
		}
		return s.note(ctx, tx, by, at, "appointment.make", "post", a.Post, change{New: a}, a.Account)
	})
	if err == nil {
		s.ended() // who worked by kind works by the post from now on
	}
	return a, err
}

// End ends an appointment at an instant, or now where that is zero. One that had
// not begun was never in force. It returns errs.Conflict when it ends by then
// anyhow, and errs.Invalid for an end in the past.
func (s *Service) End(ctx context.Context, id string, end time.Time, by auth.Principal) error {
	at := s.now()
	if end.IsZero() {
		end = at
	}
	if end.Before(at) {
		return errs.InvalidField("to", "err.people.past")
	}
	defer s.ended()
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		list, err := appointments(ctx, tx, `WHERE a.id = $1`, id)
		if err != nil || len(list) == 0 {
			return cmpNotFound(err)
		}
		if _, err := s.lockPost(ctx, tx, list[0].Post, by); err != nil {
			return err
		}
		if list, err = appointments(ctx, tx, `WHERE a.id = $1`, id); err != nil { // as it is now that nobody else ends it
			return err
		}
		return s.endAt(ctx, tx, &list[0], end, by, at)
	})
}

// endAt sets the end of an appointment whose post is locked.
func (s *Service) endAt(ctx context.Context, tx *db.Tx, a *Appointment, end time.Time, by auth.Principal, at time.Time) error {
	old := *a
	if a.To = instant(end); a.To.Before(a.From) {
		a.To = a.From
	}
	if !old.To.IsZero() && !a.To.Before(old.To) {
		return errs.New(errs.Conflict, "err.people.ended")
	}
	if _, err := tx.Exec(ctx, `UPDATE appointments SET to_at = $2 WHERE id = $1`, a.ID, db.Micros(a.To)); err != nil {
		return err
	}
	return s.note(ctx, tx, by, at, "appointment.end", "post", a.Post, change{Old: old, New: *a}, a.Account)
}

// change is the detail of an entry.
type change struct {
	Old any `json:"old,omitempty"`
	New any `json:"new"`
}

func (s *Service) note(ctx context.Context, tx *db.Tx, by auth.Principal, at time.Time, act, kind, ref string, detail change, subjects ...string) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("entry of %s: %w", act, err)
	}
	e := by.Entry(at, "platform", act, kind, ref)
	e.Detail, e.Subjects = string(text), subjects
	return audit.Append(ctx, tx, e)
}

func cmpNotFound(err error) error {
	if err != nil {
		return err
	}
	return errs.New(errs.NotFound, "err.not_found")
}

// instant is t as the database keeps it.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return db.Time(db.Micros(t))
}

// MayKeep reports whether by may keep organisations of an area.
func (s *Service) MayKeep(by auth.Principal, area string) bool {
	return s.may(by, access.Object{Area: area}) == nil
}
