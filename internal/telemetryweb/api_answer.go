package telemetryweb

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
)

// Page sizes of the lists.
const (
	defaultPage = 1000
	maxPage     = 10_000
)

// answer sends a value as JSON.
func (c *call) answer(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.json(body)
}

// json sends a body: in the interface only the fields that were asked for, with
// an ETag and without the body when the client has it already.
func (c *call) json(body []byte) error {
	h := c.w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	if c.op != nil {
		p, err := c.pick()
		if err != nil {
			return err
		}
		if p != nil {
			if body, err = p.cut(body, c.op.items); err != nil {
				return err
			}
		}
		if (c.op.Tagged || c.tag != "") && c.notModified(body) {
			return nil
		}
	}
	h.Set("Content-Type", "application/json")
	_, _ = c.w.Write(body) //nolint:gosec // JSON under nosniff is no page; the reader went away: nothing to do about it
	return nil
}

// notModified sets the validators of an answer and reports whether the client
// has it already; 304 is written then. If-None-Match goes before
// If-Modified-Since (RFC 9110 section 13.2.2).
func (c *call) notModified(body []byte) bool {
	if !c.modified.IsZero() {
		c.w.Header().Set("Last-Modified", c.modified.UTC().Format(http.TimeFormat))
		since, err := http.ParseTime(c.r.Header.Get("If-Modified-Since"))
		if err == nil && c.r.Header.Get("If-None-Match") == "" && c.r.Method == http.MethodGet && !c.modified.Truncate(time.Second).After(since) {
			c.w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	if c.tag == "" {
		sum := sha256.Sum256(body)
		return httpd.NotModified(c.w, c.r, hex.EncodeToString(sum[:12]))
	}
	if httpd.NotModified(c.w, c.r, c.tag) {
		return true
	}
	c.w.Header().Set("ETag", `"`+c.tag+`"`) // strong: If-Match may name it
	return false
}

// limit reads how many are asked for, def when the query does not say.
func (c *call) limit(def, most int) (int, error) {
	s := c.query("limit")
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil && len(s) > 9 && onlyDigits(s) {
		n, err = most, nil
	}
	if err != nil || n < 1 {
		return 0, errs.New(errs.Malformed, "api.bad_limit")
	}
	return min(n, most), nil
}

// link says in the header Link where the next page is (RFC 8288).
func (c *call) link(next string) {
	q := c.r.URL.Query()
	q.Set("cursor", next)
	c.w.Header().Add("Link", "<"+c.r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
}

// paged answers with a part of a list that is sorted by key; the cursor is the
// key of the last item, so a page goes on at the right place whatever came or
// went meanwhile. read reads a cursor.
func paged[T any, K cmp.Ordered](c *call, all []T, key func(*T) K, text func(K) string, read func(string) (K, bool)) error {
	def := defaultPage
	if c.wantsLines() {
		def = len(all)
	}
	n, err := c.limit(def, max(maxPage, def))
	if err != nil {
		return err
	}
	if s := c.query("cursor"); s != "" {
		after, ok := read(s)
		if !ok {
			return errs.New(errs.Malformed, "api.cursor")
		}
		i, found := slices.BinarySearchFunc(all, after, func(t T, k K) int { return cmp.Compare(key(&t), k) })
		if found {
			i++
		}
		all = all[i:]
	}
	next := ""
	if n < len(all) {
		all = all[:n]
		next = text(key(&all[n-1]))
		c.link(next)
	}
	if c.wantsLines() {
		return c.stream(func(emit func(any) error) error {
			for i := range all {
				if err := emit(all[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if all == nil {
		all = []T{}
	}
	out := map[string]any{c.op.items: all}
	if next != "" {
		out["next"] = next
	}
	return c.answer(out)
}

func sameText(s string) string        { return s }
func anyText(s string) (string, bool) { return s, true }
func idText[K ~uint32](k K) string    { return strconv.FormatUint(uint64(k), 10) }

func readID[K ~uint32](s string) (K, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return K(n), err == nil
}

// wantsLines reports whether the answer is to be NDJSON.
func (c *call) wantsLines() bool {
	if c.op == nil || c.op.Lines == nil {
		return false
	}
	return c.op.OnlyLines || strings.Contains(strings.ToLower(c.r.Header.Get("Accept")), "application/x-ndjson")
}

// Of a stream: how often it is sent on, and how long the reader may take for
// that.
const (
	flushLines = 500
	lineWait   = 5 * time.Minute
)

// errAway tells that the reader went away.
var errAway = errors.New("the reader went away")

// stream answers with one JSON document a line while they are made; nothing but
// a small buffer is held. A fault before the first line was sent is answered as
// any other; one behind it ends the stream with a line {"error": {…}}.
func (c *call) stream(lines func(emit func(v any) error) error) error {
	p, err := c.pick()
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	c.w.Header().Set("Cache-Control", "private, no-cache")
	out := &counted{w: c.w}
	buf := bufio.NewWriterSize(out, 32<<10)
	rc := http.NewResponseController(c.w)
	n := 0
	emit := func(v any) error {
		line, err := json.Marshal(v)
		if err == nil && p != nil {
			line, err = p.cut(line, "")
		}
		if err != nil {
			return err
		}
		if n++; n%flushLines == 0 {
			if c.ctx().Err() != nil {
				return errAway
			}
			_ = rc.SetWriteDeadline(time.Now().Add(lineWait)) //nolint:forbidigo // a deadline of the connection
			if buf.Flush() != nil {
				return errAway
			}
			_ = rc.Flush() // where it cannot, the lines go when the buffer is full
		}
		_, _ = buf.Write(line)
		if buf.WriteByte('\n') != nil {
			return errAway
		}
		return nil
	}
	err = lines(emit)
	switch {
	case errors.Is(err, errAway), err != nil && errors.Is(err, context.Canceled):
		return nil
	case err != nil && out.n == 0:
		return err
	case err != nil:
		_ = json.NewEncoder(buf).Encode(map[string]any{"error": httpd.Describe(c.r, err)})
	}
	_ = buf.Flush() // the reader may have gone away
	return nil
}

type counted struct {
	w http.ResponseWriter
	n int
}

func (o *counted) Write(p []byte) (int, error) {
	o.n += len(p)
	return o.w.Write(p)
}

// cut leaves only the fields that were asked for; items is the member that is
// a list of what the fields are of, "" = the document itself.
func (p pick) cut(body []byte, items string) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if items == "" {
		return json.Marshal(p.of(v))
	}
	if m, ok := v.(map[string]any); ok {
		m[items] = p.of(m[items])
	}
	return json.Marshal(v)
}
