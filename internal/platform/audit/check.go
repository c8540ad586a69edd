package audit

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// CheckLife is how long a named check stays open, a working day.
const CheckLife = 8 * time.Hour

// Check is the reason for which somebody who otherwise sees nothing personal in
// the record sees it for a while. It is kept in the record itself: who, when, why.
type Check struct {
	ID        string
	Why       string // in words; shown to those who were looked at
	Reference string // of the order or file, such as a number
	Until     time.Time
}

// Acts of checks.
const (
	actCheckOpen = "check.open"
	actCheckEnd  = "check.end"
)

// BeginCheck opens a named check of by, which is filled with who, post and time.
// A reason or reference that is missing or too long is errs.Invalid about "why" or
// "reference".
func BeginCheck(ctx context.Context, d *db.DB, why, reference string, by Entry) (Check, error) {
	c := Check{ID: uuid.Must(uuid.NewV7()).String(), Why: strings.TrimSpace(why), Reference: strings.TrimSpace(reference), Until: by.At.Add(CheckLife)}
	var bad errs.Checks
	bad.Require(utf8.RuneCountInString(c.Why) >= 10, "why", "err.record.why")
	bad.Require(utf8.RuneCountInString(c.Why) <= 500, "why", "err.field.long", "max", 500)
	bad.Require(c.Reference != "", "reference", "err.field.required")
	bad.Require(utf8.RuneCountInString(c.Reference) <= 100, "reference", "err.field.long", "max", 100)
	if err := bad.Err(); err != nil {
		return Check{}, err
	}
	by.System, by.Act, by.Kind, by.Ref, by.Detail = "platform", actCheckOpen, "audit_check", c.ID, c.Detail()
	return c, d.Tx(ctx, func(tx *db.Tx) error { return Append(ctx, tx, by) })
}

// EndCheck ends the check of by that is open; one that is over already is no error.
func EndCheck(ctx context.Context, d *db.DB, by Entry) error {
	c, err := OpenCheck(ctx, d, by.Who, by.At)
	if err != nil || c.ID == "" {
		return err
	}
	by.System, by.Act, by.Kind, by.Ref = "platform", actCheckEnd, "audit_check", c.ID
	return d.Tx(ctx, func(tx *db.Tx) error { return Append(ctx, tx, by) })
}

// Detail is the check as an entry's detail.
func (c Check) Detail() string {
	text, err := json.Marshal(Reason{Why: c.Why, Reference: c.Reference, Check: c.ID})
	if err != nil {
		panic(err) // there are only texts in it
	}
	return string(text)
}

// OpenCheck returns the check that somebody has open; its ID is "" when none is.
func OpenCheck(ctx context.Context, q db.Querier, who string, now time.Time) (c Check, err error) {
	err = List(ctx, q, Filter{Who: who, Act: "check.", From: now.Add(-CheckLife), Most: 1}, func(e *Entry) bool {
		if r := e.Reason(); e.Act == actCheckOpen && r.Why != "" { // a reason that was erased opens nothing
			c = Check{ID: e.Ref, Why: r.Why, Reference: r.Reference, Until: e.At.Add(CheckLife)}
		}
		return false
	})
	return c, err
}

// Reason is why somebody looked, as the detail of an entry says it.
type Reason struct {
	Why       string `json:"why"`
	Reference string `json:"reference,omitempty"`
	Check     string `json:"check,omitempty"` // id of the check
}

// Reason reads the detail of e; the zero value when it says none.
func (e *Entry) Reason() (r Reason) {
	_ = json.Unmarshal([]byte(e.Detail), &r) // a detail of another form says no reason
	return r
}
