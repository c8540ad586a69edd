package dialogue

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
)

// Act is something a logger can be asked.
type Act struct {
	Name   string
	CN     int      // command number, section 6.6 of HJ 212
	Fields []string // that it needs, by name
	// Danger: it changes how the logger measures, counts time or is let in, so
	// that whoever asks confirms it first.
	Danger   bool
	versions []hj212.Version // nil = all
	group    string
}

// Group is what belongs together on a page.
func (a *Act) Group() string { return a.group }

// In reports whether a version of the protocol has the act.
func (a *Act) In(v hj212.Version) bool { return a.versions == nil || slices.Contains(a.versions, v) }

var (
	old   = []hj212.Version{hj212.V2005}
	v2017 = []hj212.Version{hj212.V2017}
	v2025 = []hj212.Version{hj212.V2025}
	newer = []hj212.Version{hj212.V2017, hj212.V2025}
	until = []hj212.Version{hj212.V2005, hj212.V2017}
)

// acts are all of them. The setting of the MN (1002) is not among them: a logger
// with another MN is another logger to the registry.
var acts = []Act{
	{Name: "get_clock", CN: 1011, Fields: []string{"analyser_or_none"}, group: "clock"},
	{Name: "set_clock", CN: 1012, Fields: []string{"analyser_or_none"}, Danger: true, group: "clock"},
	{Name: "get_realtime_interval", CN: 1061, group: "upload"},
	{Name: "set_realtime_interval", CN: 1062, Fields: []string{"seconds"}, group: "upload"},
	{Name: "get_minute_interval", CN: 1063, versions: newer, group: "upload"},
	{Name: "set_minute_interval", CN: 1064, Fields: []string{"minutes"}, versions: newer, group: "upload"},
	{Name: "realtime_on", CN: 2011, group: "upload"},
	{Name: "realtime_off", CN: 2012, Danger: true, group: "upload"},
	{Name: "state_on", CN: 2021, group: "upload"},
	{Name: "state_off", CN: 2022, Danger: true, group: "upload"},
	{Name: "history", CN: 2051, Fields: []string{"records", "from", "to"}, group: "data"},
	{Name: "run_times", CN: 2041, Fields: []string{"from", "to"}, group: "data"},
	{Name: "raw_data", CN: 2013, Fields: []string{"from", "to"}, versions: v2025, group: "data"},
	{Name: "check_data", CN: 2062, Fields: []string{"from", "to"}, versions: v2025, group: "data"},
	{Name: "alarm_records", CN: 2071, Fields: []string{"from", "to"}, versions: old, group: "data"},
	{Name: "calibrate", CN: 3011, Fields: []string{"analyser"}, Danger: true, versions: until, group: "analyser"},
	{Name: "calibrate_point", CN: 3011, Fields: []string{"analyser", "point"}, Danger: true, versions: v2025, group: "analyser"},
	{Name: "sample_now", CN: 3012, Fields: []string{"analyser"}, group: "analyser"},
	{Name: "clean", CN: 3013, Fields: []string{"analyser"}, Danger: true, group: "analyser"},
	{Name: "compare", CN: 3014, Fields: []string{"analyser"}, versions: v2017, group: "analyser"},
	{Name: "keep_sample", CN: 3015, versions: v2017, group: "analyser"},
	{Name: "keep_sample_now", CN: 3022, Fields: []string{"analyser"}, versions: v2025, group: "analyser"},
	{Name: "start_check", CN: 3024, Fields: []string{"analyser"}, Danger: true, versions: v2025, group: "analyser"},
	{Name: "set_sampling", CN: 3016, Fields: []string{"analyser", "start", "hours"}, Danger: true, versions: v2017, group: "analyser"},
	{Name: "set_sampling_hours", CN: 3014, Fields: []string{"analyser", "hours_of_day"}, Danger: true, versions: old, group: "analyser"},
	{Name: "get_sampling", CN: 3017, Fields: []string{"analyser"}, versions: v2017, group: "analyser"},
	{Name: "get_delay", CN: 3018, Fields: []string{"analyser"}, versions: newer, group: "analyser"},
	{Name: "get_serial", CN: 3019, Fields: []string{"analyser"}, versions: newer, group: "analyser"},
	{Name: "get_info", CN: 3020, Fields: []string{"analyser", "info"}, versions: newer, group: "analyser"},
	{Name: "get_log", CN: 3020, Fields: []string{"analyser", "info", "from", "to"}, versions: newer, group: "analyser"},
	{Name: "set_parameter", CN: 3021, Fields: []string{"analyser", "info", "value"}, Danger: true, versions: newer, group: "analyser"},
	{Name: "set_timeouts", CN: 1000, Fields: []string{"over_time", "resends"}, group: "logger"},
	{Name: "set_password", CN: 1072, Fields: []string{"new_password"}, Danger: true, group: "logger"},
	{Name: "set_key", CN: 1014, Fields: []string{"new_key"}, Danger: true, versions: v2025, group: "logger"},
	{Name: "set_warn_time", CN: 1001, Fields: []string{"warn_time"}, Danger: true, versions: old, group: "logger"},
	{Name: "get_limits", CN: 1021, Fields: []string{"analyser"}, versions: old, group: "logger"},
	{Name: "set_limits", CN: 1022, Fields: []string{"analyser", "low", "up"}, Danger: true, versions: old, group: "logger"},
	{Name: "get_target", CN: 1031, versions: old, group: "logger"},
	{Name: "set_target", CN: 1032, Fields: []string{"target"}, Danger: true, versions: old, group: "logger"},
	{Name: "get_report_time", CN: 1041, versions: old, group: "logger"},
	{Name: "set_report_time", CN: 1042, Fields: []string{"clock"}, Danger: true, versions: old, group: "logger"},
}

// Acts lists what can be asked of a logger that speaks v.
func Acts(v hj212.Version) []Act {
	var out []Act
	for i := range acts {
		if acts[i].In(v) {
			out = append(out, acts[i])
		}
	}
	return out
}

// Find returns an act by its name in a version; false when that has none.
func Find(name string, v hj212.Version) (Act, bool) {
	for i := range acts {
		if acts[i].Name == name && acts[i].In(v) {
			return acts[i], true
		}
	}
	return Act{}, false
}

// ActOf names the first act of a command number, "" when there is none.
func ActOf(cn int) string {
	for i := range acts {
		if acts[i].CN == cn {
			return acts[i].Name
		}
	}
	return ""
}

// Problem is a field to mend; Key is of a sentence that says how.
type Problem struct{ Field, Key string }

// MaxHistory is the longest range of data that one order may ask for.
const MaxHistory = 32 * 24 * time.Hour

// Ask is what a reader of fields found.
type Ask struct {
	Command hj212.Command
	Params  map[string]string // for the log, without secrets
	Secret  string            // the new password or key
}

// Read makes the command of an act from what a form or a program gave; text
// returns a field's text and instant reads a time.
func (a *Act) Read(v hj212.Version, now time.Time, text func(string) string, instant func(string) (time.Time, bool)) (Ask, []Problem) {
	f := fields{text: text, instant: instant, ask: Ask{Params: map[string]string{}}}
	f.command(a, v, now)
	if len(f.problems) > 0 {
		return Ask{}, f.problems
	}
	return f.ask, nil
}

// fields reads one order.
type fields struct {
	text     func(string) string
	instant  func(string) (time.Time, bool)
	ask      Ask
	problems []Problem
}

func (f *fields) wrong(name string) {
	f.problems = append(f.problems, Problem{name, "command.error_" + name})
}

// match reads a text of a form.
func (f *fields) match(name string, form *regexp.Regexp) string {
	s := strings.TrimSpace(f.text(name))
	if !form.MatchString(s) {
		f.wrong(name)
	}
	f.ask.Params[name] = s
	return s
}

// number reads a whole number of [lo, hi].
func (f *fields) number(name string, lo, hi int) int {
	n, err := strconv.Atoi(strings.TrimSpace(f.text(name)))
	if err != nil || n < lo || n > hi {
		f.wrong(name)
	}
	f.ask.Params[name] = strconv.Itoa(n)
	return n
}

// secret reads a text that the log does not show.
func (f *fields) secret(name string, form *regexp.Regexp) string {
	s := f.match(name, form)
	delete(f.ask.Params, name)
	f.ask.Secret = s
	return s
}

// span reads from and to.
func (f *fields) span() (from, to time.Time) {
	from, ok1 := f.instant("from")
	to, ok2 := f.instant("to")
	switch {
	case !ok1:
		f.wrong("from")
	case !ok2:
		f.wrong("to")
	case to.Before(from), to.Sub(from) > MaxHistory:
		f.problems = append(f.problems, Problem{"to", "command.range_error"})
	}
	f.ask.Params["from"], f.ask.Params["to"] = from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)
	return from, to
}

// The forms of texts: what can stand in a frame and means something there.
var (
	codeForm   = regexp.MustCompile(`^[0-9A-Za-z]{1,6}$`)
	infoForm   = regexp.MustCompile(`^i[0-9A-Za-z]{5}$`)
	valueForm  = regexp.MustCompile(`^[0-9A-Za-z.+:_-]{1,32}$`)
	passForm   = regexp.MustCompile(`^[0-9A-Za-z]{6}$`)
	keyForm    = regexp.MustCompile(`^[0-9A-Za-z]{16}$`)
	startForm  = regexp.MustCompile(`^([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$`)
	clockForm  = regexp.MustCompile(`^([01][0-9]|2[0-3])[0-5][0-9]$`)
	amountForm = regexp.MustCompile(`^-?[0-9]{1,14}(\.[0-9]{1,4})?$`)
	targetForm = regexp.MustCompile(`^[0-9A-Za-z.:-]{3,40}$`)
)

func (f *fields) command(a *Act, v hj212.Version, now time.Time) {
	c := &f.ask.Command
	switch a.Name {
	case "get_clock":
		*c = hj212.GetClock(f.analyserOrNone())
	case "set_clock":
		*c = hj212.SetClock(f.analyserOrNone(), now)
	case "set_timeouts":
		*c = hj212.SetTimeouts(f.number("over_time", 1, 99), f.number("resends", 1, 99))
	case "set_realtime_interval":
		*c = hj212.SetRealtimeInterval(f.number("seconds", 30, 3600))
	case "set_minute_interval":
		n := f.number("minutes", 1, 30)
		if n > 0 && 60%n != 0 {
			f.wrong("minutes")
		}
		*c = hj212.SetMinuteInterval(n)
	case "set_password":
		*c = hj212.SetPassword(v, f.secret("new_password", passForm))
	case "set_key":
		*c = hj212.SetKey(now, f.secret("new_key", keyForm))
	case "history":
		cn, err := strconv.Atoi(f.text("records"))
		if err != nil || !slices.Contains([]int{2031, 2051, 2061}, cn) {
			f.wrong("records")
		}
		f.ask.Params["records"] = strconv.Itoa(cn)
		from, to := f.span()
		*c = hj212.History(v, cn, from, to)
	case "run_times", "raw_data", "check_data", "alarm_records":
		from, to := f.span()
		*c = hj212.History(v, a.CN, from, to)
	default:
		f.control(a, v)
	}
}

func (f *fields) analyser() string { return f.match("analyser", codeForm) }

func (f *fields) analyserOrNone() string {
	if strings.TrimSpace(f.text("analyser")) == "" {
		return ""
	}
	return f.analyser()
}

// control reads the acts about an analyser, and those of 2005.
func (f *fields) control(a *Act, v hj212.Version) {
	c := &f.ask.Command
	switch a.Name {
	case "calibrate_point":
		point := f.text("point")
		if point != "zero" && point != "span" {
			f.wrong("point")
		}
		f.ask.Params["point"] = point
		*c = hj212.Calibrate(f.analyser(), point == "span")
	case "set_sampling":
		*c = hj212.SetSampling(f.analyser(), f.match("start", startForm), f.number("hours", 1, 24))
	case "set_sampling_hours":
		*c = hj212.SetSampling2005(f.analyser(), f.hoursOfDay()...)
	case "get_info":
		*c = hj212.GetInfo(f.analyser(), f.match("info", infoForm))
	case "get_log":
		from, to := f.span()
		*c = hj212.GetLog(f.analyser(), f.match("info", infoForm), from, to)
	case "set_parameter":
		*c = hj212.SetParameter(f.analyser(), f.match("info", infoForm), f.match("value", valueForm))
	case "set_warn_time":
		*c = hj212.SetWarnTime2005(f.number("warn_time", 1, 999))
	case "get_limits":
		*c = hj212.GetLimits2005(f.analyser())
	case "set_limits":
		*c = hj212.SetLimits2005(hj212.Limit2005{Pol: f.analyser(), Low: f.match("low", amountForm), Up: f.match("up", amountForm)})
	case "set_target":
		*c = hj212.SetTarget2005(f.match("target", targetForm))
	case "set_report_time":
		*c = hj212.SetReportTime2005(f.match("clock", clockForm))
	default:
		if slices.Contains(a.Fields, "analyser") {
			*c = hj212.OnAnalyser(v, a.CN, f.analyser())
		} else {
			*c = hj212.Plain(a.CN)
		}
	}
}

// hoursOfDay reads hours such as "4 10 16 22" as two digits each.
func (f *fields) hoursOfDay() []string {
	var out []string
	for s := range strings.FieldsSeq(strings.ReplaceAll(f.text("hours_of_day"), ",", " ")) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 23 {
			f.wrong("hours_of_day")
			return nil
		}
		out = append(out, strconv.Itoa(100 + n)[1:])
	}
	if len(out) == 0 || len(out) > 24 {
		f.wrong("hours_of_day")
	}
	f.ask.Params["hours_of_day"] = strings.Join(out, " ")
	return out
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // written by number
	return n
}

var secretItem = regexp.MustCompile(`(^|[;&,])((?:PW|NewPW|NewSK)=)[^;&,]*`)

// masked is a frame of ours without its password, old or new, and keys.
func masked(frame []byte) string {
	return secretItem.ReplaceAllString(hj212.Text(frame), "${1}${2}******")
}
