package telemetryweb

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/alarm"
)

// apiAlarms is the list for programs, the newest first; the filters are those of
// the page, and all are given without state.
func (h *Handler) apiAlarms(c *call) error {
	f := c.alarmFilter()
	f.State = cmp.Or(f.State, "all")
	q, err := f.query(c)
	if err != nil {
		return err
	}
	n, err := c.limit(defaultPage, maxPage)
	if err != nil {
		return err
	}
	list, err := h.Alarms.List(c.ctx(), q)
	if err != nil {
		return err
	}
	if list, err = afterAlarm(list, c.query("cursor")); err != nil {
		return err
	}
	next := ""
	if n < len(list) && (!c.wantsLines() || c.query("limit") != "") {
		list = list[:n]
		next = alarmCursor(&list[n-1])
		c.link(next)
	}
	return c.alarmRows(h, list, f, next)
}

func (c *call) alarmRows(h *Handler, list []alarm.Episode, f alarmFilter, next string) error {
	if c.wantsLines() {
		return c.stream(func(emit func(v any) error) error {
			for part := range slices.Chunk(list, flushLines) {
				e := h.exportAlarms(c, part, f)
				for _, o := range e.objects() {
					if err := emit(o); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	e := h.exportAlarms(c, list, f)
	out := map[string]any{"rows": e.objects()}
	if next != "" {
		out["next"] = next
	}
	return c.answer(out)
}

func alarmCursor(e *alarm.Episode) string {
	return strconv.FormatInt(db.Micros(e.Start), 10) + "_" + e.ID
}

// afterAlarm leaves what follows a cursor: the list is by start, the latest
// first, then by ID.
func afterAlarm(list []alarm.Episode, cursor string) ([]alarm.Episode, error) {
	if cursor == "" {
		return list, nil
	}
	at, id, ok := strings.Cut(cursor, "_")
	start, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return nil, errs.New(errs.Malformed, "api.cursor")
	}
	for i := range list {
		if s := db.Micros(list[i].Start); s < start || s == start && list[i].ID > id {
			return list[i:], nil
		}
	}
	return nil, nil
}

// alarmTag changes with everything the interface tells of an alarm.
func alarmTag(e *alarm.Episode) (string, error) {
	body, err := json.Marshal(e)
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:12]), err
}

func (h *Handler) apiAlarm(c *call) error {
	e, _, err := h.findAlarm(c)
	if err != nil {
		return err
	}
	return h.oneAlarm(c, &e)
}

func (h *Handler) oneAlarm(c *call, e *alarm.Episode) error {
	tag, err := alarmTag(e)
	if err != nil {
		return err
	}
	c.strong(tag)
	table := h.exportAlarms(c, []alarm.Episode{*e}, alarmFilter{})
	return c.answer(table.objects()[0])
}

// actOnAlarm does something with an alarm and answers with it as it is then.
func (h *Handler) actOnAlarm(c *call, act func(id, note string) error) error {
	e, o, err := h.findAlarm(c)
	if err == nil {
		err = c.must(AckAlarms, o)
	}
	if err != nil {
		return err
	}
	tag, err := alarmTag(&e)
	if err != nil {
		return err
	}
	if err := c.match(func(have string) bool { return have == tag }); err != nil {
		return err
	}
	var in apiNote
	if c.op.Body != nil {
		if err := c.body(&in, true); err != nil {
			return err
		}
	}
	if err := act(e.ID, in.Note); err != nil {
		return err
	}
	if e, err = h.Alarms.Get(c.ctx(), e.ID); err != nil {
		return err
	}
	return h.oneAlarm(c, &e)
}

// maxInput bounds a body of the interface.
const maxInput = 64 << 10

// body reads a JSON body; a member that is none is errs.Malformed. An empty one
// is allowed where none says so.
func (c *call) body(into any, none bool) error {
	dec := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxInput))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if none && errors.Is(err, io.EOF) {
		return nil
	}
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return errs.Wrap(err, errs.TooLarge, "")
	}
	if err != nil {
		return errs.Wrap(err, errs.Malformed, "api.body", "fault", err.Error())
	}
	return nil
}

func (h *Handler) apiAcknowledge(c *call) error {
	return h.actOnAlarm(c, func(id, note string) error { return h.Alarms.Acknowledge(c.ctx(), id, note) })
}

func (h *Handler) apiTakeBack(c *call) error {
	return h.actOnAlarm(c, func(id, _ string) error { return h.Alarms.TakeBack(c.ctx(), id) })
}

func (h *Handler) apiCallFalse(c *call) error {
	return h.actOnAlarm(c, func(id, note string) error { return h.Alarms.CallFalse(c.ctx(), id, note) })
}

func (h *Handler) apiCallTrue(c *call) error {
	return h.actOnAlarm(c, func(id, _ string) error { return h.Alarms.CallTrue(c.ctx(), id) })
}
