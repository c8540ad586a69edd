package telemetry

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// utf8BOM makes spreadsheet programs read the file as UTF-8.
const utf8BOM = "\xef\xbb\xbf"

// wordsMark begins the header row that is for people; imports skip it.
const wordsMark = "#"

// Export writes a table as CSV: UTF-8 with BOM, a header row of column codes
// and, when words is given, one of what words makes of them, then the rows; with
// keep only those whose key it wants: the ID, or outlet and part as 12:a21026.
// Times are RFC 3339 (of stops, which are told to the minute, 2026-11-20T08:00 in
// Beijing time), decimals have a point. Passwords and keys are left out.
func (s *Snapshot) Export(w io.Writer, t Table, words func(column string) string, keep func(key string) bool) error {
	spec, ok := tables[t]
	if !ok {
		return notFound()
	}
	if _, err := io.WriteString(w, utf8BOM); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180
	rows := [][]string{spec.columns}
	if words != nil {
		second := make([]string, len(spec.columns))
		for i, c := range spec.columns {
			second[i] = words(c)
		}
		second[0] = wordsMark + " " + second[0]
		rows = append(rows, second)
	}
	for _, r := range spec.rows(s) {
		if keep == nil || keep(strings.Join(r[:spec.keys], ":")) {
			rows = append(rows, r)
		}
	}
	for _, r := range rows {
		for i := range r {
			r = guard(r, i)
		}
		if err := out.Write(r); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// guard keeps a spreadsheet from taking a text for a formula: such a text gets
// a leading apostrophe, which Import takes off again. Numbers stay as they are.
func guard(row []string, i int) []string {
	v := strings.ReplaceAll(row[i], "\r", "") // the writer drops them: what is behind one comes first
	safe := csvcell.Safe(v)
	if safe == v {
		return row
	}
	if _, err := strconv.ParseFloat(v, 64); err == nil {
		return row
	}
	row = slices.Clone(row)
	row[i] = safe
	return row
}

// ImportReport says what an import did or would do.
type ImportReport struct {
	Table   Table
	DryRun  bool
	Applied bool // false after a dry run and when there are faults
	Rows    int  // rows with data
	Added   int
	Changed int
	Same    int
	Faults  []RowFault // at most maxFaults
	More    int        // faults beyond those
	Areas   []AreaNews // of the table of areas: what comes, is renamed, ends; at most maxFaults
}

// RowFault is what to mend: the row as a spreadsheet counts (the header is 1),
// the column code ("" for the whole row) and a sentence with the remedy.
type RowFault struct {
	Row    int
	Column string
	Key    string
	Args   []any
}

// Bounds of an import.
const (
	maxFaults = 200
	maxImport = 64 << 20
)

// errRehearsal ends a change that must not be written.
var errRehearsal = errors.New("telemetry: rehearsal")

// Import reads a table from CSV: UTF-8 with or without BOM, else GB 18030 (GBK);
// cells are separated by commas, or by semicolons or tabs when the first row is;
// the first row holds column codes in any order, a row of words that begins
// with # is skipped. A column that is not there keeps what is set; so does an
// empty password or key. Rows that exist are changed, others added, none
// removed.
//
// All rows are applied in one transaction, or none: faults are in the report,
// with errs.Invalid only for a file that is no such table. dryRun checks
// everything and changes nothing.
func (r *Registry) Import(ctx context.Context, t Table, file io.Reader, dryRun bool, by auth.Principal) (ImportReport, error) {
	rep := ImportReport{Table: t, DryRun: dryRun}
	spec, ok := tables[t]
	if !ok {
		return rep, notFound()
	}
	data, err := io.ReadAll(io.LimitReader(file, maxImport+1))
	if err != nil {
		return rep, fmt.Errorf("read import: %w", err)
	}
	if len(data) > maxImport {
		return rep, errs.New(errs.TooLarge, "err.import.large", "megabytes", maxImport>>20)
	}
	rows, err := readCSV(data, spec)
	if err != nil {
		return rep, err
	}
	err = r.change(ctx, by, func(c *change) error {
		c.action = "import"
		rep.apply(c, spec, rows)
		if dryRun || len(rep.Faults) > 0 {
			return errRehearsal
		}
		return nil
	})
	if errors.Is(err, errRehearsal) {
		return rep, nil
	}
	rep.Applied = err == nil
	return rep, err
}

func (rep *ImportReport) apply(c *change, spec table, rows []*csvRow) {
	seen := map[string]int{}
	if rep.Table == AreaTable {
		sortAreaRows(rows)
	}
	for _, row := range rows {
		rep.Rows++
		before := len(c.log)
		if row.short {
			row.fault("", "err.import.cells")
		}
		for _, key := range spec.columns[:spec.keys] {
			// An outlet without number is a new one; a limit without id gets one.
			if row.text(key) == "" && (key != "id" || rep.Table == EnterpriseTable) {
				row.fault(key, "err.field.required")
			}
		}
		row.once(seen, spec.columns[:spec.keys], periodColumn[rep.Table])
		if !row.bad() {
			row.note(spec.put(c, row))
		}
		if rep.Table == AreaTable && !row.bad() {
			rep.areaNews(row.n, c.log[before:])
		}
		switch {
		case row.bad():
			rep.add(row)
		case len(c.log) == before:
			rep.Same++
		case c.log[len(c.log)-1].Old == "":
			rep.Added++
		default:
			rep.Changed++
		}
	}
	slices.SortStableFunc(rep.Faults, func(a, b RowFault) int { return a.Row - b.Row })
}

func (rep *ImportReport) add(row *csvRow) {
	for _, f := range row.faults {
		if len(rep.Faults) == maxFaults {
			rep.More++
			continue
		}
		rep.Faults = append(rep.Faults, f)
	}
}

// csvRow is a row of an import with the faults found in it.
type csvRow struct {
	n      int // as a spreadsheet counts
	column map[string]int
	cells  []string
	short  bool // another number of cells than the header
	faults []RowFault
}

func readCSV(data []byte, spec table) ([]*csvRow, error) {
	data = bytes.TrimPrefix(data, []byte(utf8BOM))
	if !utf8.Valid(data) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
			return nil, errs.New(errs.Invalid, "err.import.encoding")
		}
		data = decoded
	}
	in := csv.NewReader(bytes.NewReader(data))
	in.Comma = separator(data)
	in.FieldsPerRecord = -1 // counted per row, so that all faults are told
	header, err := in.Read()
	if err != nil {
		return nil, badCSV(err)
	}
	column, err := readHeader(header, spec)
	if err != nil {
		return nil, err
	}
	var rows []*csvRow
	inside := breaks(header) // line breaks inside cells: lines of the file that are no rows
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, badCSV(err)
		}
		line, _ := in.FieldPos(0)
		n := line - inside
		inside += breaks(cells)
		if blank(cells) || strings.HasPrefix(cells[0], wordsMark) {
			continue
		}
		rows = append(rows, &csvRow{n: n, column: column, cells: cells, short: len(cells) != len(header)})
	}
}

// separator is what the first row is cut by: spreadsheets of some languages save
// "CSV" with semicolons, and what is copied out of one has tabs.
func separator(data []byte) rune {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	for _, r := range ",;\t" {
		if bytes.ContainsRune(first, r) {
			return r
		}
	}
	return ','
}

func breaks(cells []string) (n int) {
	for _, c := range cells {
		n += strings.Count(c, "\n")
	}
	return n
}

// blank reports a row without content: spreadsheets leave such rows at the end.
func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

func badCSV(err error) error {
	if errors.Is(err, io.EOF) {
		return errs.New(errs.Invalid, "err.import.empty")
	}
	line := 0
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		line = e.Line
	}
	return errs.Wrap(err, errs.Invalid, "err.import.syntax", "line", line)
}

func readHeader(header []string, spec table) (map[string]int, error) {
	column := map[string]int{}
	for i, h := range header {
		h = strings.ToLower(strings.TrimSpace(h))
		if _, twice := column[h]; twice || !slices.Contains(spec.columns, h) {
			return nil, errs.New(errs.Invalid, "err.import.column", "column", header[i], "columns", strings.Join(spec.columns, ", "))
		}
		column[h] = i
	}
	for _, key := range spec.columns[:spec.keys] {
		if _, ok := column[key]; !ok {
			return nil, errs.New(errs.Invalid, "err.import.missing", "column", key, "columns", strings.Join(spec.columns, ", "))
		}
	}
	return column, nil
}

func (r *csvRow) bad() bool { return len(r.faults) > 0 }

func (r *csvRow) fault(column, key string, args ...any) {
	r.faults = append(r.faults, RowFault{Row: r.n, Column: column, Key: key, Args: args})
}

// periodColumn is the column that tells rows apart which repeat a key for another
// period.
var periodColumn = map[Table]string{DeviceTable: "to", AreaTable: "effective_from"}

// once notes a row whose key an earlier row has: which of the two is meant
// cannot be told. Rows that leave part of the key empty are new things; those of
// another period may repeat the key.
func (r *csvRow) once(seen map[string]int, keys []string, period string) {
	var id strings.Builder
	for _, k := range keys {
		if r.text(k) == "" {
			return
		}
		id.WriteString(r.text(k) + "\x00")
	}
	if period != "" {
		id.WriteString(r.text(period))
	}
	if first, twice := seen[id.String()]; twice {
		r.fault(keys[len(keys)-1], "err.import.twice", "value", r.text(keys[len(keys)-1]), "row", first)
		return
	}
	seen[id.String()] = r.n
}

// note takes what a check found over as faults of the row.
func (r *csvRow) note(err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*errs.Error](err)
	if !ok {
		r.fault("", "err.internal")
		return
	}
	for _, f := range e.Fields {
		r.fault(columnOf(f.Name), f.Key, f.Args...)
	}
	if len(e.Fields) == 0 {
		r.fault("", e.Key, e.Args...)
	}
}

// columnOf is the column of a field such as factors.2.code.
func columnOf(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }

func (r *csvRow) has(column string) bool {
	i, ok := r.column[column]
	return ok && i < len(r.cells)
}

func (r *csvRow) text(column string) string {
	if !r.has(column) {
		return ""
	}
	return csvcell.Plain(strings.TrimSpace(r.cells[r.column[column]]))
}

func (r *csvRow) into(column string, to *string) {
	if r.has(column) {
		*to = r.text(column)
	}
}

// secret keeps what is set when the cell is empty, because exports leave it out.
func (r *csvRow) secret(column string, to *string) {
	if s := r.text(column); s != "" {
		*to = s
	}
}

func (r *csvRow) floatPtr(column string, to **float64) {
	if !r.has(column) {
		return
	}
	s := r.text(column)
	if s == "" {
		*to = nil
		return
	}
	v, err := strconv.ParseFloat(i18n.Digits(s), 64)
	if err != nil {
		r.fault(column, "err.field.number", "value", s)
		return
	}
	*to = &v
}

func (r *csvRow) float(column string, to *float64) {
	v := to
	r.floatPtr(column, &v)
	if v == nil {
		*to = 0
		return
	}
	*to = *v
}

func (r *csvRow) int(column string, to *int) {
	s := r.text(column)
	if s == "" {
		return
	}
	v, err := strconv.Atoi(i18n.Digits(s))
	if err != nil || v < 0 || v > 1_000_000 {
		r.fault(column, "err.field.number", "value", s)
		return
	}
	*to = v
}

func (r *csvRow) outletID(column string) OutletID {
	s := r.text(column)
	v, err := strconv.ParseUint(i18n.Digits(s), 10, 32)
	if err != nil || v == 0 {
		r.fault(column, "err.field.outlet_id", "value", s)
	}
	return OutletID(v)
}

func (r *csvRow) flag(column string, to *bool) {
	switch s := strings.ToLower(r.text(column)); s {
	case "":
	case "true", "1", "yes", "y", "是":
		*to = true
	case "false", "0", "no", "n", "否":
		*to = false
	default:
		r.fault(column, "err.field.choice", "value", s, "choices", "true, false")
	}
}

// time reads RFC 3339 or what people and spreadsheets write, without a zone UTC+8.
func (r *csvRow) time(column string, to *time.Time) {
	if !r.has(column) {
		return
	}
	s := r.text(column)
	if s == "" {
		*to = time.Time{}
		return
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		*to = t
		return
	}
	t, ok := i18n.ParseStamp(s)
	if !ok {
		r.fault(column, "err.field.time", "value", s)
		return
	}
	*to = t
}
