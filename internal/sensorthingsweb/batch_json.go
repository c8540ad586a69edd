package sensorthingsweb

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/write"
)

// jsonRequest is one request of a batch in JSON (OData JSON format 4.01, clause
// 19); requests of one atomicityGroup stand together.
type jsonRequest struct {
	ID        string            `json:"id"`
	Group     string            `json:"atomicityGroup"`
	DependsOn []string          `json:"dependsOn"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
}

func (j *jsonRequest) request() inner {
	q := inner{name: j.ID, method: strings.ToUpper(j.Method), url: j.URL, header: textproto.MIMEHeader{}, body: j.Body}
	for name, v := range j.Headers {
		q.header.Set(name, v)
	}
	q.check()
	return q
}

// jsonBatch answers a batch in JSON.
func (h *Handler) jsonBatch(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		Requests []jsonRequest `json:"requests"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Requests == nil {
		return refusal(http.StatusBadRequest, `the batch is no JSON like {"requests": [{"id": "0", "method": "get", "url": "Things"}]}`)
	}
	if len(in.Requests) > maxParts {
		return refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d requests in one batch", maxParts))
	}
	if err := checkGroups(in.Requests); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = out.WriteString(`{"responses":[`)
	b := jsonBatch{h: h, r: r, out: out, names: map[string]write.Ref{}, failed: map[string]bool{}}
	for list := in.Requests; len(list) > 0; {
		n := 1
		for n < len(list) && list[0].Group != "" && list[n].Group == list[0].Group {
			n++
		}
		b.run(list[:n])
		list = list[n:]
	}
	_, _ = out.WriteString("]}")
	_ = out.Flush() // the client may be gone
	return nil
}

// checkGroups refuses requests that cannot be told apart and groups that do not
// stand together.
func checkGroups(list []jsonRequest) error {
	ids, groups := map[string]bool{}, map[string]bool{}
	for i := range list {
		q := &list[i]
		if q.ID == "" || ids[q.ID] {
			return refusal(http.StatusBadRequest, fmt.Sprintf("requests[%d] needs an id that no other request has", i))
		}
		ids[q.ID] = true
		if q.Group == "" || i > 0 && list[i-1].Group == q.Group {
			continue
		}
		if groups[q.Group] {
			return refusal(http.StatusBadRequest, fmt.Sprintf("requests[%d]: those of atomicityGroup %.40q do not stand together", i, q.Group))
		}
		groups[q.Group] = true
	}
	return nil
}

type jsonBatch struct {
	h      *Handler
	r      *http.Request
	out    *bufio.Writer
	names  map[string]write.Ref // made, by id
	failed map[string]bool      // ids and groups
	wrote  bool
}

// run carries out a request, or the requests of a group.
func (b *jsonBatch) run(list []jsonRequest) {
	group := list[0].Group
	for i := range list {
		if j := slices.IndexFunc(list[i].DependsOn, func(id string) bool { return b.failed[id] }); j >= 0 {
			b.failAll(list, -1, nil, fmt.Sprintf("%.40q, on which this depends, failed", list[i].DependsOn[j]))
			return
		}
	}
	if group == "" {
		q := list[0].request()
		a := b.h.alone(b.r, &q, b.names)
		if a.made.ID != 0 {
			b.names[q.name] = a.made
		}
		b.failed[q.name] = a.status >= http.StatusBadRequest
		b.write(q.name, a)
		return
	}
	set := make([]inner, len(list))
	for i := range list {
		set[i] = list[i].request()
	}
	refused := &outcome{}
	answers, at, err := b.h.changeSet(refused, b.r, set, b.names)
	if err != nil {
		b.h.refuse(refused, b.r, err)
		b.failAll(list, at, refused, fmt.Sprintf("undone, because request %.40q of its group failed", list[at].ID))
		return
	}
	for i, a := range answers {
		if a.made.ID != 0 {
			b.names[list[i].ID] = a.made
		}
		b.write(list[i].ID, a)
	}
}

// failAll answers for requests of which none was carried out; the one at has an
// answer of its own.
func (b *jsonBatch) failAll(list []jsonRequest, at int, own *outcome, why string) {
	for i := range list {
		b.failed[list[i].ID] = true
		if g := list[i].Group; g != "" {
			b.failed[g] = true
		}
		a := &outcome{status: http.StatusFailedDependency}
		if i == at {
			a = own
		} else {
			_, _ = a.Write(faultBody(a.status, why)) // a buffer
		}
		b.write(list[i].ID, a)
	}
}

func (b *jsonBatch) write(id string, a *outcome) {
	var line []byte
	if b.wrote {
		line = append(line, ',')
	}
	b.wrote = true
	line = read.AppendString(append(line, `{"id":`...), id)
	line = fmt.Appendf(line, `,"status":%d`, a.status)
	if loc := a.Header().Get("Location"); loc != "" {
		line = read.AppendString(append(line, `,"location":`...), loc)
	}
	if wait := a.Header().Get("Retry-After"); wait != "" {
		line = append(read.AppendString(append(line, `,"headers":{"retry-after":`...), wait), '}')
	}
	if body := bytes.TrimSpace(a.body.Bytes()); len(body) > 0 {
		line = append(line, `,"body":`...)
		if json.Valid(body) {
			line = append(line, body...)
		} else {
			line = read.AppendString(line, string(body))
		}
	}
	line = append(line, '}')
	_, _ = b.out.Write(line) // errors stick to out
}
