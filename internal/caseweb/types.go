package caseweb

import (
	"math"
	"time"

	"plateau/internal/platform/casework"
)

type apiPoint struct {
	Lat  float64 `json:"lat"`
	Long float64 `json:"long"`
}

type apiLocation struct {
	Point    *apiPoint `json:"point,omitempty"`
	Accuracy float64   `json:"accuracy,omitempty"` // metres
	Address  string    `json:"address_text,omitempty"`
	Reach    string    `json:"reach,omitempty"`
	Area     string    `json:"area"`
}

type apiSubject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// apiOpening is a case that is to be opened.
type apiOpening struct {
	Kind        string            `json:"kind"`
	Action      string            `json:"action,omitempty"`
	Severity    int               `json:"severity,omitempty"`
	Category    string            `json:"category,omitempty"`
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Lang        string            `json:"lang,omitempty"`
	Location    apiLocation       `json:"location"`
	Source      string            `json:"source"`
	Subject     *apiSubject       `json:"subject,omitempty"`
	Parent      string            `json:"parent,omitempty"`
	Payload     map[string]string `json:"payload,omitempty"` // form of the action that opens it
	Attachments []string          `json:"attachments,omitempty"`
	Occurred    time.Time         `json:"occurred_at,omitzero"`
}

func (in *apiOpening) opening() casework.Opening {
	o := casework.Opening{
		Kind: in.Kind, Action: in.Action, Severity: in.Severity, Category: in.Category, Title: in.Title, Text: in.Description, Lang: in.Lang, Source: in.Source, Parent: in.Parent,
		Location: casework.Location{Area: in.Location.Area, AccuracyM: in.Location.Accuracy, Address: in.Location.Address, Reach: in.Location.Reach},
	}
	if p := in.Location.Point; p != nil {
		o.Location.Lat, o.Location.Lon, o.Location.HasPoint = p.Lat, p.Long, true
	}
	if in.Subject != nil {
		o.Subject = casework.Subject{Kind: in.Subject.Kind, ID: in.Subject.ID}
	}
	return o
}

// apiAct is an action on a case.
type apiAct struct {
	Occurred    time.Time         `json:"occurred_at,omitzero"`
	Payload     map[string]string `json:"payload,omitempty"`
	Attachments []string          `json:"attachments,omitempty"`
}

type apiDeadline struct {
	Clock       string    `json:"clock"`
	Started     time.Time `json:"started_at"`
	Due         time.Time `json:"due"`
	Original    time.Time `json:"original_due"`
	Provisional bool      `json:"provisional,omitempty"`
	Met         time.Time `json:"met_at,omitzero"`
	State       string    `json:"state"` // ok, soon, overdue, paused, met, dropped
	RemainingWD int       `json:"remaining_wd"`
	OverdueWD   int       `json:"overdue_wd"`
}

type apiText struct {
	Zh string `json:"zh"`
	Bo string `json:"bo"`
	En string `json:"en"`
}

type apiPublic struct {
	State   string    `json:"state"`
	Summary apiText   `json:"summary"`
	Point   *apiPoint `json:"point_rounded,omitempty"` // three decimals, some 100 m
	Photos  []string  `json:"photos"`
}

// apiCase is a case as who asks may see it.
type apiCase struct {
	ID          string            `json:"id"`
	TrackingNo  string            `json:"tracking_no"`
	System      string            `json:"system"`
	Kind        string            `json:"kind"`
	KindVersion int               `json:"kind_version"`
	State       string            `json:"state"`
	StateSince  time.Time         `json:"state_since"`
	Severity    int               `json:"severity"`
	Category    string            `json:"category"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Lang        string            `json:"lang"`
	Location    apiLocation       `json:"location"`
	Source      string            `json:"source"`
	Subject     *apiSubject       `json:"subject,omitempty"`
	ReporterID  string            `json:"reporter_id,omitempty"` // to who reported it alone
	OwnerUnit   string            `json:"owner_unit"`
	Assignee    string            `json:"assignee_post"`
	CoUnits     []string          `json:"co_units"`
	Deadlines   []apiDeadline     `json:"deadline"`
	PausedUntil string            `json:"paused_until,omitempty"`
	Supervise   int               `json:"supervise_level"`
	Escalation  int               `json:"escalation_level"`
	Parent      string            `json:"parent,omitempty"`
	MergedInto  string            `json:"merged_into,omitempty"`
	Data        map[string]string `json:"data"`
	Public      apiPublic         `json:"public"`
	Allowed     []string          `json:"allowed_actions"` // that who asks may take now
	Version     int               `json:"version"`
	Created     time.Time         `json:"created_at"`
	Updated     time.Time         `json:"updated_at"`
	PIN         string            `json:"pin,omitempty"`  // when it is opened
	Link        string            `json:"link,omitempty"` // when it is opened
}

type apiCases struct {
	Cases []apiCase `json:"cases"`
	Next  string    `json:"next,omitempty"`
}

type apiCaseEvent struct {
	Seq         int               `json:"seq"`
	At          time.Time         `json:"at"`
	Occurred    time.Time         `json:"occurred_at"`
	Actor       string            `json:"actor,omitempty"`
	Post        string            `json:"post,omitempty"`
	OnBehalfOf  string            `json:"on_behalf_of,omitempty"`
	Action      string            `json:"action"`
	From        string            `json:"from"`
	To          string            `json:"to"`
	Payload     map[string]string `json:"payload,omitempty"`
	Attachments []string          `json:"attachments,omitempty"`
	Files       []apiFile         `json:"files,omitempty"` // what is known of the attachments
	Visibility  string            `json:"visibility"`
	Prev        string            `json:"prev_hash"`
	Hash        string            `json:"hash"`
}

type apiCaseEvents struct {
	Events []apiCaseEvent `json:"events"`
}

// view is a case as an actor may see it.
func (h *Handler) view(c *casework.Case, a *casework.Actor) apiCase {
	out := apiCase{
		ID: c.ID, TrackingNo: c.TrackingNo, System: c.System, Kind: c.Kind, KindVersion: c.Version, State: c.State, StateSince: c.StateSince, Severity: c.Severity, Category: c.Category,
		Title: c.Title, Description: c.Text, Lang: c.Lang, Source: c.Source, OwnerUnit: c.OwnerUnit, Assignee: c.Assignee, CoUnits: list(c.CoUnits), PausedUntil: c.PausedTo,
		Supervise: c.Supervise, Escalation: c.Escalation, Parent: c.Parent, MergedInto: c.MergedInto, Data: c.Data, Version: c.Events, Created: c.Created, Updated: c.Updated,
		Location: apiLocation{Accuracy: c.Location.AccuracyM, Address: c.Location.Address, Reach: c.Location.Reach, Area: c.Location.Area},
		Public:   apiPublic{Summary: apiText(c.Summary), Photos: []string{}}, Allowed: []string{}, Deadlines: []apiDeadline{},
	}
	if out.Data == nil {
		out.Data = map[string]string{}
	}
	if c.Location.HasPoint {
		out.Location.Point = &apiPoint{c.Location.Lat, c.Location.Lon}
		out.Public.Point = &apiPoint{math.Round(c.Location.Lat*1000) / 1000, math.Round(c.Location.Lon*1000) / 1000}
	}
	if c.Subject.Kind != "" {
		out.Subject = &apiSubject{c.Subject.Kind, c.Subject.ID}
	}
	if a.Reporter {
		out.ReporterID = c.Reporter
	}
	if t := h.Cases.TypeOf(c); t != nil {
		if st := t.State(c.State); st != nil {
			out.Public.State = st.Public
		}
		for _, x := range t.Allowed(c, a) {
			out.Allowed = append(out.Allowed, x.Name)
		}
	}
	now := h.Now()
	cal := h.Cases.Calendars(c.Location.Area)
	for i := range c.Deadlines {
		d := &c.Deadlines[i]
		s := d.Standing(c, now, cal)
		out.Deadlines = append(out.Deadlines, apiDeadline{
			Clock: d.Clock, Started: d.Started, Due: d.Due, Original: d.Original, Provisional: d.Provisional, Met: d.Met, State: s.State, RemainingWD: s.RemainingWD, OverdueWD: s.OverdueWD,
		})
	}
	return out
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
