package telemetry

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/platform/i18n"
)

// AreaNews is what an import does to an area.
type AreaNews struct {
	Row  int    // that does it
	What string // added, renamed, ended, changed
	Area Area   // as it is then
	Was  Name   // of a renamed one
}

func areaRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, code := range slices.Sorted(maps.Keys(s.Areas)) {
		for _, a := range s.Versions(code) {
			rows = append(rows, []string{a.Code, a.Name.Zh, a.Name.Bo, a.Name.En, strconv.Itoa(a.Number()), a.Parent, a.From, a.To, a.Replaces})
		}
	}
	return rows
}

// putAreaRow adds a version of an area, or changes the one of the same first day.
// What a new version leaves out is as in the one before.
func putAreaRow(c *change, r *csvRow) error {
	a := Area{Code: r.text("code"), From: r.text("effective_from")}
	for _, v := range c.snapshot().Versions(a.Code) {
		switch {
		case v.From == a.From:
			a = v
		case v.From < a.From:
			a = Area{Code: v.Code, Parent: v.Parent, Level: v.Level, Name: v.Name, From: a.From}
		}
	}
	r.into("name_zh", &a.Name.Zh)
	r.into("name_bo", &a.Name.Bo)
	r.into("name_en", &a.Name.En)
	r.into("parent", &a.Parent)
	r.into("effective_to", &a.To)
	r.into("replaces", &a.Replaces)
	if level := r.text("level"); level != "" {
		a.Level = levelOf(level)
	}
	if a.Level == "" {
		r.fault("level", "err.area.level")
		return nil
	}
	return c.putArea(a)
}

// levelOf reads the number of a level, or its name; "" when it is neither.
func levelOf(s string) string {
	if n, err := strconv.Atoi(i18n.Digits(s)); err == nil && n >= 1 && n <= len(Levels) {
		return Levels[n-1]
	}
	if s = strings.ToLower(s); slices.Contains(Levels, s) {
		return s
	}
	return ""
}

// sortAreaRows puts those above before those below, and earlier versions before
// later ones, whatever the order of the list: each may name what stands before it.
func sortAreaRows(rows []*csvRow) {
	level := func(r *csvRow) int { return slices.Index(Levels, levelOf(r.text("level"))) }
	slices.SortStableFunc(rows, func(a, b *csvRow) int {
		if d := level(a) - level(b); d != 0 {
			return d
		}
		return strings.Compare(a.text("effective_from"), b.text("effective_from"))
	})
}

// areaNews notes what a row did, from the entries it made.
func (rep *ImportReport) areaNews(row int, log []LogEntry) {
	for _, e := range log {
		var was, is Area
		_ = json.Unmarshal([]byte(e.Old), &was) // made by this program just now; "" leaves it empty
		_ = json.Unmarshal([]byte(e.New), &is)
		n := AreaNews{Row: row, What: "changed", Area: is}
		switch {
		case e.Old == "":
			n.What = "added"
		case is.From == was.From && is.To != "" && was.To == "":
			n.What = "ended"
		case is.Name != was.Name:
			n.What, n.Was = "renamed", was.Name
		}
		if len(rep.Areas) < maxFaults {
			rep.Areas = append(rep.Areas, n)
		}
	}
}
