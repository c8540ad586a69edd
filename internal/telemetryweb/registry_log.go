package telemetryweb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// changeLine is an entry of the registry's log in words.
type changeLine struct {
	At     time.Time
	By     string
	What   string
	ID     string // or the name, while the entry is there
	Href   string
	Deltas []delta
	More   int // deltas that are not shown
}

// delta is one figure that changed; From or To is empty when there was or is
// nothing.
type delta struct{ Label, From, To, Lang string }

// maxDeltas bounds what one line of the log shows.
const maxDeltas = 6

type registryChangesView struct {
	Changes []changeLine
	Pager   web.Pager
}

// maxChanges bounds how far back the page of the log goes.
const maxChanges = 2000

func (h *Handler) changes(c *call, limit int) ([]changeLine, error) {
	if h.Editor == nil {
		return nil, nil
	}
	list, err := h.Editor.Changes(c.ctx(), limit)
	if err != nil {
		return nil, err
	}
	out := make([]changeLine, 0, len(list))
	scope := c.scope(ReadList)
	for i := range list {
		if scope.Contains(c.changedObject(&list[i])) {
			out = append(out, c.changeLine(&list[i]))
		}
	}
	return out, nil
}

// changedObject is what a change was made to, as it is now; what is not there any
// more concerns those who look after all.
func (c *call) changedObject(x *Change) access.Object {
	switch x.Kind {
	case "enterprise":
		if e := c.snap.Enterprises[x.ID]; e != nil {
			return objectOfEnterprise(e)
		}
	case "device":
		return c.logger(x.ID)
	}
	id, _, _ := strings.Cut(x.ID, ":")
	n, _ := parseOutletID(id)
	return ObjectOf(c.snap.Outlets[n])
}

func (c *call) changeLine(x *Change) changeLine {
	word := func(prefix, s string) string {
		if key := prefix + s; c.l.Has(key) {
			return c.l.T(key)
		}
		return s
	}
	line := changeLine{
		At: x.At, By: x.By, ID: x.ID,
		What: c.l.T("registry.did", "action", word("registry.action_", x.Action), "kind", word("registry.kind_", x.Kind)),
	}
	switch x.Kind {
	case "enterprise":
		if e := c.snap.Enterprises[x.ID]; e != nil {
			line.ID, line.Href = c.name(e.Name).Text, c.path("/registry/enterprises/"+x.ID)
		}
	case "outlet":
		if n, _ := parseOutletID(x.ID); c.snap.Outlets[n] != nil {
			line.ID, line.Href = c.outletNumber(x.ID), c.path("/registry/outlets/"+x.ID)
		}
	case "device":
		line.Href = c.path("/devices/" + x.ID)
	}
	line.Deltas = c.deltas(x.Old, x.New)
	if n := len(line.Deltas); n > maxDeltas {
		line.Deltas, line.More = line.Deltas[:maxDeltas], n-maxDeltas
	}
	return line
}

func (h *Handler) registryChanges(c *call) error {
	list, err := h.changes(c, maxChanges)
	if err != nil {
		return err
	}
	table := web.Table{Path: c.path("/registry/changes"), Query: c.r.URL.Query(), Swap: "registry-changes"}
	v := &registryChangesView{}
	from, to, pager := table.Cut(len(list), 50)
	v.Changes, v.Pager = list[from:to], pager
	return h.render(c, http.StatusOK, "registry_changes.html", &web.Page{
		Title: c.l.T("registry.changes"), Module: "registry", Wide: true, Crumbs: registryCrumbs(c, ""), Data: v,
	})
}

// leaf is one figure of an entry as the log keeps it (JSON), with the path to
// it: Name Zh, Factors a21026 RangeHi.
type leaf struct {
	path  []string
	value string
}

// deltas compares two states of an entry.
func (c *call) deltas(before, after string) []delta {
	old, now := leaves(before), leaves(after)
	var out []delta
	add := func(path []string, from, to string) {
		if path[len(path)-1] == "By" {
			return // the line says by which post
		}
		switch path[0] {
		case "ID", "mn", "Sample": // stands beside it; of the demonstration
			return
		case "outlet":
			from, to = c.outletNumber(from), c.outletNumber(to)
		}
		name := path[len(path)-1]
		d := delta{Label: c.pathWords(path), From: c.leafWord(name, from), To: c.leafWord(name, to)}
		if name == "Bo" {
			d.Lang = "bo"
		}
		out = append(out, d)
	}
	for _, key := range inOrder(now) {
		if l, was := now[key], old[key].value; was != l.value {
			add(l.path, was, l.value)
		}
	}
	for _, key := range inOrder(old) {
		if _, there := now[key]; !there {
			add(old[key].path, old[key].value, "")
		}
	}
	return out
}

// inOrder lists the paths of an entry: its name, its own figures, those of its
// parts.
func inOrder(m map[string]leaf) []string {
	rank := func(key string) int {
		switch path := m[key].path; {
		case path[0] == "Name":
			return 0
		case len(path) == 1:
			return 1
		}
		return 2
	}
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return keys
}

func leaves(doc string) map[string]leaf {
	out := map[string]leaf{}
	var tree any
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber() // figures with the digits they were written with
	if dec.Decode(&tree) == nil {
		walk(tree, nil, out)
	}
	return out
}

// walk gathers the figures that say something.
func walk(node any, path []string, out map[string]leaf) {
	switch v := node.(type) {
	case map[string]any:
		for k, x := range v {
			walk(x, append(slices.Clone(path), k), out)
		}
	case []any:
		for i, x := range v {
			walk(x, append(slices.Clone(path), elementName(x, i)), out)
		}
	default:
		text := leafText(v)
		if text != "" {
			out[strings.Join(path, "\x00")] = leaf{path, text}
		}
	}
}

// elementName tells the elements of a list apart by what they are, so that one
// that moved has not changed.
func elementName(x any, i int) string {
	if m, ok := x.(map[string]any); ok {
		for _, k := range []string{"Code", "ID", "From"} {
			if s, ok := m[k].(string); ok && s != "" {
				return leafText(s)
			}
		}
	}
	return strconv.Itoa(i + 1)
}

// outletNumber names the outlet of a number, where it is still there.
func (c *call) outletNumber(s string) string {
	n, _ := parseOutletID(s)
	if o := c.snap.Outlets[n]; o != nil {
		return c.outletName(o).Text
	}
	return s
}

// leafWord puts a code that an entry keeps under a name into words.
func (c *call) leafWord(name, s string) string {
	if s == "" {
		return ""
	}
	key := ""
	switch name {
	case "Enterprise":
		if e := c.snap.Enterprises[s]; e != nil {
			return c.name(e.Name).Text
		}
	case "Area":
		if a := c.snap.Areas[s]; a != nil {
			return c.name(a.Name).Text
		}
	case "Factor":
		return c.factor(s).Text
	case "SourceType":
		return c.source(s).Text
	case "Standard":
		return c.restsOn(s).Text
	case "Statistic":
		return c.statistic(s)
	case "Medium":
		key = "medium." + s
	case "Op":
		key = "op." + opWords[s]
	}
	if c.l.Has(key) {
		return c.l.T(key)
	}
	return s
}

// leafText writes a value; what is empty, zero or false says nothing.
func leafText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if !v {
			return ""
		}
		return "✓"
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			if t.IsZero() {
				return ""
			}
			return i18n.Stamp(t)
		}
		return v
	case json.Number:
		if v == "0" {
			return ""
		}
		return v.String()
	}
	return fmt.Sprint(v)
}

// pathWords writes the way to a figure: factor a21026 upper end of the range.
func (c *call) pathWords(path []string) string {
	words := make([]string, 0, len(path))
	for i, p := range path {
		name := snake(p)
		if i > 0 && (path[0] == "Name" || p == "Zh" || p == "Bo" || p == "En") {
			words = []string{c.l.T("field.name_" + name)}
			continue
		}
		if key := "field." + name; c.l.Has(key) && (i != 1 || len(path) <= 2) {
			p = c.l.T(key)
		}
		words = append(words, p)
	}
	return strings.Join(words, " ")
}

// snake writes RangeLo as range_lo, RefO2 as ref_o2, ID as id.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= 'A' && r <= 'Z' {
			if i > 0 && (s[i-1] < 'A' || s[i-1] > 'Z') {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
