package telemetryweb

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

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
	Anyway    bool // read although length or CRC is wrong
	Key       bool // a key was given
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
	More   bool // there were more than maxInspected
}

func (h *Handler) inspect(c *call) error {
	v := &inspectView{
		Text: web.Field{Name: "frames", Kind: "textarea", Rows: 10, Label: c.l.T("inspect.frames"), Hint: c.l.T("inspect.frames_hint")},
		Key:  web.Field{Name: "key", Label: c.l.T("inspect.key"), Hint: c.l.T("inspect.key_hint"), Optional: true, Auto: "off", Width: "medium"},
	}
	p := &web.Page{Title: c.l.T("inspect.title"), Module: "frames", Data: v}
	if c.actor.May(Devices) {
		p.Module, p.Crumbs = "devices", []web.Crumb{{Text: c.l.T("nav.devices"), Path: "/devices"}}
	}
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

// take decodes what was pasted: text as frames that stand alone, a hex dump as
// the byte stream it shows.
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
		for _, next := range []func() (hj212.Event, bool){s.Next, s.Finish} {
			for ev, ok := next(); ok; ev, ok = next() {
				if v.More = len(v.Frames) == maxInspected; v.More {
					return
				}
				v.Frames = append(v.Frames, c.scanned(ev, key))
			}
		}
		v.Half = s.Pending()
		return
	}
	v.Pasted = len(v.Text.Value)
	for line := range strings.Lines(v.Text.Value) {
		for _, frame := range framesOf(line) {
			if v.More = len(v.Frames) == maxInspected; v.More {
				return
			}
			v.Frames = append(v.Frames, c.decode(asSent(frame, key), key))
		}
	}
}

// frameStart is where a frame begins; logs put a time and a direction before it.
var frameStart = regexp.MustCompile(`##\d{3,4}`)

// framesOf cuts a line of a log into frames: several may have come in one piece.
func framesOf(line string) (out []string) {
	line = strings.TrimSpace(line)
	if line == "" {
		return nil
	}
	starts := frameStart.FindAllStringIndex(line, -1)
	if starts == nil {
		return []string{line}
	}
	for i, at := range starts {
		end := len(line)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		frame := strings.TrimRight(line[at[0]:end], " \t\"'")
		// Logs print the end of line as text.
		for _, eol := range []string{`\n`, `\r`} {
			frame = strings.TrimSuffix(frame, eol)
		}
		out = append(out, strings.TrimRight(frame, " \t\"'"))
	}
	return out
}

// asSent gives the bytes of a pasted frame as the logger sent them: what was GBK
// on the wire is Unicode in the browser, and length and CRC count the bytes.
func asSent(frame string, key []byte) []byte {
	raw := []byte(frame)
	if strings.IndexFunc(frame, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 || hj212.DecodeLine(raw, hj212.DecodeOptions{Key: key}).Valid {
		return raw
	}
	if gbk, err := simplifiedchinese.GB18030.NewEncoder().Bytes(raw); err == nil && hj212.DecodeLine(gbk, hj212.DecodeOptions{Key: key}).Valid {
		return gbk
	}
	return raw
}

// maxFrameShown is more than any frame has (9,999 bytes of data).
const maxFrameShown = 10 << 10

// maxShown bounds how much of what is no frame is shown.
const maxShown = 2 << 10

// clip cuts what is too long to be read.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + " …"
}

func (c *call) scanned(ev hj212.Event, key []byte) decodedView {
	if ev.Err != nil && ev.Err.Name == hj212.Noise {
		return decodedView{Noise: true, Raw: []piece{{Text: clip(strconv.Quote(hj212.Text(ev.Raw[:min(len(ev.Raw), maxShown+1)])))}}, Faults: []string{c.l.T("inspect.noise", "n", len(ev.Raw))}, Detail: ev.Err.Detail}
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
	v := decodedView{Raw: pieces(raw, nil), Valid: d.Valid, Encrypted: d.Encrypted, Detail: d.Detail, Offset: d.Offset, Length: d.Length, CRC: d.CRC, Key: key != nil}
	if d.Encrypted {
		v.Raw = pieces(opened(raw, key), nil)
	}
	for _, name := range d.Reasons {
		v.Faults = append(v.Faults, c.fault(name))
	}
	if !d.Valid {
		v.Raw = pieces(raw[:min(len(raw), maxFrameShown)], nil)
		v.Detail = c.figures(&v, d.Detail)
		d = c.anyway(&v, d, raw, key)
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
				v.ParamWord = append(v.ParamWord, c.paramWord(kv[0], kv[1]))
				continue
			}
			i := slices.IndexFunc(v.Groups, func(f factorLine) bool { return f.Code == code })
			if i < 0 {
				f := factorLine{Code: code, Name: c.factor(code), Unit: unitOf(nil, code)}
				if _, known := hj212.LookupFactor(code); !known {
					f.Name = word{c.l.T("inspect.unknown_factor"), string(c.lang)}
				}
				if n, is := strings.CutPrefix(code, "SB"); is {
					f.Name = word{c.l.T("inspect.equipment", "n", n), string(c.lang)}
				}
				v.Groups = append(v.Groups, f)
				i = len(v.Groups) - 1
			}
			sv := suffixValue{Suffix: suffix, Value: kv[1]}
			if key := "suffix." + suffix; c.l.Has(key) {
				sv.Word = c.l.T(key)
			}
			for of, table := range map[string]string{"Flag": "flag.", "RS": "rs."} {
				if key := table + kv[1]; suffix == of && c.l.Has(key) {
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

// paramWord explains a parameter; return codes mean something by themselves.
func (c *call) paramWord(name, value string) string {
	key := "param." + name
	if !c.l.Has(key) {
		return ""
	}
	word := c.l.T(key)
	if meaning := strings.ToLower(name) + "." + value; c.l.Has(meaning) {
		return c.l.T("inspect.means", "name", word, "meaning", c.l.T(meaning))
	}
	if name == "PolId" || name == "PolID" {
		if _, known := hj212.LookupFactor(value); known {
			return c.l.T("inspect.means", "name", word, "meaning", c.factor(value).Text)
		}
	}
	return word
}

// crcWords are the catalogue keys of what the decoder finds a wrong CRC to be.
var crcWords = map[string]string{
	"equals plain CRC-16/MODBUS":                  "inspect.crc_plain",
	"equals CRC-16/MODBUS with its bytes swapped": "inspect.crc_plain_swapped",
	"bytes swapped":                               "inspect.crc_swapped",
	"constant placeholder":                        "inspect.crc_constant",
	"leading zeros dropped":                       "inspect.crc_zeros",
	"another algorithm or byte order":             "inspect.crc_other",
}

var (
	crcFigures    = regexp.MustCompile(`crc_mismatch\(frame ([0-9A-Fa-f]{4}), computed ([0-9A-Fa-f]{4})([^)]*)\)`)
	lengthFigures = regexp.MustCompile(`length_mismatch\(declared (\d+), real (\d+)\)`)
)

// figures puts what is known of a wrong CRC or length beside the fault, and
// returns what else the decoder said, in its own words.
func (c *call) figures(v *decodedView, detail string) string {
	if m := crcFigures.FindStringSubmatch(detail); m != nil {
		v.Faults = append(v.Faults, c.l.T("inspect.crc_should", "sent", m[1], "right", m[2]))
		detail = strings.Replace(detail, m[0], strings.TrimLeft(m[3], ",; "), 1)
	}
	if m := lengthFigures.FindStringSubmatch(detail); m != nil {
		v.Faults = append(v.Faults, c.l.T("inspect.length_should", "sent", m[1], "right", m[2]))
		detail = strings.Replace(detail, m[0], "", 1)
	}
	detail = strings.TrimPrefix(strings.Trim(detail, "; "), hj212.CRCMissing+", ")
	if key := crcWords[detail]; key != "" {
		v.Faults = append(v.Faults, c.l.T(key))
		return ""
	}
	if slices.Contains([]string{hj212.CRCMissing, hj212.CPNotClosed, hj212.MissingFields, hj212.LengthNotDigits, hj212.StraySemicolon}, detail) {
		return "" // the name alone
	}
	return detail
}

// anyway reads a frame whose length or CRC alone is wrong as if they were right:
// what the logger meant often shows what it did wrong. Bytes that are no text
// are taken for an encrypted frame without its key.
func (c *call) anyway(v *decodedView, d hj212.Decoded, raw, key []byte) hj212.Decoded {
	for _, name := range d.Reasons {
		if name != hj212.CRCMismatch && name != hj212.LengthMismatch {
			return d
		}
	}
	if len(raw) < 10 {
		return d
	}
	seg := raw[6 : len(raw)-4]
	if _, text := hj212.TextOK(seg); !text || !bytes.Contains(seg, []byte("CP=")) {
		key := "inspect.maybe_encrypted"
		if v.Key {
			key = "inspect.other_key"
		}
		v.Faults = append(v.Faults, c.l.T(key))
		return d
	}
	mended := hj212.DecodeLine(bytes.TrimRight(hj212.AppendFrame(nil, seg), "\r\n"), hj212.DecodeOptions{Key: key})
	if !mended.Valid {
		return d
	}
	v.Anyway = true
	return mended
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
