package telemetry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/errs"
)

// Area is an administrative division (GB/T 2260, below a county GB/T 10114) in
// one of its versions: a code that gets another name or lies in another division
// from a day on has several.
type Area struct {
	Code     string
	Parent   string
	Level    string // province, prefecture, county, township, village, group
	Name     Name
	From     string `json:",omitempty"` // first day, YYYY-MM-DD; "" = since ever
	To       string `json:",omitempty"` // last day; "" = open
	Replaces string `json:",omitempty"` // codes it stands in for since From, separated by spaces
}

// Levels are those of areas from the top; the number of a level counts from 1.
var Levels = []string{"province", "prefecture", "county", "township", "village", "group"}

// Number is that of the level, 1 to 6; 0 = an unknown level.
func (a *Area) Number() int { return slices.Index(Levels, a.Level) + 1 }

// InForce reports whether the version is in force on a day, YYYY-MM-DD.
func (a *Area) InForce(day string) bool { return a.From <= day && (a.To == "" || day <= a.To) }

// Day is the day of an instant in Beijing, as dates of the registry are written.
func Day(t time.Time) string { return t.In(beijing).Format(time.DateOnly) }

// dayBefore is the day before one; "" where that is none.
func dayBefore(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return t.AddDate(0, 0, -1).Format(time.DateOnly)
}

// Versions returns all versions of an area, the earliest first; none for a code
// that there never was.
func (s *Snapshot) Versions(code string) []Area {
	if s.areas != nil {
		return s.areas[code]
	}
	if a := s.Areas[code]; a != nil {
		return []Area{*a}
	}
	return nil
}

// AreaOn returns the version of an area that was in force on a day; nil when none
// was.
func (s *Snapshot) AreaOn(code, day string) *Area {
	list := s.Versions(code)
	for i := range list {
		if list[i].InForce(day) {
			return &list[i]
		}
	}
	return nil
}

// AreasOn lists the areas in force on a day by code, each in its version of then,
// in an area as it is today, or everywhere.
func (s *Snapshot) AreasOn(day, under string) []Area {
	var out []Area
	for _, code := range slices.Sorted(maps.Keys(s.Areas)) {
		if a := s.AreaOn(code, day); a != nil && (under == "" || s.Within(code, under)) {
			out = append(out, *a)
		}
	}
	return out
}

// Within reports whether an area is another one or lies in it, today. What is
// filed under a code that one other code replaced is found under that one and all
// above it; a code stands also for the codes that came of it alone. Where areas
// were merged, who holds the code of a part does not reach the whole.
func (s *Snapshot) Within(code, above string) bool {
	if code == above {
		return true
	}
	return slices.Contains(s.aboveOf(code), above)
}

// aboveOf lists a code and those it lies in, from below; codes that these came of
// stand at the end.
func (s *Snapshot) aboveOf(code string) []string {
	if s.above != nil {
		return s.above[code]
	}
	var out []string // a snapshot that was not read from a database: no dates
	for a := s.Areas[code]; a != nil && len(out) <= len(Levels); a = s.Areas[a.Parent] {
		out = append(out, a.Code)
	}
	return out
}

// Present is the code under which an area is found today: its own, or that which
// replaced it.
func (s *Snapshot) Present(code string) string {
	a := s.Areas[code]
	for _, c := range s.aboveOf(code) {
		if x := s.Areas[c]; x != nil && a != nil && x.Level == a.Level && s.inForce(c) {
			return c
		}
	}
	return code
}

// Prefecture is the code of the division of prefecture level that a division lies
// in, its own where there is none.
func (s *Snapshot) Prefecture(code string) string {
	for _, c := range s.aboveOf(code) {
		if a := s.Areas[c]; a != nil && a.Level == "prefecture" && s.inForce(c) {
			return c
		}
	}
	return code
}

// inForce reports whether the version of a code that Areas shows is in force.
func (s *Snapshot) inForce(code string) bool {
	a := s.Areas[code]
	return a != nil && (s.areaDay == "" || a.InForce(s.areaDay))
}

// Current reports whether an area may be chosen for something new.
func (s *Snapshot) Current(a *Area) bool { return s.areaDay == "" || a.InForce(s.areaDay) }

// turns reports whether other versions are in force at t than the snapshot shows.
func (s *Snapshot) turns(t time.Time) bool { return !s.areasUntil.IsZero() && !t.Before(s.areasUntil) }

// shown is the version of a code that a snapshot of a day shows.
func shown(list []Area, day string) *Area {
	for i := range list {
		if list[i].InForce(day) {
			return &list[i]
		}
		if list[i].From > day {
			return &list[max(0, i-1)]
		}
	}
	return &list[len(list)-1]
}

// indexAreas fills what a snapshot shows of its areas at t.
func (s *Snapshot) indexAreas(t time.Time) {
	day := Day(t)
	next := ""
	soonest := func(d string) {
		if d > day && (next == "" || d < next) {
			next = d
		}
	}
	s.Areas, s.areaDay = make(map[string]*Area, len(s.areas)), day
	x := &areaIndex{versions: s.areas, shown: s.Areas, day: day, after: map[string][]string{}}
	for code, list := range s.areas {
		s.Areas[code] = shown(list, day)
		for i := range list {
			soonest(list[i].From)
			if list[i].To != "" {
				soonest(dayAfter(list[i].To))
			}
			for old := range strings.FieldsSeq(list[i].Replaces) {
				if !slices.Contains(x.after[old], code) {
					x.after[old] = append(x.after[old], code)
				}
			}
		}
	}
	s.above = make(map[string][]string, len(s.areas))
	for code := range s.areas {
		s.above[code] = x.above(code)
	}
	s.areasUntil = time.Time{}
	if next != "" {
		s.areasUntil, _ = time.ParseInLocation(time.DateOnly, next, beijing) // checked when it was put
	}
}

// dayAfter is the day after one; "" where that is none.
func dayAfter(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

// areaIndex is the areas as they are on a day.
type areaIndex struct {
	versions map[string][]Area
	shown    map[string]*Area
	day      string
	after    map[string][]string // by code, those that replace it
}

// above lists a code and all it lies in on the day.
func (x *areaIndex) above(code string) []string {
	var chain []string
	for code != "" && !slices.Contains(chain, code) {
		a := x.shown[code]
		if a == nil {
			break
		}
		chain = append(chain, code)
		code = cmp.Or(x.heir(a), a.Parent)
	}
	for i := 0; i < len(chain); i++ {
		for _, old := range x.origin(chain[i]) {
			if !slices.Contains(chain, old) {
				chain = append(chain, old)
			}
		}
	}
	return chain
}

// heir is the one code that replaced an area which is in force no more; "" where
// there are none or several.
func (x *areaIndex) heir(a *Area) string {
	if a.To == "" || x.day <= a.To {
		return ""
	}
	heirs := slices.DeleteFunc(slices.Clone(x.after[a.Code]), func(c string) bool { return x.versions[c][0].From > x.day })
	if len(heirs) != 1 {
		return ""
	}
	return heirs[0]
}

// origin is the code that an area came of, where it came of one alone that is in
// force no more.
func (x *areaIndex) origin(code string) []string {
	for _, v := range slices.Backward(x.versions[code]) {
		if v.From > x.day || v.Replaces == "" {
			continue
		}
		old := strings.Fields(v.Replaces)
		if len(old) != 1 || x.shown[old[0]] == nil || x.shown[old[0]].InForce(x.day) {
			return nil
		}
		return old
	}
	return nil
}

// checkArea returns what is wrong with a version of an area.
func (s *Snapshot) checkArea(a Area) error {
	var c errs.Checks
	c.Require(areaCode.MatchString(a.Code), "code", "err.field.area_code")
	choice(&c, "level", a.Level, Levels...)
	parent := s.Areas[a.Parent]
	c.Require(a.Parent == "" || a.Parent != a.Code && parent != nil, "parent", "err.field.unknown", "value", a.Parent)
	c.Require(parent == nil || a.Number() == 0 || parent.Number() < a.Number(), "parent", "err.area.parent", "value", a.Parent)
	name(&c, a.Name)
	c.Require(a.From == "" || date(a.From), "effective_from", "err.field.date")
	c.Require(a.To == "" || date(a.To), "effective_to", "err.field.date")
	c.Require(a.To == "" || a.From <= a.To, "effective_to", "err.field.after")
	for old := range strings.FieldsSeq(a.Replaces) {
		c.Require(old != a.Code && s.Areas[old] != nil, "replaces", "err.field.unknown", "value", old)
		c.Require(a.From != "", "effective_from", "err.area.since")
	}
	if list := s.Versions(a.Code); len(list) > 0 && c.Err() == nil {
		last := list[len(list)-1]
		known := slices.ContainsFunc(list, func(v Area) bool { return v.From == a.From })
		c.Require(known || a.From > last.From, "effective_from", "err.area.order", "from", last.From)
		i := slices.IndexFunc(list, func(v Area) bool { return v.From > a.From })
		c.Require(!known || i < 0 || a.To != "" && a.To < list[i].From, "effective_to", "err.area.overlap", "from", nextFrom(list, i))
	}
	return c.Err()
}

func nextFrom(list []Area, i int) string {
	if i < 0 {
		return ""
	}
	return list[i].From
}

func (c *change) putArea(a Area) error {
	trim(&a.Code, &a.Parent, &a.Name.Zh, &a.Name.Bo, &a.Name.En, &a.From, &a.To)
	a.Replaces = strings.Join(slices.Sorted(strings.FieldsFuncSeq(a.Replaces, func(r rune) bool { return strings.ContainsRune(" ,;、，", r) })), " ")
	s := c.snapshot()
	if err := s.checkArea(a); err != nil {
		return err
	}
	list := s.Versions(a.Code)
	i := slices.IndexFunc(list, func(v Area) bool { return v.From == a.From })
	if i >= 0 && list[i] == a {
		return nil
	}
	for old := range strings.FieldsSeq(a.Replaces) { // it ends where this one begins
		v := s.Versions(old)
		if last := v[len(v)-1]; last.To == "" && last.From < a.From {
			c.storeArea(last, func(x *Area) { x.To = dayBefore(a.From) })
		}
	}
	var before *Area
	switch {
	case i >= 0:
		before = &list[i]
	case len(list) > 0:
		last := list[len(list)-1]
		if last.To == "" || last.To >= a.From {
			c.storeArea(last, func(x *Area) { x.To = dayBefore(a.From) })
		}
		before = &last
	}
	c.next.putArea(a)
	c.areas[a.Code] = true
	object(c, "area", a.Code, before, &a)
	return nil
}

// storeArea changes a version that is there.
func (c *change) storeArea(old Area, fn func(x *Area)) {
	next := old
	fn(&next)
	c.next.putArea(next)
	c.areas[old.Code] = true
	c.note("end", "area", old.Code, old, next)
}

func (c *change) deleteArea(code string) error {
	s := c.snapshot()
	old := s.Areas[code]
	if old == nil {
		return notFound()
	}
	for _, a := range s.Areas {
		for _, v := range s.Versions(a.Code) {
			if v.Parent == code || slices.Contains(strings.Fields(v.Replaces), code) {
				return inUse(v.Name.Zh)
			}
		}
	}
	for _, e := range s.Enterprises {
		if e.Area == code {
			return inUse(e.Name.Zh)
		}
	}
	for _, o := range s.Outlets {
		if o.Area == code {
			return inUse(o.Name.Zh)
		}
	}
	c.next.dropArea(code)
	c.areas[code] = true
	object(c, "area", code, old, nil)
	return nil
}

func (e *editor) ownAreas() {
	if e.s.areas == nil { // a snapshot that was not read from a database
		e.s.areas = map[string][]Area{}
		for code, a := range e.s.Areas {
			e.s.areas[code] = []Area{*a}
		}
	}
	shown := e.areas
	own(&shown, &e.s.Areas)
	own(&e.areas, &e.s.areas)
}

// putArea adds a version of an area, or replaces the one that begins the same day.
func (e *editor) putArea(a Area) {
	e.ownAreas()
	list := slices.Clone(e.s.areas[a.Code])
	if i := slices.IndexFunc(list, func(v Area) bool { return v.From == a.From }); i >= 0 {
		list[i] = a
	} else {
		list = append(list, a)
	}
	e.s.areas[a.Code] = list
	e.s.Areas[a.Code] = shown(list, Day(e.at))
}

func (e *editor) dropArea(code string) {
	e.ownAreas()
	delete(e.s.Areas, code)
	delete(e.s.areas, code)
}
