package telemetry

import "slices"

// Profiles: the rules by which hours are valid and gaps are filled. The first of
// a medium's is the one in force; the others are offered for comparison.
const (
	ProfileHJ75     = "hj75-2017"
	ProfileHJ75Old  = "hjt75-2007"
	ProfileHJ356    = "hj356-2019"
	ProfileHJ356Old = "hjt356-2007"
	ProfilePart75   = "us-part75" // 40 CFR Part 75
	ProfileIED      = "eu-ied"    // 2010/75/EU, EN 17255-1
)

// Profiles lists the profiles of a medium, the one in force first.
func Profiles(m Medium) []string {
	if m == Gas {
		return []string{ProfileHJ75, ProfileHJ75Old, ProfilePart75, ProfileIED}
	}
	return []string{ProfileHJ356, ProfileHJ356Old}
}

// Setup is what of a measuring point's build the judgement needs, from a day on.
// The zero value says: nothing known, all gas measured dry, the usual rules.
type Setup struct {
	From string // YYYY-MM-DD in Beijing time, inclusive, until the next one
	// What the flow of gas is computed from where the logger reports none; nil = unknown.
	AreaM2    *float64 // cross-section of the duct
	Kv        *float64 // velocity field coefficient
	AmbientPa *float64 // mean air pressure of the place
	Wet       []string // codes of factors measured in wet gas, sorted
	Profile   string   // rules by which hours are valid and gaps are filled; "" = those in force
}

// HasDuct reports whether a flow of gas can be computed.
func (s *Setup) HasDuct() bool { return s.AreaM2 != nil && s.Kv != nil && s.AmbientPa != nil }

// SetupAt returns the setup in force on a date (YYYY-MM-DD).
func (o *Outlet) SetupAt(date string) *Setup {
	for i := len(o.Setups) - 1; i >= 0; i-- {
		if o.Setups[i].From <= date {
			return &o.Setups[i]
		}
	}
	return &Setup{}
}

// PutSetup adds a setup, or with was replaces the one that begins then.
func (o *Outlet) PutSetup(was string, s Setup) {
	if i := slices.IndexFunc(o.Setups, func(x Setup) bool { return was != "" && x.From == was }); i >= 0 {
		o.Setups[i] = s
		return
	}
	o.Setups = append(o.Setups, s)
}
