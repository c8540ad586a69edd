package evidence

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var (
	clerk   = auth.Principal{ID: "clerk", Post: auth.Post{Zh: "办公室"}}
	warden  = auth.Principal{ID: "warden", Post: auth.Post{Zh: "河长"}}
	nobody  = auth.Principal{}
	ordered = Limits{
		Photo: 12 << 20, Audio: 2 << 20, Video: 30 << 20, PDF: 10 << 20, Track: 10 << 20, Other: 10 << 20,
		Pixels: 50e6, Decoded: 256 << 20, PerEvent: 3, Account: 500 << 20, Reserve: 1 << 20,
	}
)

// rig is the service over a database, at a time that stands until it is moved.
type rig struct {
	*Service
	mu sync.Mutex
	at time.Time
	l  Limits
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	return rigIn(t, url, t.TempDir())
}

func rigIn(t *testing.T, url, data string) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{at: time.Now(), l: ordered} // files have the times of the machine
	if r.Service, err = New(Options{
		DB: d, Data: data, Unused: 30 * 24 * time.Hour, Unfinished: 30 * 24 * time.Hour, Now: r.now, Logger: slog.New(slog.DiscardHandler),
		Limits: func() (Limits, error) { return r.l, nil },
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) attach(ctx context.Context, id string, by auth.Principal, sums ...string) error {
	return r.DB.Tx(ctx, func(tx *db.Tx) error { return r.Attach(ctx, tx, id, sums, by) })
}

// count is how many rows and named files there are, and what is still incoming.
func (r *rig) count(t *testing.T) (rows, files, incoming int) {
	t.Helper()
	if err := r.DB.QueryRow(t.Context(), `SELECT count(*) FROM evidence_files`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(r.incoming())
	if err != nil {
		t.Fatal(err)
	}
	err = r.each(func(string, string, os.DirEntry) error { files++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return rows, files, len(list)
}

func eachDatabase(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, d.URL(t))
		})
	}
}

// quarters is a picture whose corners are red, green, blue and white, in the order of
// reading.
func quarters(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case x >= w/2 && y >= h/2:
				c = color.RGBA{255, 255, 255, 255}
			case y >= h/2:
				c = color.RGBA{0, 0, 255, 255}
			case x >= w/2:
				c = color.RGBA{0, 255, 0, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// name is the colour of a pixel, about.
func name(c color.Color) string {
	r, g, b, _ := c.RGBA()
	switch {
	case r > 0xc000 && g > 0xc000 && b > 0xc000:
		return "white"
	case r > 0xc000 && g < 0x4000 && b < 0x4000:
		return "red"
	case g > 0xc000 && r < 0x4000 && b < 0x4000:
		return "green"
	case b > 0xc000 && r < 0x4000 && g < 0x4000:
		return "blue"
	case r < 0x2000 && g < 0x2000 && b < 0x2000:
		return "black"
	}
	return fmt.Sprintf("%x %x %x", r, g, b)
}

// secret is in all that a camera or a program wrote beside the pixels.
const secret = "SECRET"

// tiff is what a camera writes: how it was held, its maker, when, and where.
func tiff(turn int) []byte {
	type entry struct {
		tag, kind uint16
		count     uint32
		value     []byte
	}
	le := binary.LittleEndian
	short := func(tag uint16, v int) entry {
		return entry{tag, 3, 1, le.AppendUint16(nil, uint16(v))}
	}
	text := func(tag uint16, s string) entry { return entry{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)} }
	long := func(tag uint16, v int) entry {
		return entry{tag, 4, 1, le.AppendUint32(nil, uint32(v))}
	}
	degrees := func(tag uint16, d, m, s uint32) entry {
		var v []byte
		for _, x := range []uint32{d, 1, m, 1, s, 1} {
			v = le.AppendUint32(v, x)
		}
		return entry{tag, 5, 3, v}
	}
	block := func(at int, list []entry) []byte {
		head := le.AppendUint16(nil, uint16(len(list)))
		var data []byte
		behind := at + 2 + 12*len(list) + 4
		for _, e := range list {
			head = le.AppendUint32(le.AppendUint16(le.AppendUint16(head, e.tag), e.kind), e.count)
			if len(e.value) <= 4 {
				head = append(head, append(e.value, make([]byte, 4-len(e.value))...)...)
				continue
			}
			head = le.AppendUint32(head, uint32(behind+len(data)))
			data = append(data, e.value...)
		}
		return append(le.AppendUint32(head, 0), data...)
	}
	exif := []entry{text(0x9003, "2026:05:17 08:30:00"), text(0x9011, "+08:00"), text(0xa431, secret+"SERIAL")}
	gps := []entry{text(1, "N"), degrees(2, 29, 39, 1), text(3, "E"), degrees(4, 91, 6, 2), text(28, secret+"PLACE")}
	first := func(a, b int) []entry {
		return []entry{text(0x010f, secret+"MAKER"), short(0x0112, turn), text(0x013b, secret+"OWNER"), long(0x8769, a), long(0x8825, b)}
	}
	n := len(block(8, first(0, 0)))
	m := len(block(0, exif))
	out := le.AppendUint32([]byte{'I', 'I', 42, 0}, 8)
	out = append(out, block(8, first(8+n, 8+n+m))...)
	out = append(out, block(8+n, exif)...)
	return append(out, block(8+n+m, gps)...)
}

const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="29,39N" exif:UserComment="` + secret + `XMP"/></rdf:RDF></x:xmpmeta>`

// jpegOf is a photo with everything that is written beside pixels: EXIF with the
// place, XMP, IPTC, an ICC profile, a comment, and something behind the end.
func jpegOf(tb testing.TB, img image.Image, turn int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		tb.Fatal(err)
	}
	plain := b.Bytes()
	segment := func(marker byte, parts ...string) []byte {
		var text []byte
		for _, p := range parts {
			text = append(text, p...)
		}
		out := []byte{0xff, marker}
		return append(binary.BigEndian.AppendUint16(out, uint16(len(text)+2)), text...)
	}
	out := append([]byte{}, plain[:2]...)
	out = append(out, segment(0xe1, "Exif\x00\x00", string(tiff(turn)))...)
	out = append(out, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00", xmp)...)
	out = append(out, segment(0xe2, "ICC_PROFILE\x00\x01\x01", secret+"ICC")...)
	out = append(out, segment(0xed, "Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x10\x1c\x02\x78\x00\x0a", secret+"IPTC\x00")...)
	out = append(out, segment(0xfe, secret+"COMMENT")...)
	out = append(out, plain[2:]...)
	return append(out, secret+"BEHIND"...)
}

func pngOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	chunk := func(kind, text string) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
		body := append([]byte(kind), text...)
		return binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
	}
	plain := b.Bytes()
	out := append([]byte{}, plain[:33]...) // signature and IHDR
	out = append(out, chunk("tEXt", "Comment\x00"+secret+"TEXT")...)
	out = append(out, chunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+xmp)...)
	out = append(out, chunk("eXIf", string(tiff(3)))...)
	return append(out, plain[33:]...)
}

// webpOf is a picture of one pixel in the extended form, with EXIF and XMP.
func webpOf(tb testing.TB) []byte {
	tb.Helper()
	plain, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		tb.Fatal(err)
	}
	chunk := func(kind string, text []byte) []byte {
		out := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(text))), text...)
		if len(text)%2 == 1 {
			out = append(out, 0)
		}
		return out
	}
	body := append([]byte("WEBP"), chunk("VP8X", []byte{0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0})...)
	body = append(body, plain[12:]...)
	body = append(body, chunk("EXIF", tiff(1))...)
	body = append(body, chunk("XMP ", []byte(xmp))...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func read(t *testing.T, r *rig, f File, v Variant) []byte {
	t.Helper()
	c, err := r.Open(t.Context(), f, v)
	if err != nil {
		t.Fatalf("%s of %s: %v", v, f.SHA256, err)
	}
	defer c.Close()
	text, err := os.ReadFile(filepath.Clean(c.Name()))
	if err != nil || int64(len(text)) != c.Size {
		t.Fatalf("%d bytes, %d were announced: %v", len(text), c.Size, err)
	}
	return text
}
