package doctor

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/platform/config"
)

// State is how a check came out.
type State string

// The states, from good to bad.
const (
	OK      State = "ok"
	Warning State = "warning" // works, but somebody should think about it
	Fault   State = "fault"   // does not work, or lets in who should not be
)

// Finding is the answer of one check.
type Finding struct {
	Check  string `json:"check"`
	State  State  `json:"state"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"` // never empty beside a warning or fault
}

// Server is what a running server says of itself.
type Server struct {
	Version string            `json:"version"`
	HTTP    string            `json:"http"` // where it answers on this machine
	Waiting map[string]string `json:"waiting,omitempty"`
}

// Options say what to look at.
type Options struct {
	Config  config.Config
	File    string                                  // configuration file; "" = none
	Unknown []string                                // variables that set nothing
	Dirs    Dirs                                    // names in the data folder
	Server  func(context.Context) (*Server, error)  // nil without error: none runs
	Archive func(context.Context) (string, error)   // where old groups go, and what is in the way
	Backup  func() (time.Time, error)               // of the last backup; zero = none
	Audit   func(context.Context) (int, int, error) // entries, findings; nil = not asked for
	Limits  Limits
	Version string
	Now     func() time.Time
}

// Dirs are names in the data folder.
type Dirs struct{ Telemetry, Key, FirstLink string }

// Limits are those of rule keeping.retention.
type Limits struct {
	FreePercent float64
	BackupAge   time.Duration
}

// patience bounds each check.
const patience = 20 * time.Second

// Examine runs all checks in the order in which a person would ask. A check that
// cannot be made is a fault; only where there is no data folder nothing in it is
// looked for.
func Examine(ctx context.Context, o Options) []Finding {
	x := &exam{o: o, now: o.Now()}
	const folder = true // looks into the data folder
	for _, check := range []struct {
		name string
		run  func(context.Context)
		of   bool
	}{
		{"configuration", x.configuration, false},
		{"data folder", x.folder, false},
		{"room", x.room, folder},
		{"server", x.server, folder},
		{"files at one time", x.handles, false},
		{"clock", x.clock, false},
		{"database", x.database, folder},
		{"accounts", x.accounts, folder},
		{"key of second factors", x.key, folder},
		{"https", x.https, false},
		{"addresses", x.addresses, false},
		{"backup", x.backup, folder},
		{"archive", x.archive, folder},
		{"files of cases", x.evidence, folder},
		{"record of acts", x.audit, folder},
	} {
		if check.of && x.none {
			continue // the folder's own finding says why
		}
		x.check = check.name
		within, cancel := context.WithTimeout(ctx, patience)
		check.run(within)
		cancel()
	}
	return x.found
}

// exam collects what is found.
type exam struct {
	o     Options
	now   time.Time
	check string
	found []Finding
	users int  // accounts with a second factor
	none  bool // there is no data folder
}

func (x *exam) ok(format string, args ...any) {
	x.found = append(x.found, Finding{x.check, OK, fmt.Sprintf(format, args...), ""})
}

func (x *exam) warn(remedy, format string, args ...any) {
	x.found = append(x.found, Finding{x.check, Warning, fmt.Sprintf(format, args...), remedy})
}

func (x *exam) fault(remedy, format string, args ...any) {
	x.found = append(x.found, Finding{x.check, Fault, fmt.Sprintf(format, args...), remedy})
}
