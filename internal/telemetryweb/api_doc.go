package telemetryweb

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"plateau/internal/platform/httpd"
	"plateau/internal/platform/openapi"
	"plateau/internal/telemetry/events"
	"plateau/internal/web"
)

// tagOrder are the groups of operations.
var tagOrder = []string{"about", "registry", "values", "alarms", "events", "rules", "loggers", "cases"}

const about = `Outlets, judged values, alarms, events, loggers and cases for programs.

Send the token as "Authorization: Bearer TOKEN". Instants are RFC 3339; answers give them in UTC+8, the time of the
judgement. Errors are application/problem+json (RFC 9457). Lists come in pages: next in the body, and the header Link,
lead to the next one; limit is 1000 without it and 10000 at most, of events 100 and 1000, of frames 1000 and 5000. Where
an operation names application/x-ndjson, "Accept: application/x-ndjson" gives one document a line, without a limit the
whole list (frames come in pages all the same); hours and days are read in parts while they are sent. A line
{"error": …} tells that it broke off. Answers have an ETag; send it as If-None-Match. RateLimit and RateLimit-Policy tell what is
left; 429 has Retry-After. Members and kinds may be added: leave out what you do not know.`

func describe(strict bool, more ...openapi.Op) []byte {
	var ops []openapi.Op
	for _, o := range operations() {
		ops = append(ops, o.Op)
	}
	ops = append(ops, more...)
	return openapi.Build(openapi.Info{
		Title: "Plateau", Version: "1", Text: about, Problem: httpd.Details{}, TagOrder: tagOrder, Strict: strict,
		Tags: map[string]string{
			"about": "the interface itself", "registry": "divisions, enterprises, outlets", "values": "what was measured and judged", "alarms": "episodes and what people did with them",
			"events": "what happened, in order, and who is told", "rules": "dated rules, limits, code tables", "loggers": "loggers, frames, dialogues, gaps",
			"cases": "what must end in a person's answer",
		},
		Raw: map[reflect.Type]openapi.Raw{
			reflect.TypeFor[apiEvent]():     {Name: "Event", Schema: events.Schema},
			reflect.TypeFor[apiReportRow](): {Name: "ReportRow", Schema: []byte(`{"type": "object", "additionalProperties": true, "description": "text, number or null by column"}`)},
		},
	}, ops)
}

// Document is the OpenAPI 3.1 document of the interface, with the operations of
// other modules.
func Document(more ...openapi.Op) []byte { return describe(false, more...) }

func apiDocRoutes() []route { return []route{{"GET", "/api", Open, (*Handler).apiPage}} }

type docGroup struct {
	ID, Title string
	Ops       []docOp
}

type docOp struct {
	ID, Method, Path string
	Text             string
	Params           []docParam
	Lines            bool
	Match            bool
	Example          string
}

type docParam struct {
	Name, In, Text string
	Enum           string
}

// apiPage lists the operations, each with an example, from the same declarations
// as the document.
func (h *Handler) apiPage(c *call) error {
	groups := map[string]*docGroup{}
	var out []docGroup
	all := operations()
	for _, o := range h.Operations {
		all = append(all, op{Op: o})
	}
	for _, o := range all {
		g := groups[o.Tag]
		if g == nil {
			g = &docGroup{ID: o.Tag, Title: c.l.T("api_doc.tag_" + o.Tag)}
			groups[o.Tag] = g
		}
		g.Ops = append(g.Ops, c.docOp(&o))
	}
	for _, tag := range tagOrder {
		if g := groups[tag]; g != nil {
			out = append(out, *g)
		}
	}
	return h.render(c, http.StatusOK, "api.html", &web.Page{Title: c.l.T("api_doc.title"), Wide: true, Data: out})
}

// sampleValues stand for parameters of the path in examples.
var sampleValues = strings.NewReplacer("/outlets/{id}", "/outlets/1", "/enterprises/{id}", "/enterprises/ENTERPRISE", "/rules/{id}", "/rules/cems.hour_mean", "{action}", "hand_out", "{mn}", "MN", "{period}", "2026-11", "{id}", "ID")

func (c *call) docOp(o *op) docOp {
	d := docOp{
		ID: o.ID, Method: o.Method, Path: o.Path, Text: c.l.T("api_doc.op_" + o.ID), Lines: o.Lines != nil, Match: o.Match,
	}
	for _, p := range o.Params {
		in := p.In
		if in == "" {
			in = "query"
		}
		d.Params = append(d.Params, docParam{p.Name, in, p.Text, strings.Join(p.Enum, " | ")})
	}
	parts := []string{"curl"}
	if !o.Public {
		parts = append(parts, `-H "Authorization: Bearer $TOKEN"`)
	}
	if o.Method != http.MethodGet {
		parts = append(parts, "-X "+o.Method)
	}
	if o.Body != nil {
		parts = append(parts, `-H "Content-Type: application/json" -d '`+sampleBodies[o.ID]+`'`)
	}
	query := ""
	if slices.ContainsFunc(o.Params, func(p openapi.Param) bool { return p.Name == "limit" }) {
		query = "?limit=10"
	}
	d.Example = strings.Join(append(parts, `"$HOST`+sampleValues.Replace(o.Path)+query+`"`), " ")
	return d
}

// sampleBodies are bodies of examples, by operation.
var sampleBodies = map[string]string{
	"acknowledgeAlarm": `{"note": "on the way"}`, "callAlarmFalse": `{"note": "calibration gas"}`, "sendCommand": `{"act": "get_clock"}`,
	"openCase": `{"kind": "river_case", "category": "litter", "title": "岸边垃圾", "source": "patrol", "location": {"area": "540102"}}`, "actOnCase": `{"payload": {"unit": "ORGANISATION"}}`,
	"addWebhook": `{"url": "https://example.org/hook", "kinds": ["alarm.raised"]}`, "changeWebhook": `{"paused": true}`,
}
