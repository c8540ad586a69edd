package read

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"

	"plateau/internal/platform/csvcell"
)

// csv writes a page as RFC 4180: a row of paths, then a row per entity. A cell
// is empty where the entity has nothing under the path.
func (e *env) csv(sh *shape, pg page, next string, out Output) error {
	if x := sh.wide(); x != nil {
		return fault(http.StatusBadRequest, "$expand", "a row of CSV has room for one of "+x.relation.Name+"; add $top=1 to it or choose another $resultFormat")
	}
	var columns []string
	index := map[string]int{}
	rows := make([][]cell, 0, len(pg.items))
	left := e.limits.Inline
	for i, it := range pg.items {
		entity, used, err := e.appendItem(nil, sh, it, left/(len(pg.items)-i))
		if err != nil {
			return err
		}
		left -= used
		f, err := flatten(entity, true)
		if err != nil {
			return err
		}
		rows = append(rows, f.cells)
		for _, c := range f.cells {
			if _, ok := index[c.path]; !ok {
				index[c.path] = len(columns)
				columns = append(columns, c.path)
			}
		}
	}
	out.Begin(Head{Type: "text/csv; charset=utf-8; header=present", File: strings.ToLower(sh.set.String()) + ".csv", Next: next})
	if len(columns) == 0 {
		return nil
	}
	w := csv.NewWriter(out)
	w.UseCRLF = true
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = harmless(c)
	}
	if err := w.Write(head); err != nil {
		return err
	}
	for _, cells := range rows {
		row := make([]string, len(columns))
		for _, c := range cells {
			row[index[c.path]] = cellText(c.raw)
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// wide returns an expansion that has more than one entity, nil when there is
// none.
func (sh *shape) wide() *expansion {
	for i := range sh.expand {
		x := &sh.expand[i]
		if x.relation.Many && (x.options.Top < 0 || x.options.Top > 1) {
			return x
		}
		if below := x.shape.wide(); below != nil {
			return below
		}
	}
	return nil
}

func cellText(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return harmless(s)
	}
	return string(raw)
}

// harmless is a text as it stands in a cell; the standard's names stay.
func harmless(s string) string {
	if strings.HasPrefix(s, "@iot.") {
		return s
	}
	return csvcell.Safe(s)
}
