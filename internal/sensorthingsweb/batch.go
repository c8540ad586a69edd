package sensorthingsweb

import (
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/write"
)

// Bounds of a batch.
const (
	maxParts  = 10_000
	maxAnswer = 64 << 20 // of one request inside of it, in bytes
)

// batch answers POST /$batch (clause 11): multipart or JSON.
func (h *Handler) batch(w http.ResponseWriter, r *http.Request) {
	err := h.may(r, needs(h.routes, http.MethodPost, true))
	if err == nil && r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		err = refusal(http.StatusMethodNotAllowed, "batches are sent with POST")
	}
	var body []byte
	if err == nil {
		body, err = readBody(w, r, maxBulk)
	}
	if err == nil {
		switch mediaType(r.Header.Get("Content-Type")) {
		case "multipart/mixed":
			err = h.multipart(w, r, body)
		case "application/json":
			err = h.jsonBatch(w, r, body)
		default:
			err = refusal(http.StatusUnsupportedMediaType, "send multipart/mixed with a boundary, or application/json")
		}
	}
	if err != nil {
		h.refuse(w, r, err)
	}
}

// inner is one request inside of a batch.
type inner struct {
	name   string // Content-ID, or id in JSON
	method string
	url    string // as it came
	header textproto.MIMEHeader
	body   []byte
	fault  error // it could not be read
}

// outcome is what a request inside of a batch is answered with.
type outcome struct {
	status int
	header http.Header
	body   bytes.Buffer
	made   write.Ref // by POST
	stored int64     // Observations of a data array
}

// Header implements http.ResponseWriter.
func (a *outcome) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter.
func (a *outcome) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *outcome) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(p) > maxAnswer {
		return 0, fmt.Errorf("more than %d MiB", maxAnswer>>20)
	}
	return a.body.Write(p)
}

// within makes the request that a handler would have got for q.
func within(r *http.Request, q *inner, rest, rawQuery string) *http.Request {
	sub := r.WithContext(r.Context())
	sub.Method = q.method
	sub.Header = http.Header{}
	for name, v := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "Authorization" || name == "Cookie" {
			sub.Header[name] = v
		}
	}
	for name, v := range q.header {
		if name == "Content-Type" || name == "Accept" {
			sub.Header[name] = v
		}
	}
	sub.URL = &url.URL{Path: Root + rest, RawQuery: rawQuery}
	sub.Body, sub.ContentLength = http.NoBody, 0
	return sub
}

// alone carries out one request outside of a change set.
func (h *Handler) alone(r *http.Request, q *inner, names map[string]write.Ref) (a *outcome) {
	a = &outcome{}
	rest, rawQuery, err := inside(q.url, func(name string) (write.Ref, bool) { ref, ok := names[name]; return ref, ok })
	if q.fault != nil {
		err = q.fault
	}
	sub := within(r, q, rest, rawQuery)
	if err != nil {
		h.refuse(a, sub, err)
		return a
	}
	defer func() { // a read breaks off what it cannot send
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler { //nolint:errorlint // panics carry the value itself
				panic(v)
			}
			a = &outcome{}
			h.fault(a, sub, refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("the answer is longer than the %d MiB that one request of a batch may have; ask by itself", maxAnswer>>20)))
		}
	}()
	switch q.method {
	case http.MethodGet, http.MethodHead:
		h.get(a, sub, rest)
	default:
		if err := h.ready(a, sub, 1); err != nil {
			h.refuse(a, sub, err)
			return a
		}
		h.act(a, sub, rest, q.body)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if loc := a.Header().Get("Location"); a.status == http.StatusCreated && loc != "" {
		a.made = madeAt(loc)
	}
	return a
}

// madeAt reads back what a Location header says.
func madeAt(location string) write.Ref {
	p, err := query.ParsePath(location[strings.LastIndexByte(location, '/'):])
	if err != nil || len(p.Steps) != 1 {
		return write.Ref{}
	}
	return write.Ref{Set: p.Steps[0].Set, ID: p.Steps[0].Key}
}

// inside finds in an address of a batch the escaped path behind the service root
// and the raw query. It may be absolute, begin with the path of this host, or be
// relative to the root; $x stands for what the request of that name made.
func inside(address string, named func(string) (write.Ref, bool)) (rest, rawQuery string, err error) {
	address = strings.TrimSpace(address)
	rest, rawQuery, _ = strings.Cut(address, "?")
	if _, after, ok := strings.Cut(rest, "://"); ok {
		i := strings.IndexByte(after, '/')
		if i < 0 {
			i = len(after)
		}
		rest = after[i:]
	}
	switch version := Root[strings.LastIndexByte(Root, '/'):]; {
	case strings.Contains(rest+"/", Root+"/"):
		_, rest, _ = strings.Cut(rest, Root)
	case strings.HasPrefix(rest+"/", version+"/"):
		rest = rest[len(version):]
	case strings.HasPrefix(rest+"/", version[1:]+"/"):
		rest = rest[len(version)-1:]
	}
	rest = "/" + strings.Trim(rest, "/")
	if strings.HasPrefix(rest, "/$") && !strings.HasPrefix(rest, "/$batch") {
		name, more, _ := strings.Cut(rest[2:], "/")
		ref, ok := named(name)
		if !ok {
			return "", "", refusal(http.StatusBadRequest, fmt.Sprintf("%.60q: no request before this one made anything under the name %.40q", address, name))
		}
		rest = string(appendAddress(nil, "", ref))
		if more != "" {
			rest += "/" + more
		}
	}
	if rest == "/" {
		rest = ""
	}
	rest = strings.ReplaceAll(rest, " ", "%20")
	if _, err := url.PathUnescape(rest); err != nil {
		return "", "", refusal(http.StatusBadRequest, fmt.Sprintf("the address %.60q has a wrong %% in it", address))
	}
	return rest, strings.ReplaceAll(rawQuery, " ", "%20"), nil
}

// changeSet carries out requests as one transaction. On failure nothing of them
// is there, and failed tells which one it was; w gets the headers of the refusal.
// names are those of what was made before.
func (h *Handler) changeSet(w http.ResponseWriter, r *http.Request, list []inner, names map[string]write.Ref) (answers []*outcome, failed int, err error) {
	if err := h.ready(w, r, len(list)); err != nil {
		return nil, 0, err
	}
	base := h.base(r)
	err = h.d.Write.Update(r.Context(), func(s *write.Session) error {
		answers = answers[:0]
		for name, ref := range names {
			s.Name(name, ref)
		}
		for i := range list {
			failed = i
			a, err := h.step(r, s, &list[i], base)
			if err != nil {
				return err
			}
			answers = append(answers, a)
		}
		return nil
	})
	if err == nil {
		for _, a := range answers {
			h.count.requests.Add(1)
			h.count.observations.Add(a.stored)
			if a.made.Set == sensorthings.Observations {
				h.count.observations.Add(1)
			}
		}
	}
	return answers, failed, err
}

// step carries out one request of a change set.
func (h *Handler) step(r *http.Request, s *write.Session, q *inner, base string) (*outcome, error) {
	if q.fault != nil {
		return nil, q.fault
	}
	if err := checkType(q.method, q.header.Get("Content-Type")); err != nil {
		return nil, err
	}
	rest, _, err := inside(q.url, s.Named)
	if err != nil {
		return nil, err
	}
	ctx, a := r.Context(), &outcome{status: http.StatusOK}
	if rest == createObservations && q.method == http.MethodPost {
		rows, err := s.CreateObservations(ctx, q.body)
		if err != nil {
			return nil, err
		}
		a.status = 0
		a.stored = h.sendRows(a, base, rows)
		return a, nil
	}
	path, err := query.ParsePath(rest)
	if err != nil {
		return nil, err
	}
	var ref write.Ref
	switch q.method {
	case http.MethodPost:
		if ref, err = s.Post(ctx, path, q.body); err == nil {
			a.status, a.made = http.StatusCreated, ref
			a.Header().Set("Location", string(appendAddress(nil, base, ref)))
		}
	case http.MethodPatch:
		if mediaType(q.header.Get("Content-Type")) == jsonPatch {
			ref, err = s.JSONPatch(ctx, path, q.body)
		} else {
			ref, err = s.Patch(ctx, path, q.body)
		}
	case http.MethodPut:
		ref, err = s.Put(ctx, path, q.body)
	case http.MethodDelete:
		_, err = s.Delete(ctx, path)
	default:
		err = refusal(http.StatusBadRequest, fmt.Sprintf("%.20s cannot stand in a change set, which only changes: POST, PATCH, PUT or DELETE", q.method))
	}
	if err == nil && q.name != "" && ref.ID != 0 {
		s.Name(q.name, ref)
	}
	return a, err
}
