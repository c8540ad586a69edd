package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/sensorthings"
)

const (
	maxExpands     = 64 // relations inlined by one request, merged ones counted once
	maxExpandDepth = 16
	maxKeys        = 32  // of one $orderby
	maxSelected    = 128 // of one $select
)

// optionNames in the order in which links write them.
var optionNames = []string{"$filter", "$count", "$orderby", "$skip", "$top", "$select", "$expand", "$resultFormat", "$skiptoken"}

// ParseOptions reads the raw query of a request for entities of set; ";" in it
// separates nothing outside of parentheses, "+" is a blank. now is what the
// function now() answers. The error is an *Error: 501 for an option that is not
// known, else 400.
func ParseOptions(set sensorthings.Set, rawQuery string, now time.Time) (*Options, error) {
	o := none()
	b := optionParser{now: now}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, fault(-1, "option %q is not percent-encoded rightly", shorten(rawName))
		}
		if !strings.HasPrefix(name, "$") {
			if slices.Contains(optionNames, "$"+name) {
				return nil, fault(-1, "option %q begins with a dollar sign: $%s", name, name)
			}
			continue // of others: an access token, a number against caches
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, within(name, 0, fault(-1, "is not percent-encoded rightly: write %% as %%25"))
		}
		if err := b.option(set, &o, name, value); err != nil {
			return nil, within(name, 0, err)
		}
	}
	if o.ResultFormat == "dataArray" {
		if set != sensorthings.Observations {
			return nil, within("$resultFormat", 0, fault(-1, "dataArray is for Observations only"))
		}
		if o.Expand != nil {
			return nil, within("$resultFormat", 0, fault(-1, "dataArray cannot be combined with $expand"))
		}
	}
	return &o, nil
}

func none() Options { return Options{Top: -1, Skip: -1} }

// optionParser counts what one request asks for.
type optionParser struct {
	now     time.Time
	expands int
	depth   int
}

// option reads one option into o.
func (b *optionParser) option(set sensorthings.Set, o *Options, name, value string) error {
	if !slices.Contains(optionNames, name) {
		e := fault(-1, "unknown option %s%s", shorten(name), hint(name, optionNames))
		e.Status = 501
		return e
	}
	if len(value) > maxText {
		return fault(-1, "longer than %d bytes: ask in several requests", maxText)
	}
	for _, r := range o.Raw {
		if r.Name == name {
			return fault(-1, "given twice")
		}
	}
	o.Raw = append(o.Raw, Raw{name, value})
	var err error
	switch name {
	case "$filter":
		o.Filter, err = parseFilter(set, value, b.now)
	case "$orderby":
		o.OrderBy, err = parseOrder(set, value, b.now)
	case "$top":
		o.Top, err = parseCount(value)
	case "$skip":
		o.Skip, err = parseCount(value)
	case "$count":
		if value != "true" && value != "false" {
			return fault(0, "is true or false, not %q", shorten(value))
		}
		o.Count = value == "true"
	case "$select":
		o.Select, err = parseSelect(set, value)
	case "$expand":
		o.Expand, err = b.expand(set, value, 0, len(value))
	case "$resultFormat":
		if !slices.Contains([]string{"dataArray", "GeoJSON", "CSV"}, value) {
			return fault(0, "is dataArray, GeoJSON or CSV, not %q", shorten(value))
		}
		o.ResultFormat = value
	case "$skiptoken":
		if value == "" {
			return fault(0, "is empty: follow @iot.nextLink as it is")
		}
		o.SkipToken = value
	}
	return err
}

// parseCount reads a whole number that is not negative.
func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || s[0] == '+' {
		return 0, fault(0, "is a whole number from 0 to 9223372036854775807, not %q", shorten(s))
	}
	return n, nil
}

func parseOrder(set sensorthings.Set, text string, now time.Time) ([]Order, error) {
	p, err := newParser(set, text, now)
	if err != nil {
		return nil, err
	}
	var out []Order
	for {
		key, err := p.parseKey()
		if err != nil {
			return nil, err
		}
		if p.word("asc") || p.word("desc") {
			key.Desc = p.word("desc")
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
		if out = append(out, key); len(out) > maxKeys {
			return nil, fault(p.tok.at, "more than %d keys", maxKeys)
		}
		if !p.sign(",") {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if p.tok.kind != tokEnd {
		return nil, fault(p.tok.at, "expected asc, desc, \",\" or the end, found %s", p.found())
	}
	pool := newPool(len(p.scope.vars))
	for i := range out {
		out[i].Key.pool = pool
	}
	return out, nil
}

func parseSelect(set sensorthings.Set, text string) ([]Selected, error) {
	var out []Selected
	at := 0
	for item := range strings.SplitSeq(text, ",") {
		start := at + len(item) - len(strings.TrimLeft(item, " \t"))
		at += len(item) + 1
		path := strings.Split(strings.TrimSpace(item), "/")
		name := path[0]
		s := Selected{Name: name}
		prop, known := set.Property(name)
		_, s.Relation = set.Relation(name)
		switch {
		case name == "":
			return nil, fault(start, "expected a property or relation of %s", set)
		case name == "id" || name == "@iot.id":
			s.Name = "@iot.id"
		case name == "@iot.selfLink":
		case !known && !s.Relation:
			return nil, fault(start, "%s have no property or relation %q%s", set, shorten(name), hint(name, namesOf(set)))
		}
		if len(path) > 1 {
			if !known || !prop.Kind.HasMembers() {
				return nil, fault(start, "%q has no members to select", shorten(name))
			}
			if slices.Contains(path, "") {
				return nil, fault(start, "expected the name of a member behind \"/\"")
			}
			s.Path = path[1:]
		}
		if out = append(out, s); len(out) > maxSelected {
			return nil, fault(start, "more than %d names", maxSelected)
		}
	}
	return out, nil
}
