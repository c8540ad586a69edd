package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"plateau/internal/platform/outbound"
)

// SMSOptions describe the gateway for short messages: a POST whose address,
// headers and body hold {to}, {text}, {id} and {secret}.
type SMSOptions struct {
	URL     string
	Headers string // "Name: value", one a line
	Body    string // JSON or a form, as the header Content-Type says; JSON without one
	Secret  string
	Accept  string // what the answer must contain besides a status of 2xx; "" = nothing
	Timeout time.Duration
	Now     func() time.Time
}

// Gateway hands short messages to an HTTP gateway of the installation.
type Gateway struct {
	o      SMSOptions
	client *http.Client
	header http.Header
	escape func(string) string
}

// NewGateway checks the options. The address is the installation's own choice, so
// it may be of a private network.
func NewGateway(o SMSOptions) (*Gateway, error) {
	g := &Gateway{o: o, client: outbound.Client(outbound.Options{Timeout: o.Timeout, Private: true}), header: http.Header{}}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("notify.sms.url is no address of a gateway; write it like https://sms.example.org/send")
	}
	for line := range strings.Lines(o.Headers) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if name == "" && !ok {
			continue
		}
		name, value = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(value, "\r\n") {
			return nil, errors.New("notify.sms.headers: write one header a line, such as Authorization: Bearer {secret}")
		}
		if strings.Contains(value, "{to}") || strings.Contains(value, "{text}") {
			return nil, errors.New("notify.sms.headers: {to} and {text} belong into the body or the address")
		}
		g.header.Set(name, value)
	}
	if g.header.Get("Content-Type") == "" {
		g.header.Set("Content-Type", "application/json")
	}
	kind, _, err := mime.ParseMediaType(g.header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		g.escape = inJSON
		if !json.Valid([]byte(g.fill(o.Body, &Parcel{}))) {
			return nil, errors.New("notify.sms.body is no JSON; give it another Content-Type among the headers, or correct it")
		}
	case err == nil && kind == "application/x-www-form-urlencoded":
		g.escape = url.QueryEscape
	default:
		return nil, errors.New("notify.sms.headers: Content-Type must be application/json or application/x-www-form-urlencoded")
	}
	if all := o.URL + o.Body; !strings.Contains(all, "{to}") || !strings.Contains(all, "{text}") {
		return nil, errors.New("notify.sms.body must hold {to} and {text}")
	}
	return g, nil
}

// inJSON writes a text as it stands between the quotation marks of a JSON string.
func inJSON(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // every text can be written
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

func (g *Gateway) fill(template string, p *Parcel) string {
	return holes(template, g.o.Secret, p, g.escape)
}

// holes fills a template in one pass, so that what is filled in is not looked
// through for holes again.
func holes(template, secret string, p *Parcel, escape func(string) string) string {
	return strings.NewReplacer("{to}", escape(p.To), "{text}", escape(p.Short), "{id}", escape(p.ID), "{secret}", escape(secret)).Replace(template)
}

// Send implements Sender.
func (g *Gateway) Send(ctx context.Context, p *Parcel) Outcome {
	address := holes(g.o.URL, g.o.Secret, p, url.QueryEscape)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(g.fill(g.o.Body, p)))
	if err != nil {
		return Outcome{Fault: "notify.sms.url makes no address", Final: true}
	}
	for name := range g.header {
		req.Header.Set(name, strings.ReplaceAll(g.header.Get(name), "{secret}", g.o.Secret))
	}
	req.Header.Set("Idempotency-Key", p.ID)
	a := outbound.Do(g.client, req, g.o.Now)
	if a.Err == nil && !strings.Contains(string(a.Body), g.o.Accept) {
		a.Err = fmt.Errorf("answered %d without what notify.sms.accept asks for", a.Status)
	}
	return Outcome{Status: a.Status, Fault: a.Fault(), Final: refused(a.Status), Wait: a.Wait}
}
