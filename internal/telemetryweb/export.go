package telemetryweb

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/i18n"
)

// export is a table for other programs: one head row of codes, one of words,
// typed cells (string, int, float64, nil = missing).
type export struct {
	Name  string
	Codes []string
	Words []string
	Rows  [][]any
	About [][2]string
	// Decimals are the digits that a spreadsheet shows of a column, by its place;
	// the cells keep all of theirs.
	Decimals map[int]int
}

// exported is where a page's table is, for other programs. Addresses are put
// together here, because a template would escape the query as one value.
type exported struct {
	Export string // address without the ending; "" = none
	Query  string
}

// ExportAs is the address of a format.
func (x exported) ExportAs(format string) string {
	if x.Query == "" {
		return x.Export + "." + format
	}
	return x.Export + "." + format + "?" + x.Query
}

// words names the columns in the page's language.
func (e *export) words(c *call) {
	for _, code := range e.Codes {
		e.Words = append(e.Words, c.l.T("column."+code))
	}
}

func (e *export) add(cells ...any) { e.Rows = append(e.Rows, cells) }

// about is the sheet that says what the table holds.
func (h *Handler) about(c *call, filter string) [][2]string {
	if filter == "" {
		filter = c.l.T("common.all")
	}
	lines := [][2]string{
		{c.l.T("export.address"), c.r.URL.RequestURI()},
		{c.l.T("export.filter"), filter},
		{c.l.T("export.time"), c.asked.In(i18n.Zone).Format("2006-01-02T15:04:05-07:00")},
		{c.l.T("export.by"), c.actor.Post},
		{c.l.T("export.hour_rule"), c.l.T("export.hour_rule_text")},
	}
	if !c.knownAt.IsZero() {
		lines = append(lines, [2]string{c.l.T("known.export"), c.l.T("known.banner", "at", knownStamp(c.knownAt))})
	}
	return lines
}

// send writes the table in a format: csv, json or xlsx.
func (e *export) send(c *call, format string) error {
	h := c.w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	var body []byte
	var err error
	switch format {
	case "csv":
		h.Set("Content-Type", "text/csv; charset=utf-8")
		body, err = e.csv()
	case "json":
		h.Set("Content-Type", "application/json")
		body, err = e.json(c)
	default:
		h.Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
		body, err = e.xlsx()
	}
	if err != nil {
		return fmt.Errorf("export %s as %s: %w", e.Name, format, err)
	}
	if format != "json" {
		name := e.Name
		if !c.knownAt.IsZero() {
			name += "-known-" + c.knownAt.In(i18n.Zone).Format("20060102-1504")
		}
		h.Set("Content-Disposition", `attachment; filename="`+name+"-"+c.asked.In(i18n.Zone).Format("20060102-1504")+"."+format+`"`)
	}
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(body) //nolint:gosec // a table under nosniff is no page; the reader went away: nothing to do about it
	return nil
}

// csv writes UTF-8 with a byte order mark, as spreadsheet programs want it.
func (e *export) csv() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	rows := [][]string{e.Codes, e.Words}
	for _, r := range e.Rows {
		line := make([]string, len(r))
		for i, cell := range r {
			line[i] = cellText(cell)
		}
		rows = append(rows, line)
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

// cellText writes a cell.
func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return csvcell.Safe(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// objects are the rows by their columns.
func (e *export) objects() []map[string]any {
	list := make([]map[string]any, 0, len(e.Rows))
	for _, r := range e.Rows {
		m := make(map[string]any, len(r))
		for i, cell := range r {
			m[e.Codes[i]] = cell
		}
		list = append(list, m)
	}
	return list
}

func (e *export) json(c *call) ([]byte, error) {
	body := map[string]any{"rows": e.objects()}
	if !c.knownAt.IsZero() {
		body["known"] = isoOf(c.knownAt)
	}
	return json.Marshal(body)
}

func (e *export) xlsx() ([]byte, error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // in memory only
	const sheet, about = "data", "about"
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		return nil, err
	}
	set := func(row int, cells []any) error {
		return f.SetSheetRow(sheet, "A"+strconv.Itoa(row), &cells)
	}
	if err := set(1, anys(e.Codes)); err != nil {
		return nil, err
	}
	if err := set(2, anys(e.Words)); err != nil {
		return nil, err
	}
	for i, r := range e.Rows {
		if err := set(i+3, r); err != nil {
			return nil, err
		}
	}
	for i, d := range e.Decimals {
		if err := showDecimals(f, sheet, i, d, len(e.Rows)); err != nil {
			return nil, err
		}
	}
	if err := f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 2, TopLeftCell: "A3", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	if _, err := f.NewSheet(about); err != nil {
		return nil, err
	}
	for i, kv := range e.About {
		if err := f.SetSheetRow(about, "A"+strconv.Itoa(i+1), &[]any{kv[0], kv[1]}); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	return b.Bytes(), err
}

// showDecimals sets how many digits the figures of a column show.
func showDecimals(f *excelize.File, sheet string, column, decimals, rows int) error {
	format := "0"
	if decimals > 0 {
		format += "." + strings.Repeat("0", decimals)
	}
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		return err
	}
	name, err := excelize.ColumnNumberToName(column + 1)
	if err != nil {
		return err
	}
	return f.SetCellStyle(sheet, name+"3", name+strconv.Itoa(rows+2), style)
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
