package sensorthingsweb

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"plateau/internal/sensorthings/write"
)

// part is one part of a batch: a request, or a change set of them.
type part struct {
	inner
	set []inner // of a change set
	is  bool    // it is one
}

// multipart answers a batch in multipart/mixed. The parts are read before the
// first is carried out, so that a body that breaks off changes nothing.
func (h *Handler) multipart(w http.ResponseWriter, r *http.Request, body []byte) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return refusal(http.StatusBadRequest, "Content-Type has no boundary; write multipart/mixed; boundary=…")
	}
	n := 0
	parts, err := readParts(body, params["boundary"], &n, true)
	if err != nil {
		return err
	}
	boundary := "batch_" + rand.Text()
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+boundary)
	out := bufio.NewWriterSize(w, 64<<10)
	names := map[string]write.Ref{}
	for i := range parts {
		p := &parts[i]
		fmt.Fprintf(out, "--%s\r\n", boundary)
		if !p.is {
			a := h.alone(r, &p.inner, names)
			if p.name != "" && a.made.ID != 0 {
				names[p.name] = a.made
			}
			a.write(out, p.name)
			continue
		}
		refused := &outcome{}
		answers, _, err := h.changeSet(refused, r, p.set, names)
		if err != nil {
			h.refuse(refused, r, err)
			refused.write(out, "")
			continue
		}
		inner := "changeset_" + rand.Text()
		fmt.Fprintf(out, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n", inner)
		for j, a := range answers {
			fmt.Fprintf(out, "--%s\r\n", inner)
			a.write(out, p.set[j].name)
		}
		fmt.Fprintf(out, "--%s--\r\n", inner)
	}
	fmt.Fprintf(out, "--%s--\r\n", boundary)
	_ = out.Flush() // the client may be gone
	return nil
}

// write writes an answer as a part of a multipart body.
func (a *outcome) write(w *bufio.Writer, name string) {
	fmt.Fprint(w, "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n")
	if name != "" {
		fmt.Fprintf(w, "Content-ID: %s\r\n", name)
	}
	fmt.Fprintf(w, "\r\nHTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	for _, h := range []string{"Location", "Content-Type", "Allow", "Retry-After", "Link"} {
		if v := a.Header().Get(h); v != "" {
			fmt.Fprintf(w, "%s: %s\r\n", h, v)
		}
	}
	if n := a.body.Len(); n > 0 {
		fmt.Fprintf(w, "Content-Length: %d\r\n", n)
	}
	fmt.Fprint(w, "\r\n")
	_, _ = w.Write(a.body.Bytes()) // errors stick to w
	fmt.Fprint(w, "\r\n")
}

// readParts cuts a batch (outer) or a change set into its parts.
func readParts(body []byte, boundary string, n *int, outer bool) (parts []part, err error) {
	mr := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		raw, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			if len(parts) == 0 && outer {
				err = refusal(http.StatusBadRequest, "the batch has no parts; each begins with the line --"+boundary)
			} else {
				err = nil
			}
			return parts, err
		}
		if err != nil {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("part %d of the batch cannot be read: does it begin with --%s, and does the batch end with --%s-- ?", *n+1, boundary, boundary))
		}
		if *n++; *n > maxParts {
			return nil, refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d requests in one batch", maxParts))
		}
		content, err := io.ReadAll(raw)
		if err != nil {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("part %d of the batch breaks off; it ends with --%s--", *n, boundary))
		}
		p := part{inner: inner{name: contentID(raw.Header)}}
		kind, params, _ := mime.ParseMediaType(raw.Header.Get("Content-Type"))
		switch {
		case kind == "multipart/mixed" && outer && params["boundary"] != "":
			p.is = true
			set, err := readParts(content, params["boundary"], n, false)
			if err != nil {
				return nil, err
			}
			for _, one := range set {
				p.set = append(p.set, one.inner)
			}
		case kind == "application/http":
			p.read(content)
		default:
			p.fault = refusal(http.StatusBadRequest, fmt.Sprintf("part %d of the batch has the Content-Type %.60q; it has to be application/http, or multipart/mixed with a boundary for a change set", *n, raw.Header.Get("Content-Type")))
		}
		parts = append(parts, p)
	}
}

// contentID is the name of a part; some clients write it as in mail, <x>.
func contentID(h textproto.MIMEHeader) string {
	id := strings.TrimSpace(h.Get("Content-Id"))
	if strings.ContainsAny(id, "\r\n") {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
}

// read reads a request as it stands in a part: request line, headers, an empty
// line, the body. Line ends may be CRLF or LF, and the version may be missing.
func (q *inner) read(b []byte) {
	line, rest := cutLine(bytes.TrimLeft(b, "\r\n"))
	method, address, _ := strings.Cut(strings.TrimSpace(line), " ")
	if i := strings.LastIndex(address, " HTTP/"); i >= 0 {
		address = address[:i]
	}
	q.method, q.url = strings.ToUpper(method), strings.TrimSpace(address)
	q.header = textproto.MIMEHeader{}
	for len(rest) > 0 {
		if line, rest = cutLine(rest); line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			q.fault = refusal(http.StatusBadRequest, fmt.Sprintf("%.60q is no header line; between the headers and the body stands an empty line", line))
			return
		}
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		q.header[name] = append(q.header[name], strings.TrimSpace(value))
	}
	q.body = bytes.TrimSpace(rest)
	if id := contentID(q.header); q.name == "" && id != "" {
		q.name = id // some clients put it inside
	}
	q.check()
}

var methodsInBatch = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete}

// check refuses what is no request.
func (q *inner) check() {
	switch {
	case q.fault != nil:
	case !slices.Contains(methodsInBatch, q.method):
		q.fault = refusal(http.StatusBadRequest, fmt.Sprintf("a request begins with its method and address, like GET /Things HTTP/1.1, not with %.60q", q.method))
	case q.url == "":
		q.fault = refusal(http.StatusBadRequest, "the request has no address after "+q.method)
	}
}

func cutLine(b []byte) (line string, rest []byte) {
	first, rest, _ := bytes.Cut(b, []byte("\n"))
	return strings.TrimRight(string(first), "\r"), rest
}
