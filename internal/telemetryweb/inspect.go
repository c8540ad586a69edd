package telemetryweb

import (
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// decodedView is a frame taken apart and explained.
type decodedView struct {
	Raw       []piece
	Valid     bool
	Encrypted bool
	Noise     bool
	Header    []headerLine
	Groups    []factorLine
	Params    [][2]string
	ParamWord []string
	Notes     []string
	Faults    []string
	Detail    string
	Offset    int
	Length    int
	CRC       string
	Command   string
}

type headerLine struct{ Name, Value, Text string }

// factorLine is one factor of a frame with all it sent.
type factorLine struct {
	Code   string
	Name   word
	Unit   string
	Values []suffixValue
}

type suffixValue struct{ Suffix, Word, Value string }

type inspectView struct {
	Text   web.Field
	Key    web.Field
	Frames []decodedView
	Done   bool
	Pasted int // bytes
	Hex    bool
	Half   bool // bytes of an unfinished frame were left
}

func (h *Handler) inspect(c *call) error {
	v := &inspectView{
		Text: web.Field{Name: "frames", Kind: "textarea", Rows: 10, Label: c.l.T("inspect.frames"), Hint: c.l.T("inspect.frames_hint")},
		Key:  web.Field{Name: "key", Label: c.l.T("inspect.key"), Hint: c.l.T("inspect.key_hint"), Optional: true, Auto: "off", Width: "medium"},
	}
	p := &web.Page{Title: c.l.T("inspect.title"), Module: "frames", Data: v}
	if c.r.Method != http.MethodPost {
		return h.render(c, http.StatusOK, "inspect.html", p)
	}
	v.Text.Value, v.Key.Value = c.r.PostFormValue("frames"), strings.TrimSpace(c.r.PostFormValue("key"))
	key, err := hex.DecodeString(v.Key.Value)
	if err != nil || len(key) != 0 && len(key) != 16 {
		v.Key.Error = c.l.T("inspect.key_error")
		p.Errors = append(p.Errors, web.FieldError{Field: "key", Text: v.Key.Error})
	}
	if strings.TrimSpace(v.Text.Value) == "" {
		v.Text.Error = c.l.T("inspect.frames_error")
		p.Errors = append(p.Errors, web.FieldError{Field: "frames", Text: v.Text.Error})
	}
	if len(p.Errors) > 0 {
		return h.render(c, http.StatusUnprocessableEntity, "inspect.html", p)
	}
	if len(key) == 0 {
		key = nil
	}
	c.take(v, key)
	return h.render(c, http.StatusOK, "inspect.html", p)
}

// maxInspected bounds how many frames one look shows.
const maxInspected = 50

// take decodes what was pasted: text lines each as a frame that stands alone,
// a hex dump as the byte stream it shows.
func (c *call) take(v *inspectView, key []byte) {
	v.Done = true
	if stream, ok := parseDump(v.Text.Value); ok {
		v.Hex, v.Pasted = true, len(stream)
		s := hj212.NewScanner(hj212.ScanOptions{Keys: func([]byte) [][]byte {
			if key == nil {
				return nil
			}
			return [][]byte{key}
		}})
		s.Feed(stream)
		for ev, ok := s.Next(); ok && len(v.Frames) < maxInspected; ev, ok = s.Next() {
			v.Frames = append(v.Frames, c.event(ev, key))
		}
		for ev, ok := s.Finish(); ok && len(v.Frames) < maxInspected; ev, ok = s.Finish() {
			v.Frames = append(v.Frames, c.event(ev, key))
		}
		v.Half = s.Pending()
		return
	}
	v.Pasted = len(v.Text.Value)
	for line := range strings.Lines(v.Text.Value) {
		line = strings.TrimSpace(line)
		// Logs print the end of line as text and put a time before the frame.
		line = strings.TrimSuffix(line, `\r\n`)
		if i := strings.Index(line, "##"); i > 0 {
			line = line[i:]
		}
		if line == "" {
			continue
		}
		if v.Frames = append(v.Frames, c.decode([]byte(line), key)); len(v.Frames) == maxInspected {
			return
		}
	}
}

func (c *call) event(ev hj212.Event, key []byte) decodedView {
	if ev.Err != nil && ev.Err.Name == hj212.Noise {
		return decodedView{Noise: true, Raw: []piece{{Text: strconv.Quote(hj212.Text(ev.Raw))}}, Faults: []string{c.fault(ev.Err.Name)}, Detail: ev.Err.Detail}
	}
	return c.decode(ev.Raw, key)
}

func (c *call) fault(name string) string {
	if key := "fault." + name; c.l.Has(key) {
		return c.l.T(key)
	}
	return name
}

// decode takes a frame apart and puts every part into words.
func (c *call) decode(raw, key []byte) decodedView {
	d := hj212.DecodeLine(raw, hj212.DecodeOptions{Key: key})
	v := decodedView{Raw: pieces(raw, nil), Valid: d.Valid, Encrypted: d.Encrypted, Detail: d.Detail, Offset: d.Offset, Length: d.Length, CRC: d.CRC}
	for _, name := range d.Reasons {
		v.Faults = append(v.Faults, c.fault(name))
	}
	for _, h := range d.Header {
		v.Header = append(v.Header, c.headerLine(h[0], h[1]))
		if strings.EqualFold(h[0], "CN") {
			v.Command = c.command(h[1])
		}
	}
	if d.Version != nil {
		v.Header = append(v.Header, headerLine{Name: c.l.T("inspect.version"), Value: *d.Version, Text: c.flagText(*d.Ack, *d.Split)})
	}
	for _, g := range d.Groups {
		for _, kv := range g {
			code, suffix, has := strings.Cut(kv[0], "-")
			if !has {
				v.Params = append(v.Params, kv)
				word := ""
				if key := "param." + kv[0]; c.l.Has(key) {
					word = c.l.T(key)
				}
				v.ParamWord = append(v.ParamWord, word)
				continue
			}
			i := slices.IndexFunc(v.Groups, func(f factorLine) bool { return f.Code == code })
			if i < 0 {
				f := factorLine{Code: code, Name: c.factor(code), Unit: unitOf(nil, code)}
				if _, known := hj212.LookupFactor(code); !known {
					f.Name = word{c.l.T("inspect.unknown_factor"), string(c.lang)}
				}
				v.Groups = append(v.Groups, f)
				i = len(v.Groups) - 1
			}
			sv := suffixValue{Suffix: suffix, Value: kv[1]}
			if key := "suffix." + suffix; c.l.Has(key) {
				sv.Word = c.l.T(key)
			}
			if suffix == "Flag" {
				if key := "flag." + kv[1]; c.l.Has(key) {
					sv.Value += " " + c.l.T(key)
				}
			}
			v.Groups[i].Values = append(v.Groups[i].Values, sv)
		}
	}
	for _, n := range d.Notes {
		name, x, _ := strings.Cut(n, ":")
		if key := "note." + name; c.l.Has(key) {
			v.Notes = append(v.Notes, c.l.T(key, "x", x))
			continue
		}
		v.Notes = append(v.Notes, n)
	}
	return v
}

func (c *call) flagText(ack, split bool) string {
	var parts []string
	if ack {
		parts = append(parts, c.l.T("inspect.ack_wanted"))
	} else {
		parts = append(parts, c.l.T("inspect.no_ack"))
	}
	if split {
		parts = append(parts, c.l.T("inspect.split"))
	}
	return strings.Join(parts, " ")
}

func (c *call) command(cn string) string {
	if key := "cn." + cn; c.l.Has(key) {
		return c.l.T(key)
	}
	return c.l.T("inspect.unknown_command")
}

// headerLine explains one field of the header.
func (c *call) headerLine(name, value string) headerLine {
	l := headerLine{Name: name, Value: value}
	upper := strings.ToUpper(name)
	if key := "header." + upper; c.l.Has(key) {
		l.Text = c.l.T(key)
	}
	switch upper {
	case "PW":
		l.Value = strings.Repeat("·", min(6, len(value)))
	case "CN":
		l.Text = c.command(value)
	case "ST":
		if key := "st." + value; c.l.Has(key) {
			l.Text = c.l.T(key)
		}
	case "QN":
		if len(value) == 17 {
			if t, err := hj212.ParseTime([]byte(value[:14])); err == nil {
				l.Text = c.l.T("inspect.qn_time", "time", i18n.Short(t)+" "+i18n.Seconds(t)+"."+value[14:])
			}
		}
	}
	return l
}

var (
	dumpOffset = regexp.MustCompile(`^\s*(?:0x)?[0-9a-fA-F]{4,16}:?(?:\s|$)`)
	hexPair    = regexp.MustCompile(`^(?:0x)?[0-9a-fA-F]{2}$`)
	hexQuad    = regexp.MustCompile(`^[0-9a-fA-F]{4}$`)
	onlyHex    = regexp.MustCompile(`^[0-9a-fA-F]+$`)
)

// parseDump reads bytes written in hexadecimal: plain, in pairs, or a dump with
// offsets and a column of characters as xxd, hexdump -C and Wireshark print it.
// ok is false when the text is no such thing, such as frames in plain text.
func parseDump(text string) (out []byte, ok bool) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		b, ok := dumpLine(line)
		if !ok {
			return nil, false
		}
		out = append(out, b...)
	}
	return out, len(out) > 0
}

// dumpLine reads one line. The column of characters stands behind two blanks or
// between bars; an offset is told by its place and by not being a pair.
func dumpLine(line string) ([]byte, bool) {
	line = strings.TrimRight(line, " \t")
	if s := strings.TrimSpace(line); onlyHex.MatchString(s) && len(s)%2 == 0 && len(s) >= 8 && !dumpOffsetAlone(s) {
		b, err := hex.DecodeString(s)
		return b, err == nil
	}
	rest, offset := line, false
	if loc := dumpOffset.FindStringIndex(line); loc != nil {
		token := strings.TrimSpace(line[:loc[1]])
		body := strings.TrimLeft(line[loc[1]:], " \t")
		quads := hexQuad.MatchString(token) && !strings.HasPrefix(line[loc[1]:], " ") && strings.Count(line, " ") > 0 && !pairAfter(body)
		if !quads {
			rest, offset = body, true
		}
	}
	if rest == "" {
		return nil, true // hexdump ends with the offset alone
	}
	if i := strings.IndexByte(rest, '|'); i >= 0 {
		rest = rest[:i]
	}
	var out []byte
	gap := 0
	for i := 0; i < len(rest); {
		if rest[i] == ' ' || rest[i] == '\t' {
			gap++
			i++
			continue
		}
		end := strings.IndexAny(rest[i:], " \t")
		if end < 0 {
			end = len(rest) - i
		}
		token := rest[i : i+end]
		isHex := hexPair.MatchString(token) || len(token)%2 == 0 && onlyHex.MatchString(token) && len(token) <= 8
		// Sixteen bytes are a full line; what follows a wide gap then is text,
		// also where it happens to look like hexadecimal.
		if !isHex || gap >= 2 && len(out) >= 16 || gap >= 3 && offset {
			break
		}
		b, err := hex.DecodeString(strings.TrimPrefix(token, "0x"))
		if err != nil {
			break
		}
		out = append(out, b...)
		i, gap = i+end, 0
	}
	return out, len(out) > 0
}

// dumpOffsetAlone tells the last line of hexdump -C, an offset of eight digits
// that begins with zeros, from two to four bytes.
func dumpOffsetAlone(s string) bool { return len(s) == 8 && strings.HasPrefix(s, "0000") }

// pairAfter reports whether the text begins with a byte written as two digits.
func pairAfter(s string) bool {
	first, _, _ := strings.Cut(s, " ")
	return hexPair.MatchString(first)
}
