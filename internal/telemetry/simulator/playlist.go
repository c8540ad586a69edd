package simulator

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
)

// playlistColumns are the columns of a playlist, in any order.
var playlistColumns = []string{"time", "mn", "factor", "value", "flag"}

// maxRowErrors is how many faulty rows an error lists.
const maxRowErrors = 10

// playFrame is one 2011 upload of a playlist.
type playFrame struct {
	at    time.Time
	items []playItem
}

type playItem struct{ factor, value, flag string }

// playlist holds the frames of a CSV by logger, each in order of time.
type playlist struct {
	mns    []string // in order of appearance
	frames map[string][]*playFrame
	rows   int
}

// readPlaylist reads a CSV with the columns time (RFC 3339), mn, factor, value,
// flag. Rows of one mn and time make one 2011 frame, wherever they stand. All
// rows are checked before anything is sent: the error names lines, what is
// wrong and what to do.
func readPlaylist(r io.Reader) (*playlist, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read playlist: %w", err)
	}
	cr := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	cr.TrimLeadingSpace = true
	cr.FieldsPerRecord = -1
	head, err := cr.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: the file is empty; begin it with the header time,mn,factor,value,flag")
	}
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	col, err := playlistHeader(head)
	if err != nil {
		return nil, err
	}
	p := &playlist{frames: map[string][]*playFrame{}}
	byKey := map[string]*playFrame{}
	var faults []error
	for {
		rec, err := cr.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line := 0
		if pe, ok := errors.AsType[*csv.ParseError](err); ok {
			line, err = pe.StartLine, fmt.Errorf("%w; put text with quotes or commas between double quotes", pe.Err)
		} else if err == nil {
			line, _ = cr.FieldPos(0)
			err = p.add(rec, len(head), col, byKey)
		}
		if err == nil {
			continue
		}
		if faults = append(faults, fmt.Errorf("line %d: %w", line, err)); len(faults) == maxRowErrors {
			faults = append(faults, errors.New("further lines were not checked"))
			break
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if p.rows == 0 {
		return nil, errors.New("line 2: no rows; give at least one row below the header")
	}
	for _, mn := range p.mns {
		slices.SortStableFunc(p.frames[mn], func(a, b *playFrame) int { return a.at.Compare(b.at) })
	}
	return p, nil
}

func playlistHeader(head []string) (map[string]int, error) {
	col := map[string]int{}
	for i, h := range head {
		h = strings.ToLower(strings.TrimSpace(h))
		if !slices.Contains(playlistColumns, h) {
			return nil, fmt.Errorf("line 1: unknown column %q; the header is time,mn,factor,value,flag", h)
		}
		if _, twice := col[h]; twice {
			return nil, fmt.Errorf("line 1: column %q stands twice; keep one", h)
		}
		col[h] = i
	}
	for _, c := range playlistColumns {
		if _, ok := col[c]; !ok {
			return nil, fmt.Errorf("line 1: column %q is missing; the header is time,mn,factor,value,flag", c)
		}
	}
	return col, nil
}

func (p *playlist) add(rec []string, columns int, col map[string]int, byKey map[string]*playFrame) error {
	if len(rec) != columns {
		return fmt.Errorf("%d fields where the header has %d; check the commas", len(rec), columns)
	}
	field := func(name string) string { return strings.TrimSpace(rec[col[name]]) }
	at, err := time.Parse(time.RFC3339, field("time"))
	if err != nil {
		return fmt.Errorf("time %q is not RFC 3339; write it like 2026-11-24T08:30:00+08:00", field("time"))
	}
	if at.Nanosecond() != 0 {
		return fmt.Errorf("time %q has a fraction of a second; HJ 212 sends whole seconds", field("time"))
	}
	mn := field("mn")
	if len(mn) < 4 || len(mn) > 27 || !isToken(mn) {
		return fmt.Errorf("mn %q is no device identity; use the 24 hexadecimal digits of the logger (2005: 14 characters)", mn)
	}
	it := playItem{field("factor"), field("value"), field("flag")}
	if len(it.factor) < 2 || len(it.factor) > 8 || !isToken(it.factor) {
		return fmt.Errorf("factor %q is no factor code; use a code such as a21026 or w01018", it.factor)
	}
	if it.value != "" {
		if _, err := strconv.ParseFloat(it.value, 64); err != nil || strings.ContainsAny(it.value, "xXpPiInN_eE") {
			return fmt.Errorf("value %q is no decimal number; write it like 12.5, or leave it empty and give a flag", it.value)
		}
	}
	if len(it.flag) > 4 || it.flag != "" && !isToken(it.flag) {
		return fmt.Errorf("flag %q is no data mark; use one of N F M S D C T B, or leave it empty", it.flag)
	}
	if it.value == "" && it.flag == "" {
		return errors.New("neither value nor flag; give at least one")
	}
	key := mn + "|" + strconv.FormatInt(at.Unix(), 10)
	f := byKey[key]
	if f == nil {
		f = &playFrame{at: at}
		byKey[key] = f
		if p.frames[mn] == nil {
			p.mns = append(p.mns, mn)
		}
		p.frames[mn] = append(p.frames[mn], f)
	}
	for _, other := range f.items {
		if other.factor == it.factor {
			return fmt.Errorf("factor %s stands twice for %s at %s; remove one row", it.factor, mn, field("time"))
		}
	}
	f.items = append(f.items, it)
	p.rows++
	return nil
}

func isToken(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// uploads encodes the frames of one logger. Each frame's QN is an instant of
// its own, from start on.
func (p *playlist) uploads(mn, password string, start time.Time) ([]*upload, error) {
	var out []*upload
	qn := start
	next := func(int) string {
		qn = qn.Add(time.Millisecond)
		return string(hj212.AppendQN(nil, qn))
	}
	for _, f := range p.frames[mn] {
		m := hj212.Message{QN: next(0), ST: systemOf(f.items[0].factor), CN: "2011", PW: password, MN: mn, Flag: 5}
		m.CP = []hj212.Group{{{Name: "DataTime", Value: string(hj212.AppendTime(nil, f.at))}}}
		for _, it := range f.items {
			var g hj212.Group
			if it.value != "" {
				g = append(g, hj212.KV{Name: it.factor + "-Rtd", Value: it.value})
			}
			if it.flag != "" {
				g = append(g, hj212.KV{Name: it.factor + "-Flag", Value: it.flag})
			}
			m.CP = append(m.CP, g)
		}
		for _, part := range m.Split(maxSegment, next) {
			raw, err := encode(part)
			if err != nil {
				return nil, err
			}
			out = append(out, &upload{at: f.at.UnixMilli(), qn: part.QN, plain: raw, keep: true, ack: true})
		}
	}
	return out, nil
}

// systemOf is the ST for a factor (HJ 212-2017 table 5): by its letter.
func systemOf(factor string) string {
	switch factor[0] {
	case 'a', 'g':
		return "31"
	case 'L':
		return "23"
	}
	return "32"
}
