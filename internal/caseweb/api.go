package caseweb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/evidence"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/openapi"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// Open is the permission to work with cases: which ones, the case decides.
const Open = access.Permission("platform.cases")

// Deps are what the handlers stand on.
type Deps struct {
	Engine      *web.Engine // made with Templates() among its templates
	Cases       *casework.Service
	Files       *evidence.Service
	Uploads     *evidence.Uploads                                             // under UploadPath
	Limiter     *httpd.Limiter                                                // of the interface, shared with others; nil: no limit
	UnitName    func(id string) (casework.Text, bool)                         // an organisation in words; nil: none are shown
	UnitsIn     func(ctx context.Context, area string) ([]Choice, error)      // organisations that a case of an area can be handed to
	PostsOn     func(ctx context.Context, c *casework.Case) ([]Choice, error) // posts that see a case, those nearest to it first
	PostName    func(ctx context.Context, id string) (casework.Text, bool)
	AreaName    func(code string) (casework.Text, bool)
	Areas       func() []string                  // codes to choose from, down to counties
	ContactDays int                              // that the contact of who reported is kept after the case ended
	Auth        *auth.Service                    // who reported, and the record of looks at it
	From        func(r *http.Request) string     // address a request comes from
	Links       func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	Now         func() time.Time
	Choices     func(ctx context.Context) (Choices, error) // what lists are narrowed by; nil: by none of these
}

// Choices are what lists can be narrowed by beside what case types name.
type Choices struct{ Areas, Units []Choice }

// Choice is one of a list: an area, an organisation, a post that sees a case.
type Choice struct {
	ID   string
	Name casework.Text
}

// Handler serves the interface and the pages.
type Handler struct {
	Deps
	looked tries
}

// New returns the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// route is one operation: what is served, and what the document says of it.
type route struct {
	openapi.Op
	serve func(*Handler, http.ResponseWriter, *http.Request, auth.Principal) error
}

func routes() []route {
	id := openapi.Param{Name: "id", In: "path", Text: "ID of the case"}
	once := openapi.Param{Name: "Idempotency-Key", In: "header", Text: "makes a repetition harmless: the same key and body give the same case"}
	op := func(method, path, name, text string, body, answer any, params ...openapi.Param) openapi.Op {
		return openapi.Op{Method: method, Path: "/api/v1/cases" + path, ID: name, Tag: "cases", Summary: text, Body: body, Answer: answer, Params: params}
	}
	opening := op(http.MethodPost, "", "openCase", "Open a case", apiOpening{}, apiCase{}, once)
	opening.Status = http.StatusCreated
	opening.Also = map[int]any{http.StatusOK: apiCase{}}
	opening.Text = "200 with the same case when it is a repetition"
	get := op(http.MethodGet, "/{id}", "getCase", "One case", nil, apiCase{}, id)
	get.Tagged = true
	act := op(http.MethodPost, "/{id}/actions/{action}", "actOnCase", "Act on a case", apiAct{}, apiCase{}, id,
		openapi.Param{Name: "action", In: "path", Text: "one of allowed_actions"}, once)
	act.Match = true
	act.Text = "If-Match must name the version that was seen; 428 without it"
	return []route{
		{op(http.MethodGet, "", "listCases", "Cases one has to do with, the last changed first", nil, apiCases{},
			openapi.Param{Name: "system", Text: "such as rivers"}, openapi.Param{Name: "kind", Text: "case type"}, openapi.Param{Name: "state", Text: "of the type"},
			openapi.Param{Name: "open", Enum: []string{"true", "false"}, Text: "both without it"}, openapi.Param{Name: "overdue", Enum: []string{"true"}, Text: "only what is late"},
			openapi.Param{Name: "owner_unit", Text: "organisation that must act"}, openapi.Param{Name: "area", Text: "division, with all below it"},
			openapi.Param{Name: "queue", Enum: queues(), Text: "of open cases: those that wait for one, of one's organisations, late, due soon, taken up by a level above, to be looked at by one who did not handle them, come back, all"},
			openapi.Param{Name: "q", Text: "words that all stand in a case, or its number; those opened last come first"},
			openapi.Param{Name: "subject_kind", Text: "what they are about"}, openapi.Param{Name: "subject_id", Text: "which one"},
			openapi.Param{Name: "limit", Type: "integer", Text: "how many at most: 50 without it, 500 at most"}, openapi.Param{Name: "after", Text: "next of the page before"}), (*Handler).list},
		{opening, (*Handler).open},
		{get, (*Handler).get},
		{op(http.MethodGet, "/{id}/events", "listCaseEvents", "What was done on a case, with the hash of each", nil, apiCaseEvents{}, id), (*Handler).events},
		{act, (*Handler).act},
	}
}

func queues() (out []string) {
	for _, q := range casework.Queues() {
		out = append(out, string(q))
	}
	return out
}

// Routes lists the addresses with what opens them.
func Routes() (out []access.Route) {
	for _, rt := range routes() {
		out = append(out, access.Route{Method: rt.Method, Path: rt.Path, May: Open})
	}
	out = append(out, uploadRoutes()...)
	return append(out, kit.Declared(pages())...)
}

// Operations are those of the interface, for its document.
func Operations() (out []openapi.Op) {
	for _, rt := range routes() {
		out = append(out, rt.Op)
	}
	return out
}

// Register adds all routes.
func (h *Handler) Register(mux *http.ServeMux) {
	kit.Register(mux, kit.Module{Engine: h.Engine, Link: "cases", Words: "case", Links: h.Links, Now: h.Now}, h, pages(), func(c *kit.Call) *call { return &call{c} })
	h.registerUploads(mux)
	for _, rt := range routes() {
		access.Default().Declared(rt.Method, rt.Path, Open)
		mux.Handle(rt.Method+" "+rt.Path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Vary", "Authorization, Accept-Language")
			if err := h.serve(rt, w, r); err != nil {
				problem(w, r, err)
			}
		}))
	}
}

func (h *Handler) serve(rt route, w http.ResponseWriter, r *http.Request) error {
	p, err := h.admitted(w, r, "cases")
	if err != nil {
		return err
	}
	return rt.serve(h, w, r, p)
}

// admitted lets those through who may work with cases, not too often.
func (h *Handler) admitted(w http.ResponseWriter, r *http.Request, what string) (auth.Principal, error) {
	p := auth.From(r.Context())
	if !p.Known() {
		return p, errs.New(errs.Unauthenticated, "problem.unauthenticated")
	}
	if !access.Default().Opens(p.Grants(), Open) {
		return p, errs.New(errs.Forbidden, "problem.forbidden", "permission", httpd.Words(r)("permission."+string(Open)))
	}
	if h.Limiter != nil {
		if _, wait, ok := h.Limiter.Take(what + " " + p.ID); !ok {
			seconds := max(int((wait+time.Second-1)/time.Second), 1)
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
			return p, errs.New(errs.Busy, httpd.TooOften, "seconds", seconds)
		}
	}
	return p, nil
}

// staleProblem is the answer to an act on a case that has changed since.
type staleProblem struct {
	httpd.Details
	Version int      `json:"version"`
	State   string   `json:"state"`
	Allowed []string `json:"allowed_actions"`
}

func problem(w http.ResponseWriter, r *http.Request, err error) {
	stale, ok := casework.IsStale(err)
	if !ok {
		httpd.Problem(w, r, err)
		return
	}
	d := httpd.Describe(r, errs.New(errs.Conflict, httpd.Precondition))
	d.Code = "stale"
	d.Detail = httpd.Words(r)("err.case.stale")
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(d.Status)
	allowed := stale.Allowed
	if allowed == nil {
		allowed = []string{}
	}
	_ = json.NewEncoder(w).Encode(staleProblem{d, stale.Version, stale.State, allowed}) // the client may be gone
}

func answer(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may be gone
	return nil
}

// maxInput bounds a request; evidence is uploaded by itself.
const maxInput = 256 << 10

// maxKey bounds an Idempotency-Key.
const maxKey = 200

// read reads a JSON body, and how it was sent: its key and the SHA-256 of its bytes.
func read(w http.ResponseWriter, r *http.Request, into any) (req casework.Request, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	if err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			return req, errs.Wrap(err, errs.TooLarge, "")
		}
		return req, errs.Wrap(err, errs.Malformed, "")
	}
	if len(bytes.TrimSpace(raw)) > 0 {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			return req, errs.Wrap(err, errs.Malformed, "api.body", "fault", err.Error())
		}
	}
	if req.Key = r.Header.Get("Idempotency-Key"); len(req.Key) > maxKey {
		return req, errs.InvalidField("Idempotency-Key", "err.field.long", "max", maxKey)
	}
	h := sha256.Sum256(append([]byte(r.Method+" "+r.URL.Path+"\n"), raw...))
	req.Sum = hex.EncodeToString(h[:])
	return req, nil
}

// version reads If-Match, which an act must bring: 428 without it.
func version(r *http.Request) (int, error) {
	tag := strings.TrimSpace(r.Header.Get("If-Match"))
	if tag == "" {
		return 0, errs.New(errs.Conflict, httpd.PreconditionNeeded)
	}
	if tag == "*" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.Trim(tag, `"`))
	if err != nil || n < 1 {
		return -1, nil // no version that there is
	}
	return n, nil
}

func tag(w http.ResponseWriter, c *casework.Case) {
	w.Header().Set("ETag", `"`+strconv.Itoa(c.Events)+`"`)
	w.Header().Set("No-Gzip-Compression", "1") // so that the tag stands for these very bytes
	w.Header().Set("Cache-Control", "private, no-cache")
}

func (h *Handler) open(w http.ResponseWriter, r *http.Request, p auth.Principal) error {
	var in apiOpening
	req, err := read(w, r, &in)
	if err != nil {
		return err
	}
	req.Occurred = in.Occurred
	o := in.opening()
	c, again, err := h.Cases.Open(r.Context(), o, casework.Input{Form: in.Payload, Attachments: in.Attachments}, p, req)
	if err != nil {
		return err
	}
	a, err := h.Cases.Actor(r.Context(), p, c)
	if err != nil {
		return err
	}
	out := h.view(c, a)
	out.PIN, out.Link = h.Cases.PIN(c), h.Cases.Link(c)
	tag(w, c)
	w.Header().Set("Location", "/api/v1/cases/"+c.ID)
	w.Header().Set("Cache-Control", "no-store")
	status := http.StatusCreated
	if again {
		status = http.StatusOK
	}
	return answer(w, status, out)
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, p auth.Principal) error {
	c, a, err := h.Cases.Get(r.Context(), r.PathValue("id"), p)
	if err != nil {
		return err
	}
	tag(w, c)
	if httpd.NotModified(w, r, strconv.Itoa(c.Events)) {
		return nil
	}
	return answer(w, http.StatusOK, h.view(c, a))
}

func (h *Handler) act(w http.ResponseWriter, r *http.Request, p auth.Principal) error {
	var in apiAct
	req, err := read(w, r, &in)
	if err != nil {
		return err
	}
	req.Occurred = in.Occurred
	if req.Version, err = version(r); err != nil {
		return err
	}
	c, _, err := h.Cases.Act(r.Context(), r.PathValue("id"), r.PathValue("action"), casework.Input{Form: in.Payload, Attachments: in.Attachments}, p, req)
	if err != nil {
		return err
	}
	a, err := h.Cases.Actor(r.Context(), p, c)
	if err != nil {
		return err
	}
	tag(w, c)
	return answer(w, http.StatusOK, h.view(c, a))
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, p auth.Principal) error {
	q := r.URL.Query()
	f := casework.Filter{
		System: q.Get("system"), Kind: q.Get("kind"), State: q.Get("state"), Unit: q.Get("owner_unit"), Area: q.Get("area"),
		SubjectKind: q.Get("subject_kind"), Subject: q.Get("subject_id"), After: q.Get("after"), Overdue: q.Get("overdue") == "true",
		Queue: casework.Queue(q.Get("queue")), Query: q.Get("q"),
	}
	switch q.Get("open") {
	case "true", "false":
		open := q.Get("open") == "true"
		f.Open = &open
	case "":
	default:
		return errs.InvalidField("open", "err.field.choice", "choices", "true, false")
	}
	if n := q.Get("limit"); n != "" {
		v, err := strconv.Atoi(n)
		if err != nil || v < 1 {
			return errs.InvalidField("limit", "err.field.between", "lo", 1, "hi", 500)
		}
		f.N = v
	}
	list, next, err := h.Cases.List(r.Context(), f, p)
	if err != nil {
		return err
	}
	out := apiCases{Cases: []apiCase{}, Next: next}
	for _, x := range list {
		out.Cases = append(out.Cases, h.view(x.Case, x.Actor))
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	return answer(w, http.StatusOK, out)
}

func (h *Handler) events(w http.ResponseWriter, r *http.Request, p auth.Principal) error {
	c, a, err := h.Cases.Get(r.Context(), r.PathValue("id"), p)
	if err != nil {
		return err
	}
	list, err := h.Cases.Events(r.Context(), c.ID)
	if err != nil {
		return err
	}
	files, err := h.filesOf(r.Context(), c.ID)
	if err != nil {
		return err
	}
	out := apiCaseEvents{Events: []apiCaseEvent{}}
	for i := range list {
		e := &list[i]
		if !a.Reads(c, e) {
			e.Actor, e.Post, e.Body.Form, e.Body.Opens, e.Body.Attachments = "", "", nil, nil, nil
		}
		out.Events = append(out.Events, apiCaseEvent{
			Seq: e.Seq, At: e.At, Occurred: e.Occurred, Actor: e.Actor, Post: e.Post, OnBehalfOf: e.OnBehalfOf, Action: e.Action, From: e.From, To: e.To,
			Payload: e.Body.Form, Attachments: e.Body.Attachments, Files: apiFiles(c.TrackingNo, e, files), Visibility: string(e.Visibility), Prev: e.Prev, Hash: e.Hash,
		})
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	return answer(w, http.StatusOK, out)
}
