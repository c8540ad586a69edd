package telemetryweb

import (
	"encoding/json"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// The types of the interface. Their names without "api" are those of the
// schemas; doc and api are read by package openapi.

type apiName struct {
	Zh string `json:"zh"`
	Bo string `json:"bo,omitempty"`
	En string `json:"en,omitempty"`
}

func toAPIName(n telemetry.Name) apiName { return apiName{n.Zh, n.Bo, n.En} }

type apiArea struct {
	Code   string  `json:"code" doc:"GB/T 2260"`
	Parent string  `json:"parent,omitempty"`
	Level  string  `json:"level" api:"province|prefecture|county|township|village|group"`
	Name   string  `json:"name"`
	Names  apiName `json:"names"`
	From   string  `json:"effective_from,omitempty" doc:"first day of the code or of its last change; absent = since ever"`
	To     string  `json:"effective_to,omitempty" doc:"last day; absent = in force"`
	// Codes that it stands in for.
	Replaces []string `json:"replaces,omitempty" doc:"codes that it stands in for since its first day"`
}

type apiEnterprise struct {
	ID      string               `json:"id"`
	Name    string               `json:"name"`
	Names   apiName              `json:"names"`
	Area    string               `json:"area"`
	Permit  string               `json:"permit" doc:"number of the discharge permit"`
	Sample  bool                 `json:"sample" doc:"invented for a demonstration"`
	Outlets []telemetry.OutletID `json:"outlets"`
}

// apiOutlet is an outlet in the interface.
type apiOutlet struct {
	ID         telemetry.OutletID `json:"id"`
	Name       string             `json:"name"`
	Enterprise string             `json:"enterprise"`
	Area       string             `json:"area"`
	Medium     string             `json:"medium" api:"gas|water|surface"`
	Lon        float64            `json:"lon" doc:"degrees east, WGS 84"`
	Lat        float64            `json:"lat" doc:"degrees north"`
	Sample     bool               `json:"sample" doc:"invented for a demonstration"`
	State      string             `json:"state" doc:"normal, maintenance, suspect, warn, exceed, offline or stopped"`
	Since      any                `json:"since" api:"time?" doc:"of the state"`
	Factor     string             `json:"factor,omitempty" doc:"that decides the state"`
	Value      any                `json:"value" api:"number?"`
	Devices    []string           `json:"devices" doc:"MN of the loggers that serve it"`
}

// apiOutletFull is all the registry has of an outlet.
type apiOutletFull struct {
	apiOutlet
	Names      apiName        `json:"names"`
	SourceType string         `json:"source_type,omitempty"`
	Condition  string         `json:"condition,omitempty"`
	Level      string         `json:"level,omitempty"`
	InService  any            `json:"in_service" api:"time?"`
	Factors    []apiOwnFactor `json:"factors"`
	Limits     []apiLimit     `json:"limits" doc:"the outlet's own"`
	Intervals  []apiInterval  `json:"intervals"`
	Stops      []apiStop      `json:"stops" doc:"declared stops of the source"`
}

type apiOwnFactor struct {
	Code           string   `json:"code"`
	Unit           string   `json:"unit"`
	RangeLo        *float64 `json:"range_lo,omitempty"`
	RangeHi        *float64 `json:"range_hi,omitempty"`
	DetectionLimit *float64 `json:"detection_limit,omitempty"`
}

type apiInterval struct {
	From     any `json:"from" api:"time?"`
	Realtime int `json:"realtime" doc:"seconds between real-time uploads; 0 = none expected"`
	Minute   int `json:"minute" doc:"minutes that one minute record covers; 0 = none expected"`
}

type apiStop struct {
	From   any    `json:"from" api:"time?"`
	To     any    `json:"to" api:"time?"`
	Reason string `json:"reason"`
}

type apiLimit struct {
	ID            string   `json:"id"`
	Standard      string   `json:"standard"`
	SourceType    string   `json:"source_type,omitempty"`
	Condition     string   `json:"condition,omitempty"`
	Level         string   `json:"level,omitempty"`
	Factor        string   `json:"factor"`
	Statistic     string   `json:"statistic"`
	Op            string   `json:"op" doc:"<=, >=, range or text"`
	Lo            *float64 `json:"lo,omitempty"`
	Hi            *float64 `json:"hi,omitempty"`
	Unit          string   `json:"unit,omitempty"`
	RefO2         *float64 `json:"ref_o2,omitempty" doc:"reference oxygen, volume percent dry"`
	EffectiveFrom string   `json:"effective_from"`
	EffectiveTo   string   `json:"effective_to,omitempty"`
	Note          string   `json:"note,omitempty"`
	Certainty     string   `json:"certainty,omitempty"`
}

type apiDevice struct {
	MN        string             `json:"mn"`
	Outlet    telemetry.OutletID `json:"outlet"`
	From      any                `json:"from" api:"time?" doc:"serves since"`
	Transport string             `json:"transport,omitempty" api:"tcp|udp" doc:"how it sends; left out before its first frame since the program started"`
	Connected any                `json:"connected" api:"boolean?" doc:"null over UDP, where there is no connection: last tells of it"`
	Last      any                `json:"last" api:"time?" doc:"last valid frame since the program started"`
	Version   string             `json:"version,omitempty" doc:"of HJ 212: 2005, 2017 or 2025"`
	Clock     any                `json:"clock_offset" api:"number?" doc:"seconds by which the clock of the logger is ahead"`
	Frames    int64              `json:"frames"`
	Refused   int64              `json:"refused"`
}

type apiFactor struct {
	Code         string `json:"code"`
	Old          string `json:"old,omitempty" doc:"code of 2005"`
	Medium       string `json:"medium,omitempty"`
	NameZh       string `json:"name_zh"`
	NameEn       string `json:"name_en,omitempty"`
	Formula      string `json:"formula,omitempty"`
	CAS          string `json:"cas,omitempty"`
	Unit         string `json:"unit,omitempty"`
	EmissionUnit string `json:"emission_unit,omitempty"`
	Decimals     int    `json:"decimals"`
	Standard     string `json:"standard,omitempty"`
}

type apiRule struct {
	ID            string            `json:"id"`
	Subject       string            `json:"subject,omitempty"`
	Version       int               `json:"version"`
	Title         map[string]string `json:"title"`
	EffectiveFrom string            `json:"effective_from" api:"date"`
	EffectiveTo   string            `json:"effective_to,omitempty"`
	Source        string            `json:"source"`
	SourceZh      string            `json:"source_zh,omitempty"`
	Certainty     string            `json:"certainty"`
	Hash          string            `json:"hash" doc:"first 12 hex digits of the file's SHA-256"`
	Params        map[string]any    `json:"params"`
}

type apiState struct {
	Outlet    telemetry.OutletID `json:"outlet"`
	State     string             `json:"state"`
	Since     any                `json:"since" api:"time?"`
	Factor    string             `json:"factor,omitempty"`
	Level     string             `json:"level,omitempty" doc:"hour, day or realtime: what the value is of"`
	At        any                `json:"at" api:"time?"`
	Value     any                `json:"value" api:"number?"`
	Folded    bool               `json:"folded" doc:"to reference oxygen"`
	LimitLo   any                `json:"limit_lo" api:"number?"`
	LimitHi   any                `json:"limit_hi" api:"number?"`
	TimesOver any                `json:"times_over" api:"number?"`
	Reason    string             `json:"reason" doc:"key of the reason"`
	Text      string             `json:"text" doc:"the reason in the language of the request"`
	Rule      string             `json:"rule"`
	Version   int                `json:"rule_version"`
	Latest    any                `json:"latest" api:"time?" doc:"DataTime of the latest record"`
	Seen      any                `json:"seen" api:"time?" doc:"last sign of life"`
}

// apiHour is a factor of an outlet in an hour.
type apiHour struct {
	At           any                `json:"at" api:"time" doc:"start of the hour"`
	Outlet       telemetry.OutletID `json:"outlet"`
	Name         string             `json:"name"`
	Factor       string             `json:"factor"`
	Flag         string             `json:"flag" doc:"mark of the hour"`
	ValidMinutes int                `json:"valid_minutes"`
	SeenMinutes  int                `json:"seen_minutes"`
	Valid        bool               `json:"valid"`
	Mean         any                `json:"mean" api:"number?"`
	Folded       any                `json:"folded" api:"number?"`
	Reported     any                `json:"reported" api:"number?"`
	Judged       any                `json:"judged" api:"number?" doc:"what was held against the limit"`
	Basis        string             `json:"basis"`
	LimitLo      any                `json:"limit_lo" api:"number?"`
	LimitHi      any                `json:"limit_hi" api:"number?"`
	Over         bool               `json:"over"`
	TimesOver    any                `json:"times_over" api:"number?"`
	Unit         string             `json:"unit"`
	Rules        string             `json:"rules" doc:"digest of the rules in force"`
}

// apiDay is a factor of an outlet in a day of China Standard Time.
type apiDay struct {
	At         string             `json:"at" api:"date"`
	Outlet     telemetry.OutletID `json:"outlet"`
	Name       string             `json:"name"`
	Factor     string             `json:"factor"`
	ValidHours int                `json:"valid_hours"`
	HoursDue   int                `json:"hours_due"`
	Valid      bool               `json:"valid"`
	Mean       any                `json:"mean" api:"number?"`
	Folded     any                `json:"folded" api:"number?"`
	Judged     any                `json:"judged" api:"number?"`
	Basis      string             `json:"basis"`
	Total      any                `json:"total_kg" api:"number?"`
	LimitLo    any                `json:"limit_lo" api:"number?"`
	LimitHi    any                `json:"limit_hi" api:"number?"`
	Over       bool               `json:"over"`
	TimesOver  any                `json:"times_over" api:"number?"`
	Unit       string             `json:"unit"`
	Rules      string             `json:"rules"`
}

// apiIndex is the class of a section of surface water in a day of China Standard
// Time.
type apiIndex struct {
	At      string             `json:"at" api:"date"`
	Outlet  telemetry.OutletID `json:"outlet"`
	Name    string             `json:"name"`
	Class   any                `json:"class" api:"string?" doc:"class of water by GB 3838: that of the worst factor; null where no day mean was valid"`
	Factors map[string]string  `json:"factors" doc:"class by each factor that was judged"`
	Over    map[string]float64 `json:"over_class_3" doc:"by how many times a factor is over its limit of class III"`
	Main    []string           `json:"main" doc:"of these the largest, at most three"`
	Rule    string             `json:"rule"`
	Version int                `json:"rule_version"`
}

type apiPeriod struct {
	Outlet      telemetry.OutletID `json:"outlet"`
	Level       string             `json:"level" api:"month|quarter|year"`
	From        any                `json:"from" api:"time"`
	To          any                `json:"to" api:"time"`
	Provisional bool               `json:"provisional"`
	Profile     string             `json:"profile" doc:"how gaps are filled"`
	Flow        any                `json:"flow_m3" api:"number?"`
	Rules       string             `json:"rules"`
	Inputs      string             `json:"inputs" doc:"hash of the rows it was computed from"`
	Factors     []apiPeriodFactor  `json:"factors"`
}

type apiPeriodFactor struct {
	Factor      string `json:"factor"`
	Unit        string `json:"unit"`
	Valid       bool   `json:"valid"`
	DaysValid   int    `json:"days_valid"`
	DaysDue     int    `json:"days_due"`
	HoursValid  int    `json:"hours_valid"`
	HoursDue    int    `json:"hours_due"`
	Mean        any    `json:"mean" api:"number?"`
	Folded      any    `json:"folded" api:"number?"`
	Capture     any    `json:"capture_pct" api:"number?"`
	Measured    any    `json:"measured_kg" api:"number?"`
	Substituted any    `json:"substituted_kg" api:"number?"`
	Total       any    `json:"total_kg" api:"number?"`
	NoRule      int    `json:"no_rule" doc:"hours or days that no rule fills"`
	Limit       any    `json:"limit_kg" api:"number?"`
	Over        bool   `json:"over"`
}

// apiReport is the report of an outlet; its rows have the columns of its export.
type apiReport struct {
	Outlet      telemetry.OutletID `json:"outlet"`
	Level       string             `json:"level" api:"day|month|quarter|year"`
	Period      string             `json:"period"`
	From        any                `json:"from" api:"time"`
	To          any                `json:"to" api:"time"`
	Until       any                `json:"until" api:"time" doc:"end of what has gone by"`
	Provisional bool               `json:"provisional"`
	Rules       []string           `json:"rules" doc:"layout of the report and digests of the rules it was made by"`
	Columns     []apiColumn        `json:"columns"`
	Rows        []apiReportRow     `json:"rows" doc:"by the names in columns; sums and means of the period come last"`
	Known       any                `json:"known,omitempty" api:"time"`
}

// apiReportRow has a cell for each column.
type apiReportRow map[string]any

type apiColumn struct {
	Name string `json:"name"`
	Text string `json:"text" doc:"what it holds, with its unit, in the language of the request"`
}

func toAPIPeriod(r *quality.PeriodRow) apiPeriod {
	p := apiPeriod{
		Outlet: r.Outlet, Level: r.Level, From: unixOf(r.From), To: unixOf(r.To), Provisional: r.Provisional, Profile: r.Profile, Flow: plain(r.Flow), Rules: r.Rules, Inputs: r.Inputs,
		Factors: make([]apiPeriodFactor, 0, len(r.Factors)),
	}
	for i := range r.Factors {
		f := &r.Factors[i]
		p.Factors = append(p.Factors, apiPeriodFactor{
			Factor: f.Code, Unit: f.Unit, Valid: f.Valid, DaysValid: f.DaysValid, DaysDue: f.DaysDue, HoursValid: f.HoursValid, HoursDue: f.HoursDue, Mean: plain(f.Mean), Folded: plain(f.Folded),
			Capture: plain(f.Capture), Measured: plain(f.Measured), Substituted: plain(f.Substituted), Total: plain(f.Total), NoRule: f.NoRule, Limit: plain(f.Limit.Hi), Over: f.Over,
		})
	}
	return p
}

// apiAlarm is a row of exportAlarms.
type apiAlarm struct {
	ID        string             `json:"alarm" doc:"its ID"`
	Outlet    telemetry.OutletID `json:"outlet"`
	Name      string             `json:"name" doc:"of the outlet"`
	Area      string             `json:"area"`
	Kind      string             `json:"alarm_kind"`
	Severity  string             `json:"severity" api:"act|warn"`
	Factor    string             `json:"factor"`
	Level     string             `json:"level"`
	Start     any                `json:"start" api:"time"`
	End       any                `json:"end" api:"time?"`
	Count     int                `json:"count"`
	Value     any                `json:"value" api:"number?"`
	At        any                `json:"at" api:"time?"`
	Unit      string             `json:"unit"`
	LimitLo   any                `json:"limit_lo" api:"number?"`
	LimitHi   any                `json:"limit_hi" api:"number?"`
	TimesOver any                `json:"times_over" api:"number?"`
	Reason    string             `json:"reason"`
	Quiet     string             `json:"quiet"`
	Parent    string             `json:"parent"`
	Rule      string             `json:"rule"`
	Version   int                `json:"rule_version"`
	Acked     any                `json:"acknowledged" api:"time?"`
	AckedBy   string             `json:"acknowledged_by" doc:"post"`
	False     any                `json:"false_alarm" api:"time?"`
	Note      string             `json:"note"`
}

// apiNote is what somebody says of an alarm.
type apiNote struct {
	Note string `json:"note,omitempty"`
}

// apiFrame is a frame as it was received.
type apiFrame struct {
	Seq      uint64          `json:"seq"`
	Index    uint16          `json:"index"`
	Received string          `json:"received" api:"time"`
	Raw      hj212.FrameText `json:"raw" api:"any" doc:"text, or {\"hex\": …} where it is none"`
	Verdict  string          `json:"verdict"`
}

// apiRecords are records in columns.
type apiRecords struct {
	Outlet telemetry.OutletID `json:"outlet"`
	Kind   string             `json:"kind" api:"realtime|minute|hour|day"`
	From   string             `json:"from" api:"time"`
	To     string             `json:"to" api:"time"`
	Known  string             `json:"known,omitempty" api:"time"`
	Times  []int64            `json:"times" doc:"DataTime, seconds since 1970"`
	Series []apiSeries        `json:"series"`
}

type apiSeries struct {
	Factor    string     `json:"factor"`
	Statistic string     `json:"statistic" doc:"as in HJ 212: Rtd, Avg, ZsAvg, …"`
	Unit      string     `json:"unit"`
	Values    []*float64 `json:"values" doc:"with the digits they were sent with; null = nothing sent"`
	Flags     []*string  `json:"flags"`
}

// apiEvent stands for the schema of package events.
type apiEvent json.RawMessage

// MarshalJSON implements json.Marshaler.
func (e apiEvent) MarshalJSON() ([]byte, error) { return e, nil }

type apiWebhook struct {
	ID       string               `json:"id"`
	URL      string               `json:"url"`
	Kinds    []string             `json:"kinds" doc:"of events; empty = all"`
	Areas    []string             `json:"areas" doc:"codes, with all below them; empty = everywhere"`
	Outlets  []telemetry.OutletID `json:"outlets" doc:"in any case"`
	Note     string               `json:"note"`
	Secret   string               `json:"secret,omitempty" doc:"answered once, when it is made"`
	Paused   bool                 `json:"paused"`
	Cursor   string               `json:"cursor" doc:"events up to here are done with"`
	Tries    int                  `json:"tries" doc:"of the next event"`
	NextTry  any                  `json:"next_try" api:"time?"`
	GivenUp  int                  `json:"given_up" doc:"events given up since the last success"`
	Created  any                  `json:"created" api:"time"`
	Modified any                  `json:"modified" api:"time"`
	By       string               `json:"by" doc:"post"`
}

// apiWebhookInput is a webhook as a program sets it; what is left out of a
// change stays.
type apiWebhookInput struct {
	URL     *string               `json:"url,omitempty"`
	Kinds   *[]string             `json:"kinds,omitempty"`
	Areas   *[]string             `json:"areas,omitempty"`
	Outlets *[]telemetry.OutletID `json:"outlets,omitempty"`
	Note    *string               `json:"note,omitempty"`
	Secret  *string               `json:"secret,omitempty" doc:"whsec_ and 24 to 64 bytes in base64; made when left out"`
	Paused  *bool                 `json:"paused,omitempty"`
}

type apiDelivery struct {
	ID      string `json:"id"`
	Event   string `json:"event" doc:"ID; empty = a test"`
	Kind    string `json:"kind"`
	At      any    `json:"at" api:"time"`
	Try     int    `json:"try"`
	Status  int    `json:"status" doc:"0 = no answer"`
	Took    int64  `json:"took_ms"`
	Outcome string `json:"outcome" api:"done|retry|given_up"`
	Fault   string `json:"fault"`
}

// Lists.
type (
	apiAreas struct {
		Areas []apiArea `json:"areas"`
		Next  string    `json:"next,omitempty"`
	}
	apiEnterprises struct {
		Enterprises []apiEnterprise `json:"enterprises"`
		Next        string          `json:"next,omitempty"`
	}
	apiOutlets struct {
		Outlets []apiOutlet `json:"outlets"`
		Next    string      `json:"next,omitempty"`
	}
	apiDevices struct {
		Devices []apiDevice `json:"devices"`
		Next    string      `json:"next,omitempty"`
	}
	apiFactors struct {
		Factors []apiFactor `json:"factors"`
		Next    string      `json:"next,omitempty"`
	}
	apiRules struct {
		Rules []apiRule `json:"rules"`
		Next  string    `json:"next,omitempty"`
	}
	apiLimits struct {
		Limits []apiLimit `json:"limits"`
		Next   string     `json:"next,omitempty"`
	}
	apiStates struct {
		States []apiState `json:"states"`
		Next   string     `json:"next,omitempty"`
	}
	apiHours struct {
		Rows  []apiHour `json:"rows"`
		Known string    `json:"known,omitempty" api:"time"`
	}
	apiDays struct {
		Rows  []apiDay `json:"rows"`
		Known string   `json:"known,omitempty" api:"time"`
	}
	apiIndices struct {
		Rows  []apiIndex `json:"rows"`
		Known string     `json:"known,omitempty" api:"time"`
	}
	apiAlarms struct {
		Rows []apiAlarm `json:"rows"`
		Next string     `json:"next,omitempty"`
	}
	apiGaps struct {
		Gaps []apiGap `json:"gaps"`
		Next string   `json:"next,omitempty"`
	}
	apiDialogues struct {
		Dialogues []apiRecord `json:"dialogues"`
	}
	apiEvents struct {
		Events []apiEvent `json:"events"`
		Cursor string     `json:"cursor" doc:"to read on from, also when there was nothing"`
		More   bool       `json:"more" doc:"there are further ones already"`
	}
	apiWebhooks struct {
		Webhooks []apiWebhook `json:"webhooks"`
	}
	apiDeliveries struct {
		Deliveries []apiDelivery `json:"deliveries"`
	}
)
