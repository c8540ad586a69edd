package sensorthingsweb

import (
	"encoding/hex"
	"hash/fnv"
	"net/http"
	"strconv"

	"plateau/internal/platform/httpd"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/read"
)

// get answers GET and HEAD; rest is the escaped path behind the service root.
func (h *Handler) get(w http.ResponseWriter, r *http.Request, rest string) {
	path, err := query.ParsePath(rest)
	if err != nil {
		h.fault(w, r, err)
		return
	}
	out := &output{w: w, r: r}
	err = h.read.Answer(r.Context(), read.Request{
		Reader: h.d.Reader(r), Base: h.base(r), Path: path, Query: r.URL.RawQuery, Root: h.root(),
	}, out)
	switch {
	case err == nil:
		out.end()
	case out.begun:
		// Too late for an answer: break off, so that the client sees it.
		panic(http.ErrAbortHandler)
	default:
		h.fault(w, r, err)
	}
}

func (h *Handler) root() read.Root {
	root := read.Root{Conformance: h.d.Conformance}
	if h.d.MQTT != nil {
		root.MQTT = h.d.MQTT()
	}
	return root
}

// hold is how much of an answer is kept back, so that an error that comes up
// while it is made can still be told as such.
const hold = 256 << 10

// output is an answer under way.
type output struct {
	w     http.ResponseWriter
	r     *http.Request
	head  read.Head
	buf   []byte
	begun bool
}

// Begin takes the head; nothing is sent yet.
func (o *output) Begin(head read.Head) { o.head = head }

// Write takes a piece of the body.
func (o *output) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p...)
	if len(o.buf) < hold && !o.begun {
		return len(p), nil
	}
	return len(p), o.flush()
}

func (o *output) flush() error {
	if !o.begun {
		o.begun = true
		o.w.Header().Set("Content-Type", o.head.Type)
		if o.w.Header().Get("Cache-Control") == "" {
			o.w.Header().Set("Cache-Control", "private, no-cache")
		}
		if o.head.File != "" {
			o.w.Header().Set("Content-Disposition", `attachment; filename="`+o.head.File+`"`)
		}
		if o.head.Next != "" {
			o.w.Header().Set("Link", "<"+o.head.Next+`>; rel="next"`)
		}
		o.w.WriteHeader(http.StatusOK)
	}
	if o.r.Method == http.MethodHead {
		o.buf = o.buf[:0]
		return nil
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *output) end() {
	if o.head.Empty {
		o.w.WriteHeader(http.StatusNoContent)
		return
	}
	if o.head.Single && !o.begun {
		sum := fnv.New128a()
		_, _ = sum.Write(o.buf) // never fails
		if httpd.NotModified(o.w, o.r, strconv.Itoa(len(o.buf))+"-"+hex.EncodeToString(sum.Sum(nil))) {
			return
		}
	}
	if !o.begun && o.r.Method == http.MethodHead {
		o.w.Header().Set("Content-Length", strconv.Itoa(len(o.buf)))
	}
	_ = o.flush() // the client may be gone
}
