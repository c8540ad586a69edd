package telemetryweb

import (
	"maps"
	"slices"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

func unixOf(at int64) any {
	if at == 0 {
		return nil
	}
	return isoOf(time.Unix(at, 0))
}

func (h *Handler) apiAreas(c *call) error {
	under := c.query("area")
	var out []apiArea
	for _, code := range sortedKeys(c.snap.Areas) {
		a := c.snap.Areas[code]
		if under == "" || c.snap.Within(code, under) {
			out = append(out, apiArea{Code: a.Code, Parent: a.Parent, Level: a.Level, Name: a.Name.Zh, Names: toAPIName(a.Name), From: a.From, To: a.To, Replaces: strings.Fields(a.Replaces)})
		}
	}
	return paged(c, out, func(a *apiArea) string { return a.Code }, sameText, anyText)
}

func toAPIEnterprise(e *telemetry.Enterprise, outlets []telemetry.OutletID) apiEnterprise {
	if outlets == nil {
		outlets = []telemetry.OutletID{}
	}
	return apiEnterprise{ID: e.ID, Name: e.Name.Zh, Names: toAPIName(e.Name), Area: e.Area, Permit: e.Permit, Sample: e.Sample, Outlets: outlets}
}

func (h *Handler) apiEnterprises(c *call) error {
	under := c.query("area")
	own := map[string][]telemetry.OutletID{}
	for _, id := range c.outletIDs() {
		if o := c.snap.Outlets[id]; c.sees(o) {
			own[o.Enterprise] = append(own[o.Enterprise], id)
		}
	}
	var list []apiEnterprise
	for _, id := range sortedKeys(c.snap.Enterprises) {
		e := c.snap.Enterprises[id]
		if !c.seesEnterprise(e) && own[id] == nil || under != "" && !c.snap.Within(e.Area, under) {
			continue
		}
		list = append(list, toAPIEnterprise(e, own[id]))
	}
	return paged(c, list, func(e *apiEnterprise) string { return e.ID }, sameText, anyText)
}

func (h *Handler) apiEnterprise(c *call) error {
	e := c.snap.Enterprises[c.r.PathValue("id")]
	if e == nil {
		return notFound()
	}
	var own []telemetry.OutletID
	for _, id := range c.outletIDs() {
		if o := c.snap.Outlets[id]; o.Enterprise == e.ID && c.sees(o) {
			own = append(own, id)
		}
	}
	if own == nil && !c.seesEnterprise(e) {
		return notFound()
	}
	return c.answer(toAPIEnterprise(e, own))
}

// servedBy lists the loggers of each outlet, by MN.
func (c *call) servedBy() map[telemetry.OutletID][]string {
	mns := map[telemetry.OutletID][]string{}
	for _, mn := range sortedKeys(c.snap.Devices) {
		id := c.snap.Devices[mn].Outlet
		mns[id] = append(mns[id], mn)
	}
	return mns
}

func toAPIOutlet(o *telemetry.Outlet, s *quality.StateResult, mns []string) apiOutlet {
	if mns == nil {
		mns = []string{}
	}
	return apiOutlet{
		ID: o.ID, Name: o.Name.Zh, Enterprise: o.Enterprise, Area: o.Area, Medium: string(o.Medium), Lon: o.Lon, Lat: o.Lat, Sample: o.Sample,
		State: s.State.String(), Since: isoOf(s.Since), Factor: s.Factor, Value: plain(s.Value), Devices: mns,
	}
}

// chosenStates are the states of the outlets that the query asks for and the
// actor may see, by number.
func (h *Handler) chosenStates(c *call) ([]quality.StateResult, error) {
	f := c.filter()
	if _, ok := quality.ParseState(f.State); f.State != "" && !ok {
		return nil, errs.New(errs.Malformed, "api.bad_state")
	}
	list, err := h.states(c, f)
	if err != nil {
		return nil, err
	}
	enterprise := c.query("enterprise")
	list = slices.DeleteFunc(list, func(s quality.StateResult) bool {
		return f.State != "" && s.State.String() != f.State || enterprise != "" && c.snap.Outlets[s.Outlet].Enterprise != enterprise
	})
	slices.SortFunc(list, func(a, b quality.StateResult) int { return int(int64(a.Outlet) - int64(b.Outlet)) })
	return list, nil
}

func (h *Handler) apiOutlets(c *call) error {
	list, err := h.chosenStates(c)
	if err != nil {
		return err
	}
	mns := c.servedBy()
	out := make([]apiOutlet, 0, len(list))
	for i := range list {
		o := c.snap.Outlets[list[i].Outlet]
		out = append(out, toAPIOutlet(o, &list[i], mns[o.ID]))
	}
	return paged(c, out, func(o *apiOutlet) telemetry.OutletID { return o.ID }, idText, readID)
}

func (h *Handler) apiOutlet(c *call) error {
	o, err := h.find(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	s, err := h.Quality.State(o.ID, c.now)
	if err != nil {
		return err
	}
	out := apiOutletFull{
		apiOutlet: toAPIOutlet(o, &s, c.servedBy()[o.ID]), Names: toAPIName(o.Name), SourceType: o.SourceType, Condition: o.Condition, Level: o.Level, InService: isoOf(o.Since),
		Factors: []apiOwnFactor{}, Limits: []apiLimit{}, Intervals: []apiInterval{}, Stops: []apiStop{},
	}
	for i := range o.Factors {
		f := &o.Factors[i]
		out.Factors = append(out.Factors, apiOwnFactor{f.Code, unitOf(o, f.Code), f.RangeLo, f.RangeHi, f.DetectionLimit})
	}
	for i := range o.Limits {
		out.Limits = append(out.Limits, toAPILimit(&o.Limits[i]))
	}
	for _, iv := range o.Intervals {
		out.Intervals = append(out.Intervals, apiInterval{isoOf(iv.From), iv.Realtime, iv.Minute})
	}
	for _, s := range o.Stops {
		out.Stops = append(out.Stops, apiStop{isoOf(s.From), isoOf(s.To), s.Reason})
	}
	return c.answer(out)
}

func (h *Handler) apiStates(c *call) error {
	list, err := h.chosenStates(c)
	if err != nil {
		return err
	}
	out := make([]apiState, 0, len(list))
	for i := range list {
		s := &list[i]
		out = append(out, apiState{
			Outlet: s.Outlet, State: s.State.String(), Since: isoOf(s.Since), Factor: s.Factor, Level: s.Level, At: isoOf(s.At), Value: plain(s.Value), Folded: s.Folded,
			LimitLo: plain(s.Limit.Lo), LimitHi: plain(s.Limit.Hi), TimesOver: plain(s.Times), Reason: s.Reason.Key, Text: c.why(*s), Rule: s.Rule, Version: s.Version,
			Latest: unixOf(s.Latest), Seen: unixOf(s.Seen),
		})
	}
	return paged(c, out, func(s *apiState) telemetry.OutletID { return s.Outlet }, idText, readID)
}

// toAPIDevice tells of a serving logger; passwords, networks and keys stay
// inside.
func toAPIDevice(d *telemetry.Device, s *gateway.DeviceStatus) apiDevice {
	a := apiDevice{MN: d.MN, Outlet: d.Outlet, From: isoOf(d.From), Connected: s.Connected, Last: isoOf(s.Last), Version: s.Version, Frames: s.Frames, Refused: s.Refused}
	switch {
	case s.Datagrams:
		a.Transport, a.Connected = "udp", nil
	case !s.Last.IsZero():
		a.Transport = "tcp"
	}
	if s.ClockKnown {
		a.Clock = s.ClockOffset.Seconds()
	}
	return a
}

func (h *Handler) apiDevices(c *call) error {
	live := map[string]gateway.DeviceStatus{}
	for _, d := range h.Gateway.Devices() {
		live[d.MN] = d
	}
	f, scope := c.filter(), c.scope(Devices)
	var list []apiDevice
	for _, mn := range sortedKeys(c.snap.Devices) {
		d, s := c.snap.Devices[mn], live[mn]
		if o := c.snap.Outlets[d.Outlet]; o != nil && scope.Contains(ObjectOf(o)) && f.matches(c, o) {
			list = append(list, toAPIDevice(d, &s))
		}
	}
	return paged(c, list, func(d *apiDevice) string { return d.MN }, sameText, anyText)
}

func (h *Handler) apiDevice(c *call) error {
	d := c.snap.Devices[c.r.PathValue("mn")]
	if d == nil {
		return notFound()
	}
	if err := c.mustLogger(Devices, d.MN); err != nil {
		return err
	}
	s, _ := h.Gateway.Device(d.MN) // all is zero before it sends
	return c.answer(toAPIDevice(d, &s))
}

func (h *Handler) apiFactors(c *call) error {
	all := hj212.Factors()
	medium := c.query("medium")
	var out []apiFactor
	for _, code := range sortedKeys(all) {
		f := all[code]
		if medium == "" || f.Medium == medium {
			out = append(out, apiFactor{
				Code: code, Old: f.Old, Medium: f.Medium, NameZh: f.NameZh, NameEn: f.NameEn, Formula: f.Formula, CAS: f.CAS, Unit: f.Unit, EmissionUnit: f.EmissionUnit,
				Decimals: f.Decimals, Standard: f.Standard,
			})
		}
	}
	return paged(c, out, func(f *apiFactor) string { return f.Code }, sameText, anyText)
}

// day reads the parameter on, a date; without it it is today.
func (c *call) onDay() (string, error) {
	on := c.query("on")
	if on == "" {
		return c.now.In(i18n.Zone).Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, on); err != nil {
		return "", errs.Wrap(err, errs.Malformed, "api.bad_date", "name", "on")
	}
	return on, nil
}

func (h *Handler) toAPIRule(r *rules.Rule) apiRule {
	return apiRule{
		ID: r.ID, Subject: h.ruleSet().Shape(r.ID).Subject, Version: r.Version, Title: r.Title, EffectiveFrom: r.EffectiveFrom, EffectiveTo: r.EffectiveTo,
		Source: r.Source, SourceZh: r.SourceZh, Certainty: r.Certainty, Hash: r.Hash, Params: r.Params,
	}
}

func (h *Handler) apiRules(c *call) error {
	on, err := c.onDay()
	if err != nil {
		return err
	}
	set := h.ruleSet()
	var out []apiRule
	for _, id := range slices.Sorted(slices.Values(set.IDs())) {
		if r, ok := set.InForce(id, on); ok {
			out = append(out, h.toAPIRule(r))
		}
	}
	return paged(c, out, func(r *apiRule) string { return r.ID }, sameText, anyText)
}

func (h *Handler) apiRuleVersions(c *call) error {
	versions := h.ruleSet().Versions(c.r.PathValue("id"))
	if len(versions) == 0 {
		return notFound()
	}
	out := apiRules{}
	for _, r := range versions {
		out.Rules = append(out.Rules, h.toAPIRule(r))
	}
	return c.answer(out)
}

func toAPILimit(l *telemetry.Limit) apiLimit {
	return apiLimit{
		ID: l.ID, Standard: l.Standard, SourceType: l.SourceType, Condition: l.Condition, Level: l.Level, Factor: l.Factor, Statistic: l.Statistic, Op: l.Op, Lo: l.Lo, Hi: l.Hi,
		Unit: l.Unit, RefO2: l.RefO2, EffectiveFrom: l.EffectiveFrom, EffectiveTo: l.EffectiveTo, Note: l.Note, Certainty: l.Certainty,
	}
}

func (h *Handler) apiLimits(c *call) error {
	on, err := c.onDay()
	if err != nil {
		return err
	}
	factor, source := c.query("factor"), c.query("source_type")
	var out []apiLimit
	for i := range c.snap.Limits {
		l := &c.snap.Limits[i]
		if rules.InForce(l, on) && (factor == "" || l.Factor == factor) && (source == "" || l.SourceType == source) {
			out = append(out, toAPILimit(l))
		}
	}
	slices.SortFunc(out, func(a, b apiLimit) int { return strings.Compare(a.ID, b.ID) })
	return paged(c, out, func(l *apiLimit) string { return l.ID }, sameText, anyText)
}

// apiDocument is the description of the interface itself.
func (h *Handler) apiDocument(c *call) error {
	c.r.URL.RawQuery = ""                                // whole, whatever fields are asked for
	c.w.Header().Set("Access-Control-Allow-Origin", "*") // no secret: tools in browsers may read it
	return c.json(h.document())
}

// outletIDs are all outlets by number.
func (c *call) outletIDs() []telemetry.OutletID { return slices.Sorted(maps.Keys(c.snap.Outlets)) }
