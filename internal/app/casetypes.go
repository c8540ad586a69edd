package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"plateau/casetypes"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/people"
	"plateau/internal/telemetry"
)

// CaseTypesDir is the folder of an installation's own case types in the data folder.
const CaseTypesDir = "casetypes"

// loadCaseTypes reads the case types of the program, and over them those of the data
// folder.
func loadCaseTypes(data string) (*casework.Types, error) {
	dir := filepath.Join(data, CaseTypesDir)
	t, err := casework.Load(casetypes.Files(), os.DirFS(dir), dir)
	if err != nil {
		return nil, fmt.Errorf("case types (docs/case-types.md): %w", err)
	}
	return t, nil
}

// CaseTypes are the case types of an installation: those that the next start of its
// server loads.
func CaseTypes(o Options) (*casework.Types, error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.Data); err != nil {
		return nil, fmt.Errorf("the data folder: %w", err)
	}
	return loadCaseTypes(c.Data)
}

// MoveOrder is open cases that are to go on with another version of their type.
type MoveOrder struct {
	Kind   string
	From   int               // version
	To     int               // version; 0 = that of File
	States map[string]string // old to new
	File   string            // the text of the new version, to look at only; "" = the installation has it
}

// MoveAnswer is what became of them, or would.
type MoveAnswer struct {
	To    int // version
	Moved []casework.Moved
	Cases int // that were moved; 0 of a preview
}

func (o *MoveOrder) query(act string) url.Values {
	q := url.Values{"act": {act}, "kind": {o.Kind}, "from": {strconv.Itoa(o.From)}, "to": {strconv.Itoa(o.To)}, "file": {o.File}}
	for from, to := range o.States {
		q.Add("state", from)
		q.Add("becomes", to)
	}
	return q
}

func (a *App) orderMove(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	o := MoveOrder{Kind: q.Get("kind"), File: q.Get("file"), States: map[string]string{}}
	o.From, _ = strconv.Atoi(q.Get("from"))
	o.To, _ = strconv.Atoi(q.Get("to"))
	if len(q["state"]) != len(q["becomes"]) {
		return nil, errors.New("each state must become one")
	}
	for i, s := range q["state"] {
		o.States[s] = q["becomes"][i]
	}
	return o.do(ctx, a.cases, q.Get("act"))
}

// PreviewMove tells what a moving makes of open cases and changes nothing; MoveCases
// does it. The running server is asked, or, when there is none, this process does it.
// Of o they take the configuration.
func PreviewMove(ctx context.Context, o Options, order MoveOrder) (MoveAnswer, error) {
	return order.ask(ctx, o, "preview")
}

// MoveCases moves open cases to another version of their type, all or none.
func MoveCases(ctx context.Context, o Options, order MoveOrder) (MoveAnswer, error) {
	return order.ask(ctx, o, "move")
}

func (o *MoveOrder) ask(ctx context.Context, of Options, act string) (out MoveAnswer, err error) {
	err = ordered(ctx, &of, "case-move", "cases", o.query(act), &out, func(ctx context.Context, c *config.Config, d *db.DB, now func() time.Time) error {
		types, err := loadCaseTypes(c.Data)
		if err != nil {
			return err
		}
		workdays, err := loadCalendars(c.Data)
		if err != nil {
			return err
		}
		r, err := telemetry.Open(ctx, d, now)
		if err != nil {
			return err
		}
		defer r.Close()
		s, err := newCases(ctx, d, types, workdays, r, people.New(d, now, registryPlaces{r}, nil), now)
		if err != nil {
			return err
		}
		out, err = o.do(ctx, s, act)
		return err
	})
	return out, err
}

func (o *MoveOrder) do(ctx context.Context, s *casework.Service, act string) (out MoveAnswer, err error) {
	m := casework.Moving{Kind: o.Kind, From: o.From, To: o.To, States: o.States}
	var next *casework.Type
	if o.File != "" {
		var faults casework.Faults
		if next, faults = casework.Parse("the new version", []byte(o.File)); len(faults) > 0 {
			return out, errors.New(faults.String())
		}
		m.To = next.Version
	} else if next, _ = s.Types.Version(o.Kind, o.To); next == nil {
		return out, fmt.Errorf("this installation has no version %d of kind %s; put its file into the folder %s of the data folder and start the server anew", o.To, o.Kind, CaseTypesDir)
	}
	out.To = m.To
	if out.Moved, err = s.Preview(ctx, m, next); err != nil || act != "move" {
		return out, err
	}
	out.Cases, err = s.Move(ctx, m)
	return out, err
}
