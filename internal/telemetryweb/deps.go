package telemetryweb

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/openapi"
	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/handover"
	"plateau/internal/telemetry/keeping"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/telemetry/reportjob"
	"plateau/internal/telemetry/store"
	"plateau/internal/web"
	"plateau/rules"
)

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine    *web.Engine // made with Templates() among its templates
	Registry  Registry
	Editor    Editor // nil: the registry is read only
	Quality   quality.Queries
	Alarms    Alarms
	Journal   Journal
	Gateway   Gateway
	Gaps      Gaps      // nil: gaps are not looked for
	Dialogues Dialogues // nil: nothing can be asked of loggers
	Sessions  Sessions
	// Operations are those of other modules in the interface, for its document.
	Operations []openapi.Op
	Rules      *rules.Set // nil: the embedded ones
	WhatIf     WhatIfer   // nil: pages do not tell what a rule would change
	Jobs       Jobs       // nil: every report is made while the reader waits
	Handover   Handovers  // nil: shifts are shown, nothing is signed
	Commands   Commands   // nil: the record of a shift goes without them
	Keeping    Keeping    // nil: there is no page of what is kept
	Webhooks   Webhooks   // nil: nobody is told of events
	// Supervision makes cases of alarms; nil: there are none.
	Supervision Supervision
	Events      Events         // nil: there is no log of events
	BaseURL     string         // of the installation, for links in events; "" = they are paths
	Limiter     *httpd.Limiter // of the interface; nil: programs may ask as often as they like
	// Things reads what clients of SensorThings made; nil: there are no pages of it.
	Things sensorthings.Reader
	// Addresses are all of the program with what opens them, for the page of who
	// may do what.
	Addresses []access.Route
	// SignInWays are further ways to sign in than login and password, in a
	// language; nil: none.
	SignInWays func(l *i18n.Localizer) []web.Crumb
	// SampleUsers are shown as one-click buttons on the sign-in page of a
	// demonstration; empty otherwise.
	SampleUsers []SampleUser
	// Filling tells how far the history of a demonstration is filled; nil or
	// done >= total: nothing is being filled.
	Filling func() (done, total int)
	// Origin tells where the values of a demonstration's outlets come from; nil:
	// they are measured.
	Origin func(o telemetry.OutletID, code string) (Origin, bool)
	Public bool             // there are pages for residents, at /public
	Now    func() time.Time // nil: the system clock
	Logger *slog.Logger     // nil: slog.Default
}

// Registry gives the present registry.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Adopter changes which outlet a logger serves, and how it is let in.
type Adopter interface {
	// Adopt lets mn serve an outlet; the outlet's former logger ends then. With
	// fresh the outlet is made by the same act.
	Adopt(ctx context.Context, mn string, outlet telemetry.OutletID, fresh *telemetry.Outlet, by string) error
	// Release undoes it: frames of mn are kept as of an unknown logger again.
	Release(ctx context.Context, mn, by string) error
	// SaveDevice changes password, networks, keys and tolerances of a serving
	// logger.
	SaveDevice(ctx context.Context, d telemetry.Device, by string) error
}

// Writer saves entries of the registry; an error of kind Invalid names the
// form's fields, Conflict says that the entry is there already.
type Writer interface {
	SaveEnterprise(ctx context.Context, e telemetry.Enterprise, by string) error
	// SaveOutlet saves an outlet, a new one when its ID is 0, and returns the ID.
	SaveOutlet(ctx context.Context, o telemetry.Outlet, by string) (telemetry.OutletID, error)
	// SetIntervals notes from when on a logger reports how often.
	SetIntervals(ctx context.Context, outlet telemetry.OutletID, iv telemetry.Interval, by string) error
	// SaveFactor adds or changes a factor that an outlet has to report.
	SaveFactor(ctx context.Context, outlet telemetry.OutletID, f telemetry.OutletFactor, by string) error
	// SaveLimit adds a limit of an outlet's own, or changes the one with the ID was.
	SaveLimit(ctx context.Context, outlet telemetry.OutletID, was string, l telemetry.Limit, by string) error
	// SaveSetup adds a setup of a measuring point, or changes the one of the day was.
	SaveSetup(ctx context.Context, outlet telemetry.OutletID, was string, s telemetry.Setup, by string) error
	// SaveStop declares a stop, or changes the one that began at was.
	SaveStop(ctx context.Context, outlet telemetry.OutletID, was time.Time, s telemetry.Stop, by string) error
	// DropStop takes back the stop that begins at from.
	DropStop(ctx context.Context, outlet telemetry.OutletID, from time.Time, by string) error
}

// Tables moves whole lists of the registry as CSV. kind is one of enterprises,
// outlets, factors, limits, setups, stops, areas.
type Tables interface {
	// Import checks every row and, unless dry, saves all of them or none.
	Import(ctx context.Context, kind string, r io.Reader, dry bool, by string) (ImportReport, error)
	// Export writes the entries whose key keep wants, with a row of words under
	// the head. Keys are IDs; parts of an outlet are 12:a21026.
	Export(ctx context.Context, kind string, w io.Writer, words func(column string) string, keep func(key string) bool) error
	// Changes lists what was changed, the latest first.
	Changes(ctx context.Context, limit int) ([]Change, error)
}

// Editor is all that changes the registry.
type Editor interface {
	Adopter
	Writer
	Tables
}

// ImportReport tells what an import would do or did.
type ImportReport struct {
	Rows, Added, Changed, Same int
	Errors                     []RowError
	More                       int                  // faults beyond Errors
	Areas                      []telemetry.AreaNews // what a list of areas changes
}

// RowError is a fault of a row: what to do about which column.
type RowError struct {
	Row    int // as a spreadsheet counts: the head is row 1
	Column string
	Key    string // catalogue key of the sentence
	Args   []any
}

// Change is an entry of the registry's log.
type Change struct {
	At     time.Time
	By     string // post
	Kind   string // enterprise, outlet, device, limit, …
	ID     string
	Action string // create, update, delete, adopt, unadopt, end, import, load
	Old    string // the entry before, as JSON; "" = there was none
	New    string // and after; "" = nothing is left
}

// Journal reads received frames and records.
type Journal interface {
	FrameAt(loc telemetry.Locator) (store.StoredFrame, error)
	Frames(mn string, from, to time.Time, cursor string, limit int) ([]store.StoredFrame, string, error)
	LastFrames(mn string, n int) ([]store.StoredFrame, error)
	Records(outlet telemetry.OutletID, kind telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error
}

// Gateway knows the live loggers.
type Gateway interface {
	Devices() []gateway.DeviceStatus
	// Device is one of them; false when it has not sent since the start.
	Device(mn string) (gateway.DeviceStatus, bool)
	Knocking() []gateway.Knock
}

// Jobs makes large reports in the background.
type Jobs interface {
	// Request asks for a report; errs.Conflict when by has one that is open.
	Request(ctx context.Context, sub reportjob.Subject, by, post string) (reportjob.Job, error)
	Get(ctx context.Context, id string) (reportjob.Job, error)
	// Last is the latest job about a subject.
	Last(ctx context.Context, sub reportjob.Subject) (j reportjob.Job, ok bool, err error)
	List(ctx context.Context, limit int) ([]reportjob.Job, error)
	Cancel(ctx context.Context, id, by string) error
	Result(j *reportjob.Job) (*report.List, error)
}

// Commands is the log of what loggers were told.
type Commands interface {
	// Between lists the dialogues that began in [from, to), the newest first.
	Between(ctx context.Context, from, to time.Time, limit int) ([]dialogue.Record, error)
}

// Handovers keeps what the posts on duty noted and signed.
type Handovers interface {
	Add(ctx context.Context, e handover.Entry) error
	Of(ctx context.Context, s handover.Shift) ([]handover.Entry, error)
	Last(ctx context.Context, limit int) ([]handover.Entry, error)
}

// Sessions knows who asks. People and roles may grow behind it.
type Sessions interface {
	// Actor tells who sends a request, by session or bearer token.
	Actor(r *http.Request) (Actor, bool)
	// SignIn starts a session; an error of kind Unauthenticated when name and
	// password do not fit. next is the page on which it goes on where more than
	// these are asked for, "" when it is done.
	SignIn(w http.ResponseWriter, r *http.Request, name, password string) (next string, err error)
	SignOut(w http.ResponseWriter, r *http.Request) error
}

// SampleUser is a sign-in of the demonstration.
type SampleUser struct {
	Name, Password string
	Post           telemetry.Name
}

// Handler serves the pages. Make it with New.
type Handler struct {
	Deps

	document func() []byte // of the interface, made when it is first asked for

	mu         sync.Mutex
	effects    []*effectRun // the last ones, oldest first
	effectTurn sync.Mutex   // held by the one that computes

	ctx  context.Context //nolint:containedctx // base of work that outlives its request, ends with Close
	stop context.CancelFunc
	wait sync.WaitGroup
}

// New returns the handler of all telemetry pages.
func New(d Deps) *Handler {
	if d.Now == nil {
		d.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	h := &Handler{Deps: d}
	h.document = sync.OnceValue(func() []byte { return Document(d.Operations...) })
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// Close ends the work that was started from a page.
func (h *Handler) Close() {
	h.stop()
	h.wait.Wait()
}

// Keeping tells what is kept and how long there is room.
type Keeping interface {
	Status(ctx context.Context) (keeping.Status, error)
}
