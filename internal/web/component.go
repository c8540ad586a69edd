package web

import (
	"net/url"
	"slices"
	"strconv"
)

// Field is one control of a form: label above, hint, error, control.
type Field struct {
	Name     string // form name; also the id
	Label    string
	Hint     string
	Error    string // what to do, such as "Enter the hour mean, for example 62.4"
	Value    string
	Kind     string // "" text, "password", "textarea", "select", "checkbox", "file", "search"
	Input    string // inputmode: "decimal", "numeric"
	Auto     string // autocomplete
	Lang     string // language of the value, when it is not the page's
	LabelIn  string // language of the label, when it is not the page's
	Width    string // "" full, "short", "medium"
	Rows     int    // of a textarea
	Accept   string // of a file
	Many     bool   // of a file: several at once
	Optional bool
	Checked  bool
	Options  []Option // of a select
}

// Option is one choice of a select.
type Option struct {
	Value, Text string
	Selected    bool
}

// DescribedBy lists the ids of hint and error for aria-describedby.
func (f Field) DescribedBy() string {
	switch {
	case f.Hint != "" && f.Error != "":
		return f.Name + "-hint " + f.Name + "-error"
	case f.Hint != "":
		return f.Name + "-hint"
	case f.Error != "":
		return f.Name + "-error"
	}
	return ""
}

// Table is the state of a sorted and paged list as its address holds it.
type Table struct {
	Path    string     // with the language
	Query   url.Values // filters, sort and page
	Default string     // sort when the address names none, such as "-ratio"
	Swap    string     // fragment that the links replace; "" loads the page
}

// Sort returns the current column and direction.
func (t Table) Sort() (key string, desc bool) {
	key = t.Query.Get("sort")
	if key == "" {
		key = t.Default
	}
	if len(key) > 0 && key[0] == '-' {
		return key[1:], true
	}
	return key, false
}

func (t Table) with(name, value string) string {
	q := url.Values{}
	for k, v := range t.Query {
		if k != "page" {
			q[k] = slices.Clone(v)
		}
	}
	if value == "" {
		q.Del(name)
	} else {
		q.Set(name, value)
	}
	if len(q) == 0 {
		return t.Path
	}
	return t.Path + "?" + q.Encode()
}

// Without returns the address with one filter taken off.
func (t Table) Without(name string) string { return t.with(name, "") }

// SortHead is a column head that sorts.
type SortHead struct {
	Label, Href, Aria, Swap, Class string
}

// Head returns the head of a column; class is put on the cell ("num" or "").
// A second click turns the order round.
func (t Table) Head(key, label, class string) SortHead {
	h := SortHead{Label: label, Aria: "none", Swap: t.Swap, Class: class}
	cur, desc := t.Sort()
	next := key
	if cur == key {
		h.Aria = "ascending"
		if desc {
			h.Aria = "descending"
		} else {
			next = "-" + key
		}
	}
	h.Href = t.with("sort", next)
	return h
}

// Pager is the line under a long list.
type Pager struct {
	Page, Pages, Rows   int
	Previous, Next, All string // addresses; "" = none
	Swap                string
}

// Cut pages n rows by size (50 when 0) and returns the bounds of the current
// page; "page=all" shows everything.
func (t Table) Cut(n, size int) (from, to int, p Pager) {
	if size <= 0 {
		size = 50
	}
	p = Pager{Page: 1, Pages: max(1, (n+size-1)/size), Rows: n, Swap: t.Swap}
	if t.Query.Get("page") == "all" {
		p.Pages = 1
		return 0, n, p
	}
	if k, err := strconv.Atoi(t.Query.Get("page")); err == nil {
		p.Page = min(max(k, 1), p.Pages)
	}
	at := func(k int) string { return t.with("page", strconv.Itoa(k)) }
	if p.Page > 1 {
		p.Previous = at(p.Page - 1)
	}
	if p.Page < p.Pages {
		p.Next = at(p.Page + 1)
	}
	if p.Pages > 1 {
		p.All = t.with("page", "all")
	}
	from = (p.Page - 1) * size
	return from, min(from+size, n), p
}

// Tile is a number with its word, as in the state strip and the factor row.
type Tile struct {
	State, Label, Value, Unit, Note, Href string
	Current                               bool
}

// Tab is one of a row of tabs, a link with its own address.
type Tab struct {
	Text, Href string
	Current    bool
}

// Empty says in one sentence why there is nothing, and offers one action.
type Empty struct{ Text, Href, Action string }
