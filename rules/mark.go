package rules

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// markFamily begins the ids of the rules that say which marks there are
// ("1 + N", Announcement 2022 No. 21): mark.device for everybody, one of the
// others for each industry.
const markFamily = "mark."

// Groups of marks. At one minute there is one operating-state mark; of the
// others there may be any number.
const (
	MarkDevice    = "device"
	MarkOperating = "operating"
	MarkOther     = "other"
)

// Effects of marks on the judgement.
const (
	EffectInvalid = "invalid" // values of its factors in its minutes are not valid
	EffectExempt  = "exempt"  // values stay valid, an exceedance is exempt within the quota
	EffectStopped = "stopped" // the source stood still, nothing is expected
	EffectNone    = "none"    // kept, without effect
)

// Who may set a mark.
const (
	MarkByDevice     = "device"
	MarkByEnterprise = "enterprise"
	MarkByRegulator  = "regulator"
)

var (
	markGroups  = []string{MarkDevice, MarkOperating, MarkOther}
	markEffects = []string{EffectInvalid, EffectExempt, EffectStopped, EffectNone}
	markFlags   = []string{"M", "C", "D", "T"} // B is a banked fire in hours (HJ 75-2017), and the source's
	markKinds   = []string{"maintenance", "calibration", "other", "out_of_control", "overdue_calibration"}
	markAuthors = []string{MarkByDevice, MarkByEnterprise, MarkByRegulator}
)

// MarkCode is a mark that a rule knows.
type MarkCode struct {
	Rule     *Rule
	Code     string
	Name     map[string]string // by language: zh, bo, en
	Group    string
	Effect   string
	Flag     string   // of EffectInvalid: letter that its minutes are counted by, HJ 212
	Kind     string   // of EffectInvalid: of the period, for substitution
	Quota    string   // of EffectExempt: rule that bounds the exempt hours; "" = no bound
	By       []string // who may set it
	Evidence bool     // something that shows it must be given
}

// Ref names a mark among those of all rules: mark.device/maintenance.
func (m MarkCode) Ref() string { return m.Rule.ID + "/" + m.Code }

// Marks lists what a rule of the family mark.* knows, by group and code; a
// fault wraps ErrInvalid.
func (r *Rule) Marks() ([]MarkCode, error) {
	list, faults := r.marks()
	if len(faults) > 0 {
		return nil, fmt.Errorf("rule %s: %s %s: %w", r.ID, faults[0].param, faults[0].text, ErrInvalid)
	}
	return list, nil
}

// marks reads the codes, and says what of them does not fit.
func (r *Rule) marks() (list []MarkCode, faults []misfit) {
	codes := r.Table("codes")
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		t, ok := codes[code].(map[string]any)
		if !ok {
			faults = append(faults, misfit{"codes." + code, "is no table; write [params.codes." + code + "]"})
			continue
		}
		m := MarkCode{Rule: r, Code: code, Name: map[string]string{}}
		faults = append(faults, m.read(t)...)
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(a, b MarkCode) int {
		return cmp.Or(slices.Index(markGroups, a.Group)-slices.Index(markGroups, b.Group), cmp.Compare(a.Code, b.Code))
	})
	return list, faults
}

// read takes a mark from its table. Every key must be known, so that a misspelt
// one is not simply without effect.
func (m *MarkCode) read(t map[string]any) (faults []misfit) {
	at := func(key string) string { return "codes." + m.Code + "." + key }
	fault := func(key, format string, args ...any) {
		faults = append(faults, misfit{at(key), fmt.Sprintf(format, args...)})
	}
	text := func(key string) string {
		s, ok := t[key].(string)
		if _, there := t[key]; there && !ok {
			fault(key, `is %s; write a text in "quotes"`, valueText(t[key]))
		}
		return s
	}
	choice := func(key, value string, choices []string) {
		if !slices.Contains(choices, value) {
			fault(key, "is %q; write one of %s", value, strings.Join(choices, ", "))
		}
	}
	for _, lang := range []string{"zh", "bo", "en"} {
		if m.Name[lang] = text(lang); m.Name[lang] == "" {
			fault(lang, "is missing; write the name of the mark in this language")
		}
	}
	m.Group, m.Effect = text("group"), text("effect")
	choice("group", m.Group, markGroups)
	choice("effect", m.Effect, markEffects)
	m.Flag, m.Kind, m.Quota = text("flag"), text("kind"), text("quota")
	if m.Effect == EffectInvalid {
		choice("flag", m.Flag, markFlags)
		choice("kind", m.Kind, markKinds)
		if m.Group == MarkOperating {
			fault("effect", "is invalid, but the mark is one of the operating state; values stay valid then: write exempt, stopped or none")
		}
	} else if m.Flag != "" || m.Kind != "" {
		fault("flag", "and kind are of marks with effect invalid; leave them out")
	}
	if (m.Effect == EffectExempt || m.Effect == EffectStopped) && m.Group != MarkOperating {
		fault("effect", "is %s, which only marks of the operating state have; write invalid or none", m.Effect)
	}
	if m.Quota != "" && m.Effect != EffectExempt {
		fault("quota", "is of marks with effect exempt; leave it out")
	}
	by, err := texts(m.Rule.ID, at("by"), t["by"])
	if m.By = by; err != nil || len(by) == 0 {
		fault("by", `is no list; write who may set it: ["enterprise", "regulator"]`)
	}
	for _, b := range by {
		choice("by", b, markAuthors)
	}
	var ok bool
	if m.Evidence, ok = t["evidence"].(bool); !ok {
		fault("evidence", "is %s; write true or false", valueText(t["evidence"]))
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if !slices.Contains([]string{"zh", "bo", "en", "group", "effect", "flag", "kind", "quota", "by", "evidence"}, key) {
			fault(key, "is no part of a mark; it has zh, bo, en, group, effect, flag, kind, quota, by, evidence")
		}
	}
	return faults
}

// MarksFor lists the marks that an outlet of a medium and source type may have
// on date (YYYY-MM-DD): those of the device, then those of its industry. Before
// a rule was in force it knows no mark. A fault wraps ErrInvalid.
func (s *Set) MarksFor(medium, sourceType, date string) ([]MarkCode, error) {
	var out []MarkCode
	for _, id := range s.IDs() {
		if !strings.HasPrefix(id, markFamily) || !s.Shape(id).Applies(medium, sourceType) {
			continue
		}
		r, ok := s.InForce(id, date)
		if !ok {
			continue
		}
		list, err := r.Marks()
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b MarkCode) int { return slices.Index(markGroups, a.Group) - slices.Index(markGroups, b.Group) })
	return out, nil
}

// markLine finds the line of a key inside the section of a mark; 0 when it is
// no such key, the section's line when the key is missing.
func markLine(text []byte, param string) int {
	rest, ok := strings.CutPrefix(param, "codes.")
	if !ok {
		return 0
	}
	code, key, _ := strings.Cut(rest, ".")
	head := regexp.MustCompile(`^\s*\[params\.codes\."?` + regexp.QuoteMeta(code) + `"?\]`)
	given := regexp.MustCompile(`^\s*"?` + regexp.QuoteMeta(key) + `"?\s*=`)
	section := 0
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case head.MatchString(line):
			section = i + 1
		case section > 0 && strings.HasPrefix(strings.TrimSpace(line), "["):
			return section
		case section > 0 && given.MatchString(line):
			return i + 1
		}
	}
	return section
}
