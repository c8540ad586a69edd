package dialogue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
)

// Step is a step of a dialogue, or a run of data that came one frame after the
// other.
type Step struct {
	Step gateway.Step `json:"step"`
	At   time.Time    `json:"at"`
	Code int          `json:"code"` // QnRtn or ExeRtn, -1 when missing
	N    int          `json:"n"`    // frames
	// DataTime of the first and of the last frame; zero when there is none.
	DataTime time.Time `json:"data_time,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Frame    string    `json:"frame,omitempty"` // place of the device's first frame in the journal
	Sent     string    `json:"sent,omitempty"`  // our frame, without password
}

// Record is a dialogue as the log keeps it.
type Record struct {
	ID             string
	MN             string
	Outlet         telemetry.OutletID // 0 = none
	Act            string
	CN             int
	Params         map[string]string
	Origin         string
	ByID, By       string // user and post
	Started, Ended time.Time
	Outcome        string
	QN             string
	Attempts       int
	QnRtn, ExeRtn  int // -1 = none
	Data           int // frames
	Steps          []Step
	Values         map[string]string // settings that the logger told
}

// Over reports whether the dialogue has ended.
func (r *Record) Over() bool { return r.Outcome != Running }

// maxSteps bounds the steps kept of a dialogue: a logger may send on for ever.
const maxSteps = 100

// note takes a step in; the frames of a run of data become one.
func (r *Record) note(e gateway.Event) {
	if n := len(r.Steps); n > 0 && e.Step == gateway.StepData && r.Steps[n-1].Step == gateway.StepData {
		r.Steps[n-1].N++
		r.Steps[n-1].Last = e.DataTime
		return
	}
	if len(r.Steps) >= maxSteps {
		return
	}
	s := Step{Step: e.Step, At: e.At.UTC(), Code: e.Code, N: 1, DataTime: e.DataTime, Last: e.DataTime}
	switch {
	case !e.Locator.IsZero():
		s.Frame = e.Locator.String()
	case e.Step == gateway.StepSent, e.Step == gateway.StepResent:
		s.Sent = masked(e.Frame)
	}
	r.Steps = append(r.Steps, s)
}

type detail struct {
	Steps  []Step            `json:"steps"`
	Values map[string]string `json:"values,omitempty"`
}

func (r *Record) detail() string {
	b, err := json.Marshal(detail{r.Steps, r.Values})
	if err != nil {
		return "{}" // texts and numbers always can be written
	}
	return string(b)
}

const columns = `id, mn, outlet, act, cn, params, origin, by_id, by_post, started, ended, outcome, qn, attempts, qn_rtn, exe_rtn, frames, detail`

func (s *Service) insert(ctx context.Context, r *Record, key string) error {
	params, err := json.Marshal(r.Params)
	if err != nil {
		return err
	}
	const text = `INSERT INTO dialogues (id, mn, outlet, act, cn, params, origin, by_id, by_post, ask_key, started, outcome, qn, attempts, qn_rtn, exe_rtn, frames, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 0, -1, -1, 0, '{}')`
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, text, r.ID, r.MN, int64(r.Outlet), r.Act, r.CN, string(params), r.Origin, r.ByID, r.By, sql.NullString{String: key, Valid: key != ""}, db.Micros(r.Started), r.Outcome); err != nil {
			return err
		}
		if r.ByID == auth.System.ID { // what the program asks by itself is in the log of dialogues
			return nil
		}
		return audit.Append(ctx, tx, audit.Entry{
			At: r.Started, Who: r.ByID, Post: r.By, System: "telemetry", Act: "command." + r.Act, Kind: "device", Ref: r.MN,
			Detail: `{"dialogue":"` + r.ID + `"}`,
		})
	})
}

func (s *Service) update(ctx context.Context, r *Record) error {
	_, err := s.o.DB.Exec(ctx, `UPDATE dialogues SET ended = $2, outcome = $3, qn = $4, attempts = $5, qn_rtn = $6, exe_rtn = $7, frames = $8, detail = $9 WHERE id = $1`,
		r.ID, db.MicrosOrNull(r.Ended), r.Outcome, r.QN, r.Attempts, r.QnRtn, r.ExeRtn, r.Data, r.detail())
	return err
}

// breakOff ends what a former program left under way.
func (s *Service) breakOff(ctx context.Context) error {
	if _, err := s.o.DB.Exec(ctx, `UPDATE dialogues SET outcome = $1 WHERE outcome = $2`, Broken, Running); err != nil {
		return fmt.Errorf("end broken dialogues: %w", err)
	}
	return nil
}

func scan(row interface{ Scan(...any) error }) (Record, error) {
	var r Record
	var params, text string
	var started int64
	var ended sql.NullInt64
	if err := row.Scan(&r.ID, &r.MN, &r.Outlet, &r.Act, &r.CN, &params, &r.Origin, &r.ByID, &r.By, &started, &ended, &r.Outcome,
		&r.QN, &r.Attempts, &r.QnRtn, &r.ExeRtn, &r.Data, &text); err != nil {
		return r, err
	}
	r.Started, r.Ended = db.Time(started), db.TimeOrZero(ended)
	var d detail
	err := errors.Join(json.Unmarshal([]byte(params), &r.Params), json.Unmarshal([]byte(text), &d))
	r.Steps, r.Values = d.Steps, d.Values
	return r, err
}

// Get returns a dialogue; errs.NotFound when there is none. One under way is
// shown with the steps it has come to.
func (s *Service) Get(ctx context.Context, id string) (Record, error) {
	r, err := scan(s.o.DB.QueryRow(ctx, `SELECT `+columns+` FROM dialogues WHERE id = $1`, id))
	if err != nil {
		return r, db.NotFound(err)
	}
	return s.live(r), nil
}

// live puts the present steps in place of those written last.
func (s *Service) live(r Record) Record {
	s.mu.Lock()
	now := s.runs[r.MN]
	s.mu.Unlock()
	if now != nil && r.Outcome == Running {
		if rec := now.record(); rec.ID == r.ID {
			return rec
		}
	}
	return r
}

func (s *Service) byKey(ctx context.Context, by, key string) (Record, error) {
	r, err := scan(s.o.DB.QueryRow(ctx, `SELECT `+columns+` FROM dialogues WHERE by_id = $1 AND ask_key = $2`, by, key))
	if err != nil {
		return r, db.NotFound(err)
	}
	return s.live(r), nil
}

// List returns the last dialogues with a logger, the newest first.
func (s *Service) List(ctx context.Context, mn string, limit int) ([]Record, error) {
	return s.list(ctx, `mn = $1 ORDER BY id DESC LIMIT $2`, mn, limit)
}

// Between returns the dialogues that began in [from, to), the newest first.
func (s *Service) Between(ctx context.Context, from, to time.Time, limit int) ([]Record, error) {
	return s.list(ctx, `started >= $1 AND started < $2 ORDER BY id DESC LIMIT $3`, db.Micros(from), db.Micros(to), limit)
}

func (s *Service) list(ctx context.Context, where string, args ...any) ([]Record, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT `+columns+` FROM dialogues WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, s.live(r))
	}
	return out, rows.Err()
}
