package casework

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/errs"
)

// Opening is a case that is to be opened.
type Opening struct {
	Kind     string   `json:"kind"`
	Action   string   `json:"action"`             // by which it is opened; "" = the first that who asks may take
	Severity int      `json:"severity,omitempty"` // 0 = that of the category, else the least urgent
	Category string   `json:"category,omitempty"`
	Title    string   `json:"title"`
	Text     string   `json:"description,omitempty"`
	Lang     string   `json:"lang,omitempty"`
	Location Location `json:"location"`
	Source   string   `json:"source"`
	Subject  Subject  `json:"subject,omitzero"`
	Parent   string   `json:"parent,omitempty"`
	Unit     string   `json:"owner_unit,omitempty"`
	Reporter string   `json:"reporter_id,omitempty"` // account

	// Worked out when it is opened.
	Tracking string `json:"tracking_no"`
	System   string `json:"system"`
	Version  int    `json:"kind_version"`
}

// Sources are where a report can come from.
var Sources = []string{"patrol", "resident", "hotline", "alarm", "satellite", "inspection", "department", "court"}

// most characters of a title.
const maxTitle = 200

// check completes an opening by the type it is of.
func (o *Opening) check(t *Type, areas interface{ HasArea(code string) bool }) error {
	var c errs.Checks
	o.Title, o.Text = strings.TrimSpace(o.Title), strings.TrimSpace(o.Text)
	c.Require(o.Title != "", "title", "err.field.required")
	c.Require(len([]rune(o.Title)) <= maxTitle, "title", "err.field.long", "max", maxTitle)
	c.Require(len([]rune(o.Text)) <= maxText, "description", "err.field.long", "max", maxText)
	if o.Lang == "" {
		o.Lang = "zh"
	}
	c.Require(o.Lang == "zh" || o.Lang == "bo" || o.Lang == "en", "lang", "err.field.choice", "choices", "zh, bo, en")
	c.Require(slices.Contains(Sources, o.Source), "source", "err.field.choice", "choices", strings.Join(Sources, ", "))
	c.Require(o.Location.Area != "" && areas.HasArea(o.Location.Area), "location.area", "err.field.area_code")
	l := &o.Location
	l.HasPoint = l.HasPoint || l.Lat != 0 || l.Lon != 0
	c.Require(l.Lat >= -90 && l.Lat <= 90, "location.lat", "err.field.between", "lo", -90, "hi", 90)
	c.Require(l.Lon >= -180 && l.Lon <= 180, "location.long", "err.field.between", "lo", -180, "hi", 180)
	c.Require(l.AccuracyM >= 0, "location.accuracy_m", "err.field.positive")
	c.Require(len([]rune(l.Address)) <= maxTitle, "location.address_text", "err.field.long", "max", maxTitle)
	category := Category{}
	for _, x := range t.Categories {
		if x.Code == o.Category {
			category = x
		}
	}
	if len(t.Categories) > 0 {
		var codes []string
		for _, x := range t.Categories {
			codes = append(codes, x.Code)
		}
		c.Require(category.Code != "", "category", "err.field.choice", "choices", strings.Join(codes, ", "))
	} else {
		c.Require(o.Category == "", "category", "err.case.no_field")
	}
	if o.Severity == 0 {
		o.Severity = category.Severity
	}
	var levels []string
	for _, s := range t.Severities {
		levels = append(levels, strconv.Itoa(s.Level))
	}
	if n := len(levels); n > 0 {
		if o.Severity == 0 {
			o.Severity = t.Severities[n-1].Level
		}
		c.Require(slices.Contains(levels, strconv.Itoa(o.Severity)), "severity", "err.field.choice", "choices", strings.Join(levels, ", "))
	}
	o.System, o.Version = t.System, t.Version
	return c.Err()
}

// open is the case that an opening makes, before its first event.
func (o *Opening) open(e *Event) *Case {
	return &Case{
		ID: e.Case, TrackingNo: o.Tracking, System: o.System, Kind: o.Kind, Version: o.Version, StateSince: e.At,
		Severity: o.Severity, Category: o.Category, Title: o.Title, Text: o.Text, Lang: o.Lang, Location: o.Location,
		Source: o.Source, Subject: o.Subject, Reporter: o.Reporter, OwnerUnit: o.Unit, Parent: o.Parent, Created: e.At,
	}
}

// opens is the action by which an actor opens a case: the one that is named, or the
// first that the actor may take. A type without such actions is opened by whoever has
// a role of its system, and by the program.
func (t *Type) opens(name string, a *Actor) (*Action, error) {
	some := false
	for _, x := range t.Actions {
		if len(x.From) > 0 || name != "" && x.Name != name {
			continue
		}
		some = true
		if a.Timer || slices.Contains(x.Roles, RoleReporter) || a.takes(&Case{}, x) {
			return x, nil
		}
	}
	if !some && name == "" && (a.Timer || len(a.Roles) > 0) {
		return &Action{Name: "create", To: t.Start}, nil
	}
	if !some && name != "" {
		return nil, errs.InvalidField("action", "err.case.action", "action", name)
	}
	return nil, errs.New(errs.Forbidden, "err.case.open", "kind", t.Kind)
}

// begin is the first event of a case.
func (t *Type) begin(o Opening, x *Action, a *Actor, in Input, now time.Time, env Env) (*Case, Event, error) {
	id := uuid.Must(uuid.NewV7()).String()
	at := now.UTC().Truncate(time.Second)
	o.Tracking, o.Action = env.Number(at.In(zone)), x.Name
	to := x.To
	if to == "" {
		to = t.Start
	}
	seen := Restricted
	if a.Timer && o.Reporter == "" || !slices.Contains(x.Roles, RoleReporter) && len(x.Roles) > 0 {
		seen = ToReporter // an official act, which tells of no reporter
	}
	e := Event{Case: id, Seq: 1, At: at, Action: x.Name, To: to, Visibility: seen, Body: Body{Salt: salt(), Opens: &o, Form: in.Form, Attachments: in.Attachments}}
	c := o.open(&e)
	s := &step{t: t, x: x, c: c, a: a, in: in, now: at, Env: env}
	if err := s.allowed(); err != nil {
		return nil, e, err
	}
	if st := t.State(to); st != nil && st.Clock != "" {
		s.start(st.Clock)
	}
	s.effects()
	e.Body.Changes, e.Body.Tell = s.out, s.told
	return c, e, nil
}
