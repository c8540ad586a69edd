package alarm

import (
	"slices"
	"strconv"
	"time"

	"plateau/internal/telemetry/quality"
)

// group makes one alarm of several with a common cause; the others stay as its
// parts.
func (d *deriver) group() {
	for _, k := range Kinds() {
		d.groupKind(k)
	}
	d.underLink()
	d.underExceedance()
}

// groupKind joins episodes of several factors that begin together for the same
// cause, such as a logger that sends half hours, under one of the whole outlet.
// Where they end may differ: what stays behind is then one factor's.
func (d *deriver) groupKind(kind Kind) {
	var idx []int
	for i := range d.done {
		if d.done[i].Kind == kind {
			idx = append(idx, i)
		}
	}
	used := map[int]bool{}
	for n, i := range idx {
		first := &d.done[i]
		near := d.Rules.at(first.Start.Unix())[kind].group
		if near == 0 || used[i] {
			continue
		}
		members := []int{i}
		for _, k := range idx[n+1:] {
			e := &d.done[k]
			if !used[k] && e.Quiet == first.Quiet && e.Cause.Key == first.Cause.Key && e.Start.Sub(first.Start) < near && e.Start.Before(endOf(first)) {
				members = append(members, k)
			}
		}
		if !several(d.done, members) {
			continue
		}
		parent := d.joined(members)
		for _, k := range members {
			used[k] = true
			d.done[k].Parent = parent.ID
		}
		d.done = append(d.done, parent)
	}
}

// several reports whether more than one factor is among the members.
func several(all []Episode, members []int) bool {
	return slices.ContainsFunc(members, func(k int) bool { return all[k].Factor != all[members[0]].Factor })
}

// farOff stands for the end of what is still open.
var farOff = time.Unix(1<<50, 0)

func endOf(e *Episode) time.Time {
	if e.Open() {
		return farOff
	}
	return e.End
}

// joined is the alarm of the whole outlet that stands for its members.
func (d *deriver) joined(members []int) Episode {
	p := d.done[members[0]]
	p.Factor, p.Factors, p.Flags = "", nil, nil
	p.Count, p.Blank = 0, 0
	worst := p
	p.Severity = Warn
	for _, k := range members {
		e := &d.done[k]
		if !slices.Contains(p.Factors, e.Factor) {
			p.Factors = append(p.Factors, e.Factor)
		}
		for _, f := range e.Flags {
			if !slices.Contains(p.Flags, f) {
				p.Flags = append(p.Flags, f)
			}
		}
		if e.Severity == Act {
			p.Severity = Act
		}
		if e.Opened.Before(p.Opened) {
			p.Opened = e.Opened
		}
		if e.Last.After(p.Last) {
			p.Last = e.Last
		}
		if e.Open() {
			p.End, p.EndedBy = time.Time{}, ""
		} else if !p.End.IsZero() && e.End.After(p.End) {
			p.End, p.EndedBy = e.End, e.EndedBy
		}
		if graver(e, &worst) {
			worst = *e
		}
		p.Count = max(p.Count, e.Count)
	}
	p.Max, p.MaxAt, p.Cause = worst.Max, worst.MaxAt, worst.Cause
	if p.Kind != Missing { // each has its own value
		p.Cause.Key += "_group"
		p.Max, p.MaxAt, p.Folded, p.Limit, p.Times = quality.Opt{}, time.Time{}, false, quality.LimitRef{}, quality.Opt{}
	}
	slices.Sort(p.Factors)
	slices.Sort(p.Flags)
	p.Stops = nil
	d.stops(&p)
	p.ID = p.identity()
	return p
}

// graver reports which of two parts tells more of the whole: the one with fewer
// valid minutes, the longer constant, the larger difference, the smaller
// variation.
func graver(a, b *Episode) bool {
	arg := func(e *Episode, name string) float64 {
		v, _ := strconv.ParseFloat(e.Cause.Args[name], 64) // missing is 0
		return v
	}
	switch a.Kind {
	case Missing:
		return a.Max.OK && (!b.Max.OK || a.Max.V < b.Max.V)
	case Constant:
		return arg(a, "hours") > arg(b, "hours")
	case Flat:
		return arg(a, "percent") < arg(b, "percent")
	default:
		return arg(a, "percent") > arg(b, "percent")
	}
}

// underLink puts the half hours at both ends of an outage under it.
func (d *deriver) underLink() {
	outages := slices.Clone(d.Links)
	for i := range d.done {
		if link := &d.done[i]; link.Kind == Link && link.Quiet == "" {
			outages = append(outages, Outage{link.ID, Span{link.Start, link.End}})
		}
	}
	for _, o := range outages {
		near := d.Rules.at(o.From.Unix())[Link].join
		end := farOff
		if !o.To.IsZero() {
			end = o.To.Add(near)
		}
		for k := range d.done {
			e := &d.done[k]
			if e.Kind == Missing && e.Quiet == "" && e.Parent == "" && !e.Start.Before(o.From.Add(-near)) && !endOf(e).After(end) {
				e.Parent = o.ID
			}
		}
	}
}

// underExceedance puts warnings under an exceedance of the same factor that
// they lead to or go with: the hours of a day over the limit, say.
func (d *deriver) underExceedance() {
	for i := range d.done {
		top := &d.done[i]
		if top.Kind != Over && top.Kind != Range || top.Severity != Act || top.Quiet != "" {
			continue
		}
		near := d.Rules.at(top.Start.Unix())[Over].join
		for k := range d.done {
			e := &d.done[k]
			if (e.Kind == Over || e.Kind == Range) && e.Severity == Warn && e.Quiet == "" && e.Parent == "" && e.Factor == top.Factor &&
				e.Start.Before(endOf(top).Add(near)) && endOf(e).After(top.Start.Add(-near)) {
				e.Parent = top.ID
			}
		}
	}
}
