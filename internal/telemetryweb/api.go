package telemetryweb

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"plateau/internal/platform/errs"
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
	if err := c.mustLogger(Frames, c.r.PathValue("mn")); err != nil {
		return err
	}
	from, err := c.instant("from", time.Time{})
	if err != nil {
		return err
	}
	to, err := c.instant("to", time.Time{})
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	limit, err := c.limit(defaultFrames, maxFramesPage)
	if err != nil {
		return err
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
		c.link(next)
	}
	c.w.WriteHeader(http.StatusOK)
	enc := json.NewEncoder(c.w)
	enc.SetEscapeHTML(false)
	for i := range page {
		f := &page[i]
		line := apiFrame{f.Seq, f.Index, f.Received.UTC().Format(time.RFC3339Nano), f.Raw, f.Verdict.Text(f.Reason)}
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
