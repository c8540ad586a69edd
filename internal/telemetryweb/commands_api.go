package telemetryweb

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/dialogue"
)

// apiOrder is a command as a program gives it.
type apiOrder struct {
	Act     string            `json:"act"`
	Params  map[string]string `json:"params,omitempty"`
	Confirm bool              `json:"confirm,omitempty"` // needed for acts that change how a logger measures, counts time or is let in
}

// apiRecord is a dialogue in the interface.
type apiRecord struct {
	ID       string            `json:"id"`
	MN       string            `json:"mn"`
	Act      string            `json:"act"`
	CN       int               `json:"cn"`
	Params   map[string]string `json:"params"`
	Origin   string            `json:"origin"`
	By       string            `json:"by"`
	Started  any               `json:"started" api:"time?"`
	Ended    any               `json:"ended" api:"time?"`
	Outcome  string            `json:"outcome"` // running, done, no_answer, …
	QN       string            `json:"qn,omitempty"`
	Attempts int               `json:"attempts"`
	QnRtn    *int              `json:"qn_rtn"`
	ExeRtn   *int              `json:"exe_rtn"`
	Frames   int               `json:"frames"` // of data
	Values   map[string]string `json:"values,omitempty"`
	Steps    []dialogue.Step   `json:"steps"`
}

func toAPIRecord(r *dialogue.Record) apiRecord {
	code := func(n int) *int {
		if n < 0 {
			return nil
		}
		return &n
	}
	out := apiRecord{
		ID: r.ID, MN: r.MN, Act: r.Act, CN: r.CN, Params: r.Params, Origin: r.Origin, By: r.By, Started: isoOf(r.Started), Ended: isoOf(r.Ended), Outcome: r.Outcome,
		QN: r.QN, Attempts: r.Attempts, QnRtn: code(r.QnRtn), ExeRtn: code(r.ExeRtn), Frames: r.Data, Values: r.Values, Steps: r.Steps,
	}
	if out.Params == nil {
		out.Params = map[string]string{}
	}
	if out.Steps == nil {
		out.Steps = []dialogue.Step{}
	}
	return out
}

// maxWait bounds how long an answer waits for the end of a dialogue, in seconds,
// and maxKey the header Idempotency-Key: keys stay in the log.
const (
	maxWait = 60
	maxKey  = 200
)

// apiCommand begins a dialogue: 202 with it as it is then, or, when it is over
// within the seconds of "wait", 200. A second request with the same header
// Idempotency-Key sends nothing and answers with the dialogue of the first.
func (h *Handler) apiCommand(c *call) error {
	mn := c.r.PathValue("mn")
	if c.snap.Devices[mn] == nil || h.Dialogues == nil {
		return notFound()
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	var in apiOrder
	dec := json.NewDecoder(io.LimitReader(c.r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return errs.Wrap(err, errs.Malformed, "api.bad_command")
	}
	wait, err := strconv.Atoi("0" + c.query("wait"))
	if err != nil || wait > maxWait {
		return errs.New(errs.Malformed, "api.bad_wait", "most", maxWait)
	}
	key := c.r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return errs.New(errs.Malformed, "api.bad_key", "most", maxKey)
	}
	version := h.speaks(mn)
	act, ok := dialogue.Find(in.Act, version)
	if !ok {
		return errs.New(errs.Invalid, "api.bad_field", "field", "act", "text", c.l.T("command.unknown"))
	}
	instant := func(name string) (time.Time, bool) {
		t, err := time.Parse(time.RFC3339, in.Params[name])
		return t, err == nil
	}
	ask, wrong := act.Read(version, c.now, func(name string) string { return in.Params[name] }, instant)
	if len(wrong) > 0 {
		return errs.New(errs.Invalid, "api.bad_field", "field", wrong[0].Field, "text", c.l.T(wrong[0].Key))
	}
	if act.Danger && !in.Confirm {
		return errs.New(errs.Invalid, "api.bad_field", "field", "confirm", "text", c.l.T("api.confirm"))
	}
	rec, _, err := h.Dialogues.Start(c.ctx(), dialogue.Order{
		MN: mn, Act: act.Name, Command: ask.Command, Params: ask.Params, Secret: ask.Secret, Origin: dialogue.FromAPI, Key: key,
	})
	if err != nil {
		return err
	}
	for end := time.After(time.Duration(wait) * time.Second); wait > 0 && !rec.Over(); {
		select {
		case <-end:
			wait = 0
		case <-c.ctx().Done():
			return c.ctx().Err()
		case <-time.After(100 * time.Millisecond):
			if rec, err = h.Dialogues.Get(c.ctx(), rec.ID); err != nil {
				return err
			}
		}
	}
	c.w.Header().Set("Location", "/api/v1/dialogues/"+rec.ID)
	status := http.StatusAccepted
	if rec.Over() {
		status = http.StatusOK
	}
	return c.jsonAs(status, toAPIRecord(&rec))
}

// jsonAs answers with a status and a value.
func (c *call) jsonAs(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "private, no-cache")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the reader may have gone away
	return nil
}

func (h *Handler) apiDialogue(c *call) error {
	if h.Dialogues == nil {
		return notFound()
	}
	r, err := h.Dialogues.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.mustLogger(Devices, r.MN); err != nil {
		return err
	}
	if r.Over() {
		c.modified = r.Ended
	}
	return c.answer(toAPIRecord(&r))
}

// apiDialogues lists the last dialogues with a logger, the newest first.
func (h *Handler) apiDialogues(c *call) error {
	if h.Dialogues == nil {
		return notFound()
	}
	if err := c.mustLogger(Devices, c.r.PathValue("mn")); err != nil {
		return err
	}
	list, err := h.Dialogues.List(c.ctx(), c.r.PathValue("mn"), 200)
	if err != nil {
		return err
	}
	out := make([]apiRecord, 0, len(list))
	for i := range list {
		out = append(out, toAPIRecord(&list[i]))
	}
	return c.answer(apiDialogues{out})
}
