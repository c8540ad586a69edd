package telemetryweb

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Page sizes of the frames interface.
const (
	defaultFrames = 1000
	maxFramesPage = 5000
)

// apiFrames lists what was received from a logger, one JSON object a line in
// order of arrival; the header Next-Cursor leads to the next page. The list of
// a logger that never sent is empty, so that a program may ask before it does.
func (h *Handler) apiFrames(c *call) error {
	from, err := c.instant("from", time.Time{})
	if err != nil {
		return err
	}
	to, err := c.instant("to", time.Time{})
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	limit := defaultFrames
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil && len(s) > 9 && onlyDigits(s) {
			n, err = maxFramesPage, nil
		}
		if err != nil || n < 1 {
			return errs.New(errs.Malformed, "api.bad_limit")
		}
		limit = min(n, maxFramesPage)
	}
	cursor := q.Get("cursor")
	if cursor != "" {
		if _, err := store.ParseLocator(cursor); err != nil {
			return errs.Wrap(err, errs.Malformed, "api.bad_cursor")
		}
	}
	page, next, err := h.Journal.Frames(c.r.PathValue("mn"), from, to, cursor, limit)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	c.w.Header().Set("Cache-Control", "private, no-cache")
	if next != "" {
		c.w.Header().Set("Next-Cursor", next)
	}
	c.w.WriteHeader(http.StatusOK)
	enc := json.NewEncoder(c.w)
	enc.SetEscapeHTML(false)
	for i := range page {
		f := &page[i]
		line := struct {
			Seq      uint64          `json:"seq"`
			Index    uint16          `json:"index"`
			Received string          `json:"received"`
			Raw      hj212.FrameText `json:"raw"`
			Verdict  string          `json:"verdict"`
		}{f.Seq, f.Index, f.Received.UTC().Format(time.RFC3339Nano), f.Raw, f.Verdict.Text(f.Reason)}
		if err := enc.Encode(line); err != nil {
			return nil //nolint:nilerr // the status is sent and the reader went away
		}
	}
	return nil
}

// instant reads a time in RFC 3339 from the query, def when there is none. A
// "+" that was not escaped has become a blank there.
func (c *call) instant(name string, def time.Time) (time.Time, error) {
	s := c.query(name)
	if s == "" {
		return def, nil
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(strings.ReplaceAll(s, " ", "+")))
	if err != nil {
		return t, errs.Wrap(err, errs.Malformed, "api.bad_time", "name", name)
	}
	return t, nil
}

func onlyDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// known reports whether a logger is or was registered.
func (c *call) known(mn string) bool {
	if c.snap.Devices[mn] != nil {
		return true
	}
	for i := range c.snap.Past {
		if c.snap.Past[i].MN == mn {
			return true
		}
	}
	return false
}

func (c *call) json(body []byte) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "private, no-cache")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = c.w.Write(body) //nolint:gosec // JSON under nosniff is no page; the reader went away: nothing to do about it
	return nil
}

// apiOutlet is an outlet in the interface.
type apiOutlet struct {
	ID         telemetry.OutletID `json:"id"`
	Name       string             `json:"name"`
	Enterprise string             `json:"enterprise"`
	Area       string             `json:"area"`
	Medium     string             `json:"medium"`
	Lon        float64            `json:"lon"`
	Lat        float64            `json:"lat"`
	Sample     bool               `json:"sample"`
	State      string             `json:"state"`
	Since      any                `json:"since"`
	Factor     string             `json:"factor,omitempty"`
	Value      any                `json:"value"`
	Devices    []string           `json:"devices"`
}

func (h *Handler) apiOutlets(c *call) error {
	list, err := h.states(c, c.filter())
	if err != nil {
		return err
	}
	mns := map[telemetry.OutletID][]string{}
	for _, mn := range sortedKeys(c.snap.Devices) {
		id := c.snap.Devices[mn].Outlet
		mns[id] = append(mns[id], mn)
	}
	out := make([]apiOutlet, 0, len(list))
	for _, s := range list {
		o := c.snap.Outlets[s.Outlet]
		devices := mns[o.ID]
		if devices == nil {
			devices = []string{}
		}
		out = append(out, apiOutlet{
			ID: o.ID, Name: o.Name.Zh, Enterprise: o.Enterprise, Area: o.Area, Medium: string(o.Medium), Lon: o.Lon, Lat: o.Lat, Sample: o.Sample,
			State: s.State.String(), Since: isoOf(s.Since), Factor: s.Factor, Value: plain(s.Value), Devices: devices,
		})
	}
	body, err := json.Marshal(map[string]any{"outlets": out})
	if err != nil {
		return err
	}
	return c.json(body)
}

func (h *Handler) apiHours(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	from, to, err := c.span(24 * time.Hour)
	if err != nil {
		return err
	}
	if to.Sub(from) > maxRecordsSpan {
		return errs.New(errs.Malformed, "api.long_span", "days", int(maxRecordsSpan/(24*time.Hour)))
	}
	rows, err := s.Hours(from, to)
	if err != nil {
		return err
	}
	e := h.exportHours(c, o, rows)
	e.Name = "hours"
	body, err := e.json(c)
	if err != nil {
		return err
	}
	return c.json(body)
}
