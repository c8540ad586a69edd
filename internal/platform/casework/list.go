package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Queue is a choice of open cases that people work from.
type Queue string

// The queues, in the order in which pages show them.
const (
	Mine       Queue = "mine"       // wait for who asks: for a post of theirs, or for nobody by name and a role or an organisation of theirs
	OfUnit     Queue = "unit"       // an organisation they act for must act on
	Overdue    Queue = "overdue"    // the deadline that ends first has passed
	Soon       Queue = "soon"       // it comes soon, see Standing
	Supervised Queue = "supervised" // a level above took them up
	Verifying  Queue = "verify"     // wait for who asks to look at the work of others
	Returned   Queue = "returned"   // came back from a later state
	Audits     Queue = "audit"      // drew the lot, and wait for who asks to look at them; also those that are over
	AllOpen    Queue = "open"
)

// Queues are all queues in the order in which pages show them.
func Queues() []Queue {
	return []Queue{Mine, OfUnit, Overdue, Soon, Supervised, Verifying, Returned, Audits, AllOpen}
}

// Order is how a list is sorted.
type Order int

// The orders.
const (
	ByChange Order = iota // the last changed first
	ByDue                 // the one due soonest first; what is not due comes last
)

// Filter chooses cases; empty fields choose nothing away.
type Filter struct {
	System, Kind, State  string
	Open                 *bool
	Overdue              bool // the deadline that ends first has passed
	Unit                 string
	Area                 string // and all below it
	Severity             int    // 0 = all
	SubjectKind, Subject string
	Queue                Queue
	Query                string // words that all stand in a case: those opened last come first, whatever Order says
	Order                Order
	After                string // cursor of the page before
	N                    int    // at most; 0 = 50, at most 500
}

// Listed is a case of a list, and how who asked stands to it.
type Listed struct {
	*Case
	Actor *Actor
}

// List returns the cases that who asks may see and the cursor of the next page, ""
// on the last. Errors: errs.Malformed for a cursor that none gave, errs.Invalid about
// "queue".
func (s *Service) List(ctx context.Context, f Filter, by auth.Principal) (list []Listed, next string, err error) {
	if f.N <= 0 {
		f.N = 50
	}
	f.N = min(f.N, 500)
	v, err := s.viewer(ctx, by)
	if err != nil || v == nil {
		return nil, "", err
	}
	q := &selection{}
	if err := s.choose(q, &f, v); err != nil {
		return nil, "", err
	}
	terms := sought(f.Query)
	if f.Query != "" {
		if len(terms) == 0 {
			return nil, "", nil // nothing that could be found
		}
		if err := s.find(ctx, q, terms); err != nil {
			return nil, "", err
		}
	}
	at, after, err := cursor(f.After)
	if err != nil {
		return nil, "", err
	}
	key, down, sign := "updated_at", " DESC", "<"
	switch {
	case len(terms) > 0:
		key = "0"
	case f.Order == ByDue:
		key, down, sign = "due_order", "", ">"
	}
	order := func(of string) string {
		if key == "0" {
			return of + "id" + down
		}
		return of + key + down + ", " + of + "id" + down
	}
	if after != "" {
		if key == "0" {
			q.add("cases.id < ?", after)
		} else {
			q.where = append(q.where, fmt.Sprintf("(%s, id) %s (%s, %s)", key, sign, q.arg(at), q.arg(after)))
		}
	}
	query := `SELECT c.id, k.key, c.body FROM cases c JOIN (SELECT id, ` + key + ` AS key FROM cases WHERE ` + q.text() + ` ORDER BY ` + order("cases.") +
		fmt.Sprintf(` LIMIT %d) k ON k.id = c.id ORDER BY `, f.N+1) + strings.ReplaceAll(order("k."), "k."+key, "k.key")
	rows, err := s.DB.Query(ctx, query, q.args...)
	if err != nil {
		return nil, "", fmt.Errorf("list cases: %w", err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		var id, body string
		var k int64
		if err := rows.Scan(&id, &k, &body); err != nil {
			return nil, "", err
		}
		if n == f.N {
			next = fmt.Sprintf("%d.%s", at, after)
			break
		}
		at, after = k, id
		c, err := parse(body)
		if err != nil {
			return nil, "", err
		}
		if a := s.actor(by, v.units, c); a.sees(c) { // the row has the last word
			list = append(list, Listed{c, a})
		}
	}
	return list, next, rows.Err()
}

// MostCounted is where counting ends: a queue that holds more is said to hold more.
const MostCounted = 99

// Counts returns how many cases of each queue who asks may see, MostCounted+1 for
// more than that.
func (s *Service) Counts(ctx context.Context, by auth.Principal, queues ...Queue) (map[Queue]int, error) {
	out := map[Queue]int{}
	v, err := s.viewer(ctx, by)
	if err != nil || v == nil {
		return out, err
	}
	for _, name := range queues {
		q := &selection{}
		if err := s.choose(q, &Filter{Queue: name}, v); err != nil {
			return nil, err
		}
		var n int
		if err := s.DB.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 AS one FROM cases WHERE `+q.text()+fmt.Sprintf(" LIMIT %d) AS few", MostCounted+1), q.args...).Scan(&n); err != nil {
			return nil, fmt.Errorf("count cases: %w", err)
		}
		out[name] = n
	}
	return out, nil
}

// viewer is who looks at lists: what of each system reaches where.
type viewer struct {
	id           string
	units, posts []string
	reach        map[string]*reach // by role with its system
	systems      map[string]*reach // by system: any of its roles
}

// reach is where something is held.
type reach struct {
	all   bool
	areas []string // codes, with all below
}

func (r *reach) add(area string, s *Service) {
	if area == "" {
		r.all = true
	}
	if r.all {
		r.areas = nil
		return
	}
	codes := s.Places.Codes()
	n := 0
	for _, code := range codes {
		if s.Places.Within(code, area) {
			r.areas = append(r.areas, code)
			n++
		}
	}
	if n == len(codes) {
		r.all, r.areas = true, nil
		return
	}
	slices.Sort(r.areas)
	r.areas = slices.Compact(r.areas)
}

// viewer is nil for who is nobody.
func (s *Service) viewer(ctx context.Context, by auth.Principal) (v *viewer, err error) {
	if !by.Known() {
		return nil, nil //nolint:nilnil // nobody sees nothing
	}
	v = &viewer{id: by.ID, reach: map[string]*reach{}, systems: map[string]*reach{}}
	if v.units, err = s.Units(ctx, by); err != nil {
		return nil, err
	}
	v.units = slices.DeleteFunc(slices.Clone(v.units), func(u string) bool { return u == "" })
	if s.Posts != nil {
		if v.posts, err = s.Posts(ctx, by); err != nil {
			return nil, err
		}
	}
	for _, g := range by.Grants() {
		system, _, ok := strings.Cut(g.Role, ".")
		if !ok || g.Organisation != "" || !s.Types.hasSystem(system) {
			continue
		}
		for of, key := range map[*map[string]*reach]string{&v.reach: g.Role, &v.systems: system} {
			if (*of)[key] == nil {
				(*of)[key] = &reach{}
			}
			(*of)[key].add(g.Area, s)
		}
	}
	return v, nil
}

// selection is the condition of a list while it is put together.
type selection struct {
	where []string
	args  []any
	num   map[string]string // of a text that stands among args already
}

// arg is the place of a value.
func (q *selection) arg(v any) string {
	text, ok := v.(string)
	if have := q.num[text]; ok && have != "" {
		return have
	}
	q.args = append(q.args, v)
	n := fmt.Sprintf("$%d", len(q.args))
	if ok {
		if q.num == nil {
			q.num = map[string]string{}
		}
		q.num[text] = n
	}
	return n
}

func (q *selection) add(text string, v any) {
	q.where = append(q.where, strings.ReplaceAll(text, "?", q.arg(v)))
}

// in is a condition that an expression is one of some values.
func (q *selection) in(what string, values []string) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = q.arg(v)
	}
	return what + " IN (" + strings.Join(places, ", ") + ")"
}

func (q *selection) text() string {
	if len(q.where) == 0 {
		return "1 = 1"
	}
	return strings.Join(q.where, " AND ")
}

// within is a condition that a case is where something is held.
func (q *selection) within(r *reach) string {
	if r.all {
		return "1 = 1"
	}
	return q.in("cases.area", r.areas)
}

// ofUnits is a condition that one of some organisations must act on a case.
func (q *selection) ofUnits(units []string) string {
	if len(units) == 0 {
		return "1 = 0"
	}
	return "EXISTS (SELECT 1 FROM case_units u WHERE u.case_id = cases.id AND " + q.in("u.unit", units) + ")"
}

// own are the cases of a viewer's organisations, and those they reported.
func (q *selection) own(v *viewer) string {
	return "(SELECT case_id FROM case_units WHERE " + q.in("unit", v.units) + " UNION SELECT id FROM cases WHERE reporter_id = " + q.arg(v.id) + ")"
}

// visible is the condition that a viewer sees a case, as Actor.sees says it.
func (q *selection) visible(v *viewer) string {
	if len(v.systems) == 0 { // few cases are theirs: these come first, not all that there are
		return "cases.id IN " + q.own(v)
	}
	var any []string
	for system, r := range v.systems {
		any = append(any, "cases.system = "+q.arg(system)+" AND "+q.within(r))
	}
	slices.Sort(any)
	if len(v.units) > 0 {
		any = append(any, q.ofUnits(v.units))
	}
	return "(" + strings.Join(append(any, "cases.reporter_id = "+q.arg(v.id)), " OR ") + ")"
}

// choose puts the condition of a list together: what the viewer sees of what the
// filter asks for, words left aside.
func (s *Service) choose(q *selection, f *Filter, v *viewer) error {
	for _, x := range []struct{ column, v string }{
		{"system", f.System}, {"kind", f.Kind}, {"state", f.State}, {"owner_unit", f.Unit}, {"subject_kind", f.SubjectKind}, {"subject_ref", f.Subject},
	} {
		if x.v != "" {
			q.add("cases."+x.column+" = ?", x.v)
		}
	}
	if f.Severity != 0 {
		q.add("cases.severity = ?", f.Severity)
	}
	if f.Area != "" {
		r := &reach{}
		r.add(f.Area, s)
		q.where = append(q.where, q.within(r))
	}
	now := db.Micros(s.Now())
	switch {
	case f.Queue == Audits:
	case f.Queue != "":
		q.where = append(q.where, "cases.open = 1")
	case f.Open != nil:
		q.add("cases.open = ?", db.Bool(*f.Open))
	}
	if f.Overdue {
		q.add("cases.due_order < ?", now)
	}
	if f.Queue != "" {
		text, err := s.queue(q, f.Queue, v, now)
		if err != nil {
			return err
		}
		q.where = append(q.where, text)
	}
	q.where = append(q.where, q.visible(v))
	return nil
}

// queue is the condition that an open case stands in a queue.
func (s *Service) queue(q *selection, name Queue, v *viewer, now int64) (string, error) {
	switch name {
	case Mine:
		any := []string{q.in("cases.assignee", v.posts)}
		unnamed := s.held(q, v, s.Types.turns())
		if len(v.units) > 0 {
			unnamed = append(unnamed, q.in("cases.step", s.Types.turns()[RoleUnit])+" AND "+q.ofUnits(v.units))
		}
		unnamed = append(unnamed, q.in("cases.step", s.Types.turns()[RoleReporter])+" AND cases.reporter_id = "+q.arg(v.id))
		any = append(any, "cases.assignee = '' AND ("+strings.Join(unnamed, " OR ")+")")
		return "(" + strings.Join(any, " OR ") + ")", nil
	case OfUnit:
		return q.ofUnits(v.units), nil
	case Overdue:
		return "cases.due_order < " + q.arg(now), nil
	case Soon:
		return "cases.soon_at <= " + q.arg(now) + " AND cases.due_order >= " + q.arg(now), nil
	case Supervised:
		return "cases.supervise > 0", nil
	case AllOpen:
		return "1 = 1", nil
	case Returned:
		return "cases.returned = 1", nil
	case Audits:
		any := s.held(q, v, s.Types.audits())
		if len(any) == 0 {
			return "1 = 0", nil
		}
		return "cases.drawn = 1 AND (" + strings.Join(any, " OR ") + ")", nil
	case Verifying:
		any := s.held(q, v, s.Types.checks())
		if len(any) == 0 {
			return "1 = 0", nil
		}
		own := ""
		if len(v.units) > 0 { // who handled it does not verify it
			own = " AND NOT " + q.in("cases.handler", v.units)
		}
		return "(" + strings.Join(any, " OR ") + ")" + own, nil
	}
	var names []string
	for _, x := range Queues() {
		names = append(names, string(x))
	}
	return "", errs.InvalidField("queue", "err.field.choice", "choices", strings.Join(names, ", "))
}

// held are conditions that a case is in a step of a role that the viewer holds there.
func (s *Service) held(q *selection, v *viewer, steps map[string][]string) (out []string) {
	for role, r := range v.reach {
		if len(steps[role]) > 0 {
			out = append(out, q.in("cases.step", steps[role])+" AND "+q.within(r))
		}
	}
	slices.Sort(out)
	return out
}

// find adds the condition that a case has all terms. The rarest is looked up, the
// others are asked for each case that has it.
func (s *Service) find(ctx context.Context, q *selection, terms []string) error {
	const rare = 2000
	least, first := rare+1, terms[0]
	for _, t := range terms {
		var n int
		if err := s.DB.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 AS one FROM case_terms WHERE term = $1`+fmt.Sprintf(" LIMIT %d) AS few", rare), t).Scan(&n); err != nil {
			return fmt.Errorf("count a term: %w", err)
		}
		if n < least {
			least, first = n, t
		}
	}
	q.where = append(q.where, "cases.id IN (SELECT case_id FROM case_terms WHERE term = "+q.arg(first)+")")
	for _, t := range terms {
		if t != first {
			q.where = append(q.where, "EXISTS (SELECT 1 FROM case_terms t WHERE t.case_id = cases.id AND t.term = "+q.arg(t)+")")
		}
	}
	return nil
}

func cursor(s string) (at int64, id string, err error) {
	if s == "" {
		return 0, "", nil
	}
	if _, err := fmt.Sscanf(strings.Replace(s, ".", " ", 1), "%d %s", &at, &id); err != nil {
		return 0, "", errs.New(errs.Malformed, "")
	}
	return at, id, nil
}
