package hj212

import (
	"fmt"
	"slices"
	"strconv"
)

// Forward says in whose name a received frame goes on to another host. A field
// that is "" stays as the logger sent it.
type Forward struct {
	MN, ST, PW string

	// QN is written where the frame has none: an acknowledgement names it.
	QN string
	// Ack has the next host acknowledge the frame, whatever the logger asked for.
	Ack bool
	// Version is written into Flag where Convert is set; without it the bits of
	// the logger stay.
	Version Version
	Convert bool
}

// maxForward is what the length field of a frame can tell.
const maxForward = 9999

// AppendForward appends p as the frame of another logger: the header is what f
// says, CP and everything else stay byte for byte, length and CRC are made anew.
// With a key (HJ 212-2025, 16 bytes) the CP of what that standard encrypts is
// encrypted. It fails when a value of f holds a separator, when p has no MN or
// ST to put another in place of, and when the frame gets longer than its length
// field can tell.
func AppendForward(dst []byte, p *Packet, f Forward, key []byte) ([]byte, error) {
	seg, err := p.forwarded(f)
	if err != nil {
		return dst, err
	}
	if len(seg) > maxForward {
		return dst, fmt.Errorf("hj212: segment of %d bytes does not fit a frame", len(seg))
	}
	if key != nil && encrypts(p.Command()) {
		return AppendEncrypted(dst, seg, key)
	}
	return AppendFrame(dst, seg), nil
}

// encrypts reports whether HJ 212-2025 encrypts the CP of a logger's command.
func encrypts(cn int) bool { return cn >= 2000 && cn <= 2999 || cn == 1014 || cn == 3020 }

// edit replaces a stretch of a segment.
type edit struct {
	at, end int
	text    string
}

func (p *Packet) forwarded(f Forward) ([]byte, error) {
	var buf [8]edit
	edits := buf[:0]
	for _, x := range [...]struct {
		name, text string
		at         Span
	}{{"MN", f.MN, p.MN}, {"ST", f.ST, p.ST}, {"PW", f.PW, p.PW}} {
		if x.text == "" {
			continue
		}
		for i := range len(x.text) {
			if c := x.text[i]; c <= ' ' || c > '~' || c == ';' || c == ',' || c == '&' || c == '=' || c == '#' {
				return nil, fmt.Errorf("hj212: %s of the next host holds %q", x.name, c)
			}
		}
		switch {
		case x.at.Off > 0: // also an empty value has its place
			edits = append(edits, edit{int(x.at.Off), int(x.at.Off) + int(x.at.Len), x.text})
		case x.name == "PW": // 2005 leaves it out at times
			edits = append(edits, p.before("PW", x.text))
		default:
			return nil, fmt.Errorf("hj212: the frame has no %s", x.name)
		}
	}
	if f.QN != "" && p.QN.Len == 0 && len(p.RequestNumber()) == 0 {
		if p.QN.Off > 0 {
			edits = append(edits, edit{int(p.QN.Off), int(p.QN.Off), f.QN})
		} else {
			edits = append(edits, edit{0, 0, "QN=" + f.QN + ";"})
		}
	}
	if flag, change := p.forwardedFlag(f); change {
		switch {
		case p.Flag.Off > 0:
			edits = append(edits, edit{int(p.Flag.Off), int(p.Flag.Off) + int(p.Flag.Len), flag})
		default:
			edits = append(edits, p.before("Flag", flag))
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.at - b.at })
	out, from := make([]byte, 0, len(p.Seg)+64), 0
	for _, e := range edits {
		out = append(append(out, p.Seg[from:e.at]...), e.text...)
		from = e.end
	}
	return append(out, p.Seg[from:]...), nil
}

// before puts a field that is missing at the end of the header.
func (p *Packet) before(name, value string) edit {
	at, open := int(p.CP.Off)-len(cpOpen), ""
	if at > 0 && p.Seg[at-1] != ';' {
		open = ";"
	}
	return edit{at, at, open + name + "=" + value + ";"}
}

// forwardedFlag is the Flag that f wants, and whether it is another one. Bits
// that nobody knows stay as they are.
func (p *Packet) forwardedFlag(f Forward) (string, bool) {
	had := max(p.number(p.Flag), 0)
	flag := had
	if f.Convert {
		flag = flag&3 | int(f.Version)<<2
	}
	if f.Ack {
		flag |= 1
	}
	return strconv.Itoa(flag), flag != had
}
