package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// TestPhoto: a photo is kept as it came, found by who it came from and by the case it
// is attached to; the same again is the same file.
func TestPhoto(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url), t.Context()
		text := jpegOf(t, quarters(1600, 800), 6)
		f, err := r.Put(ctx, clerk, `C:\photos\河边.jpg`, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(text)) || f.MIME != "image/jpeg" || f.Kind != Photo || f.Width != 800 || f.Height != 1600 ||
			!f.Captured.Equal(time.Date(2026, 5, 17, 0, 30, 0, 0, time.UTC)) {
			t.Errorf("%+v", f)
		}
		if got, err := r.Get(ctx, f.SHA256); err != nil || got != f {
			t.Errorf("%+v, %v; it was %+v", got, err, f)
		}
		if got := read(t, r, f, Original); !bytes.Equal(got, text) {
			t.Error("the original is not what came")
		}
		if again, err := r.Put(ctx, warden, "other.jpg", bytes.NewReader(text)); err != nil || again.SHA256 != f.SHA256 {
			t.Errorf("%+v, %v", again, err)
		}
		if rows, files, incoming := r.count(t); rows != 1 || files != 3 || incoming != 0 {
			t.Errorf("%d rows, %d files, %d incoming", rows, files, incoming)
		}
		if err := r.attach(ctx, "case-1", clerk, f.SHA256); err != nil {
			t.Fatal(err)
		}
		all, err := r.OfCase(ctx, "case-1")
		if err != nil || len(all) != 1 || all[f.SHA256].Name != "河边.jpg" || all[f.SHA256].By != clerk.ID || all[f.SHA256].File != f {
			t.Errorf("%+v, %v", all, err)
		}
		if _, err := r.Get(ctx, strings.Repeat("0", 64)); !errs.Is(err, errs.NotFound) {
			t.Errorf("a file that is not there: %v", err)
		}
		// Copies can be drawn again.
		if err := os.Remove(r.drawn(f.SHA256, Thumb)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, r, f, Thumb); len(got) == 0 {
			t.Error("no thumb")
		}
	})
}

// TestStripped: nothing but the picture is in what is drawn of it, the right way up.
func TestStripped(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, filepath.Join(t.TempDir(), "x.db")), t.Context()
	for what, text := range map[string][]byte{"jpeg": jpegOf(t, quarters(1700, 900), 3), "png": pngOf(t, quarters(1700, 900)), "webp": webpOf(t)} {
		if !bytes.Contains(text, []byte(secret)) {
			t.Fatalf("%s has nothing to hide", what)
		}
		f, err := r.Put(ctx, clerk, what, bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if want := time.Date(2026, 5, 17, 0, 30, 0, 0, time.UTC); !f.Captured.Equal(want) {
			t.Errorf("%s was taken at %s", what, f.Captured)
		}
		for v, most := range map[Variant]int{Thumb: thumbSide, Web: webSide} {
			got := read(t, r, f, v)
			if bytes.Contains(got, []byte(secret)) || bytes.Contains(got, []byte("GPS")) || bytes.Contains(got, []byte("Exif")) {
				t.Errorf("%s of %s tells more than the picture", v, what)
			}
			onlyPixels(t, got)
			img, err := jpeg.Decode(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			b := img.Bounds()
			if what == "webp" {
				continue
			}
			if b.Dx() != most {
				t.Errorf("%s of %s is %v", v, what, b)
			}
			// Both were held upside down.
			if tl, br := name(img.At(b.Dx()/8, b.Dy()/8)), name(img.At(b.Dx()*7/8, b.Dy()*7/8)); tl != "white" || br != "red" {
				t.Errorf("%s of %s has %s above and %s below", v, what, tl, br)
			}
		}
	}
}

// onlyPixels wants a JPEG of nothing but tables, a frame and a scan.
func onlyPixels(t *testing.T, text []byte) {
	t.Helper()
	for i := 2; i+4 <= len(text); {
		kind, n := text[i+1], int(binary.BigEndian.Uint16(text[i+2:]))
		switch kind {
		case 0xdb, 0xc0, 0xc4, 0xdd:
			i += 2 + n
			continue
		case 0xda:
			if !bytes.HasSuffix(text, []byte{0xff, 0xd9}) || bytes.Count(text[i:], []byte{0xff, 0xd9}) != 1 {
				t.Error("there is something behind the picture")
			}
			return
		}
		t.Errorf("a segment %x", kind)
		return
	}
	t.Error("no scan")
}

// TestTurned: each way of holding a camera comes out upright.
func TestTurned(t *testing.T) {
	t.Parallel()
	src := shrunk(quarters(40, 20), 40)
	for turn, want := range map[int]string{1: "red green", 2: "green red", 3: "white blue", 4: "blue white", 5: "red blue", 6: "blue red", 7: "white green", 8: "green white"} {
		got := turned(src, turn)
		if size := got.Rect.Dx(); (size == 20) != (turn > 4) {
			t.Errorf("%d: %v", turn, got.Rect)
		}
		if s := name(got.At(2, 2)) + " " + name(got.At(got.Rect.Dx()-3, 2)); s != want {
			t.Errorf("%d has %s above, want %s", turn, s, want)
		}
		in := bytes.NewReader(jpegOf(t, quarters(8, 8), turn))
		if got, _ := told(in, "image/jpeg"); got != turn {
			t.Errorf("turned by %d, want %d", got, turn)
		}
	}
}

// TestShrunk: blocks at the edge count as others do, what shines through is white.
func TestShrunk(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(3, 5, 3+2*320*3+7, 5+90)) // nothing of it can be seen
	got := shrunk(img, 320)
	if got.Rect.Dx() != 320 || got.Rect.Dy() != 14 {
		t.Errorf("%v", got.Rect)
	}
	for _, p := range []image.Point{{0, 0}, {319, 13}, {160, 7}} {
		if n := name(got.At(p.X, p.Y)); n != "white" {
			t.Errorf("%v is %s", p, n)
		}
	}
}

// bomb is a PNG that says it has so many pixels.
func bomb(w, h uint32, depth, kind byte) []byte {
	head := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	head = append(head, depth, kind, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, head...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head))
}

// TestRefused: what is not kept is refused with the place and the remedy, and nothing
// of it is left.
func TestRefused(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, filepath.Join(t.TempDir(), "x.db")), t.Context()
	r.l.Photo, r.l.Other, r.l.Account = 200_000, 1000, 300_000
	photo := jpegOf(t, quarters(300, 200), 1)
	noise := make([]byte, 250_000)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	progressive := bytes.Clone(photo)
	if i := bytes.Index(progressive, []byte{0xff, 0xc0, 0, 17}); i > 0 {
		progressive[i+1] = 0xc2
		binary.BigEndian.PutUint16(progressive[i+5:], 7000)
		binary.BigEndian.PutUint16(progressive[i+7:], 7000)
	}
	for _, x := range []struct {
		what, code string
		text       []byte
	}{
		{"nothing", "empty", nil},
		{"a program", "program", append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 100)...)},
		{"a program for Windows", "program", append([]byte("MZ"), make([]byte, 100)...)},
		{"half a photo", "damaged", photo[:len(photo)/2]},
		{"a damaged photo", "damaged", append([]byte("\xff\xd8\xff\xe0"), make([]byte, 100)...)},
		{"many pixels", "pixels", bomb(60_000, 60_000, 8, 2)},
		{"deep pixels", "pixels", bomb(7_000, 7_000, 16, 6)},
		{"many coefficients", "pixels", progressive},
		{"a large photo", "large", append(bytes.Clone(photo), noise...)},
		{"a large file", "large", bytes.Repeat([]byte("text "), 300)},
	} {
		_, err := r.Put(ctx, clerk, "x", bytes.NewReader(x.text))
		e, ok := errors.AsType[*errs.Error](err)
		if !ok || e.Kind != errs.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != Field || e.Fields[0].Key != "err.file."+x.code {
			t.Errorf("%s: %v, want %s", x.what, err, x.code)
		}
		if rows, files, incoming := r.count(t); rows+files+incoming != 0 {
			t.Fatalf("%s left %d rows, %d files, %d incoming", x.what, rows, files, incoming)
		}
	}
	// What the reader breaks off leaves nothing either.
	torn := io.MultiReader(bytes.NewReader(photo[:4000]), failing{})
	if _, err := r.Put(ctx, clerk, "x", torn); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("torn: %v", err)
	}
	if _, err := r.put(ctx, clerk, "x", strings.Repeat("0", 64), bytes.NewReader(photo)); !errs.Is(err, errs.Invalid) {
		t.Errorf("another sum was announced: %v", err)
	}
	if rows, files, incoming := r.count(t); rows+files+incoming != 0 {
		t.Fatalf("left %d rows, %d files, %d incoming", rows, files, incoming)
	}
	// An account brings no more than it may, until a case refers to it.
	other := jpegOf(t, quarters(200, 300), 1)
	r.l.Account = int64(max(len(photo), len(other))) + 10
	f, err := r.Put(ctx, clerk, "x", bytes.NewReader(photo))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Put(ctx, clerk, "x", bytes.NewReader(other)); !errs.Is(err, errs.Invalid) {
		t.Errorf("too much: %v", err)
	}
	if _, err := r.Put(ctx, warden, "x", bytes.NewReader(other)); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if err := r.attach(ctx, "case-1", clerk, f.SHA256); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Put(ctx, clerk, "x", bytes.NewReader(other)); err != nil {
		t.Errorf("after it was attached: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestKinds: what a file is, its bytes say; what cannot be drawn is kept.
func TestKinds(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, filepath.Join(t.TempDir(), "x.db")), t.Context()
	heic := append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), make([]byte, 64)...)
	for _, x := range []struct {
		name string
		text []byte
		mime string
		kind Kind
	}{
		{"a.jpg", heic, "image/heic", Photo},
		{"a.mp4", append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 64)...), "video/mp4", Video},
		{"a.opus", append(append([]byte("OggS\x00\x02"), make([]byte, 22)...), []byte("OpusHead\x01\x01")...), "audio/ogg", Audio},
		{"a.amr", []byte("#!AMR\nxxxxxxxxx"), "audio/amr", Audio},
		{"a.pdf", []byte("%PDF-1.7\n%xxxx"), "application/pdf", PDF},
		{"a.txt", []byte(`<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"></gpx>`), "application/gpx+xml", Track},
		{"a.jpg", []byte("<html><script>alert(1)</script></html>"), "text/html", Other},
		{"a.svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "image/svg+xml", Other},
		{"a", []byte("plain words"), "text/plain", Other},
	} {
		f, err := r.Put(ctx, clerk, x.name, bytes.NewReader(x.text))
		if err != nil || f.MIME != x.mime || f.Kind != x.kind || f.Drawn() {
			t.Errorf("%s: %+v, %v", x.mime, f, err)
		}
		if _, err := r.Open(ctx, f, Web); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s has a copy to look at: %v", x.mime, err)
		}
		if got := read(t, r, f, Original); !bytes.Equal(got, x.text) {
			t.Errorf("%s is not what came", x.mime)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "file",
		"../../etc/passwd":                   "passwd",
		`C:\x\河边.jpg`:                        "河边.jpg",
		"a\x00b\u202egpj.exe":                "abgpj.exe",
		" .hidden ":                          "hidden",
		"line\nbreak.txt":                    "line break.txt",
		"\xff\xfe.jpg":                       "jpg",
		"བོད་ཡིག.png":                        "བོད་ཡིག.png",
		strings.Repeat("长", 300) + ".jpeg":   strings.Repeat("长", 95) + ".jpeg",
		strings.Repeat("x", 300) + ".no dot": strings.Repeat("x", 93) + ".no dot",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestAttach: only what who acts has brought can be attached, by strangers only at
// once; a refused act refers to nothing.
func TestAttach(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url), t.Context()
		put := func(by auth.Principal, text string) string {
			t.Helper()
			f, err := r.Put(ctx, by, text, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			return f.SHA256
		}
		mine, theirs, strange := put(clerk, "mine"), put(warden, "theirs"), put(nobody, "a stranger's")
		refused := func(what string, by auth.Principal, sums ...string) {
			t.Helper()
			err := r.attach(ctx, "case-1", by, sums...)
			e, ok := errors.AsType[*errs.Error](err)
			if !ok || e.Kind != errs.Invalid || e.Fields[0].Name != "attachments" {
				t.Errorf("%s: %v", what, err)
			}
			if all, err := r.OfCase(ctx, "case-1"); err != nil || len(all) != 0 {
				t.Errorf("%s left %v, %v", what, all, err)
			}
		}
		refused("never uploaded", clerk, strings.Repeat("a", 64))
		refused("somebody else's", clerk, mine, theirs)
		refused("a stranger's", clerk, strange)
		refused("theirs by a stranger", nobody, theirs)
		refused("too many", clerk, mine, mine, mine, mine)
		r.pass(2 * time.Hour)
		refused("a stranger's, late", nobody, strange)
		put(nobody, "a stranger's")
		if err := r.attach(ctx, "case-2", nobody, strange); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := r.attach(ctx, "case-1", clerk, mine); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestLooked: who takes an original that others brought is in the record of acts, who
// takes their own is not.
func TestLooked(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url), t.Context()
		for _, by := range []string{"clerk", "warden", ""} {
			if err := r.Looked(ctx, &Attached{File: File{SHA256: "00"}, By: by}, "case-1", clerk); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		if err := audit.List(ctx, r.DB, audit.Filter{Act: "evidence.original"}, func(e *audit.Entry) bool {
			got = append(got, fmt.Sprint(e.Who, e.Ref, e.Subjects, e.Detail))
			return true
		}); err != nil || len(got) != 2 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestUnused: what nothing refers to goes after its time, what broken-off writing
// left goes, what is attached stays.
func TestUnused(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url), t.Context()
		photo := func(w int, by auth.Principal) File {
			t.Helper()
			f, err := r.Put(ctx, by, "x", bytes.NewReader(jpegOf(t, quarters(w, 10), 1)))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		used, unused := photo(10, clerk), photo(11, clerk)
		if err := r.attach(ctx, "case-1", clerk, used.SHA256); err != nil {
			t.Fatal(err)
		}
		stray := strings.Repeat("ab", 32)
		if err := os.MkdirAll(filepath.Dir(r.path(stray)), 0o750); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{r.path(stray), filepath.Join(r.incoming(), "half")} {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := r.Sweep(ctx); err != nil || n != 0 {
			t.Errorf("too early: %d, %v", n, err)
		}
		if _, files, incoming := r.count(t); files != 7 || incoming != 1 {
			t.Errorf("%d files, %d incoming", files, incoming)
		}
		r.pass(20 * 24 * time.Hour)
		again := photo(11, warden) // brought by somebody else meanwhile
		if again.SHA256 != unused.SHA256 {
			t.Fatal("not the same")
		}
		r.pass(11 * 24 * time.Hour)
		if n, err := r.Sweep(ctx); err != nil || n != 0 {
			t.Errorf("somebody has just brought it: %d, %v", n, err)
		}
		if _, files, incoming := r.count(t); files != 6 || incoming != 0 {
			t.Errorf("%d files, %d incoming", files, incoming)
		}
		r.pass(20 * 24 * time.Hour)
		if n, err := r.Sweep(ctx); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if rows, files, _ := r.count(t); rows != 1 || files != 3 {
			t.Errorf("%d rows, %d files", rows, files)
		}
		if _, err := r.Get(ctx, used.SHA256); err != nil {
			t.Error(err)
		}
	})
}

// TestDamaged: a file whose bytes differ is found, and never given out.
func TestDamaged(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url), t.Context()
		var all []File
		for _, text := range []string{"one", "two", "three"} {
			f, err := r.Put(ctx, clerk, text, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, f)
		}
		if c, err := Check(ctx, r.DB, r.Data); err != nil || c.Files != 3 || c.Bad != 0 {
			t.Fatalf("%+v, %v", c, err)
		}
		if err := os.WriteFile(r.path(all[0].SHA256), []byte("0ne"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(r.path(all[1].SHA256)); err != nil {
			t.Fatal(err)
		}
		c, err := Check(ctx, r.DB, r.Data)
		if text := strings.Join(c.Faults, "\n"); err != nil || c.Bad != 2 || !strings.Contains(text, all[0].SHA256+" has other bytes") || !strings.Contains(text, all[1].SHA256+" is missing") {
			t.Errorf("%+v, %v", c, err)
		}
		for _, f := range all[:2] {
			if _, err := r.Open(ctx, f, Original); err == nil {
				t.Error("a damaged file was given out")
			}
		}
		// Brought again, it is whole again.
		if _, err := r.Put(ctx, clerk, "one", strings.NewReader("one")); err != nil {
			t.Fatal(err)
		}
		if got := read(t, r, all[0], Original); string(got) != "one" {
			t.Errorf("%q", got)
		}
	})
}

// scarce is a file on a disk with room for so many bytes.
type scarce struct {
	written
	left *int
}

func (s scarce) Write(b []byte) (int, error) {
	if *s.left < len(b) {
		n, _ := s.written.Write(b[:*s.left])
		*s.left = 0
		return n, syscall.ENOSPC
	}
	*s.left -= len(b)
	return s.written.Write(b)
}

// TestFullDisk: wherever the disk becomes full, who uploads is told so, nothing is
// half there, and later the same works.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, filepath.Join(t.TempDir(), "x.db")), t.Context()
	text := jpegOf(t, quarters(700, 500), 1)
	create := r.create
	for room := 0; ; room += 3000 {
		left := room
		r.create = func(path string) (written, error) {
			f, err := create(path)
			return scarce{f, &left}, err
		}
		_, err := r.Put(ctx, clerk, "x.jpg", bytes.NewReader(text))
		if err == nil {
			if room < len(text) {
				t.Errorf("%d bytes found room in %d", len(text), room)
			}
			break
		}
		if e, ok := errors.AsType[*errs.Error](err); !ok || e.Kind != errs.Busy || e.Key != NoRoom {
			t.Fatalf("room for %d: %v", room, err)
		}
		rows, _, incoming := r.count(t)
		if _, err := os.Stat(r.path(sumOf(text))); rows != 0 || incoming != 0 || err == nil {
			t.Fatalf("room for %d left %d rows, %d incoming, original: %v", room, rows, incoming, err)
		}
	}
	r.create = create
	r.free = func() (int64, error) { return r.l.Reserve + 10, nil }
	if _, err := r.Put(ctx, clerk, "x.jpg", strings.NewReader("some longer words")); !errs.Is(err, errs.Busy) {
		t.Errorf("into the room that is kept free: %v", err)
	}
	if _, err := r.Put(ctx, clerk, "x.jpg", strings.NewReader("words")); err != nil {
		t.Error(err)
	}
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// TestKilled kills a program that stores files, again and again: what it has a row
// for is whole.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("PLATEAU_TEST_EVIDENCE"); dir != "" {
		storeForEver(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	newRig(t, filepath.Join(dir, "x.db")) // makes the tables
	rows := 0
	for i := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "PLATEAU_TEST_EVIDENCE="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(400+170*i) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		d, err := db.Open(t.Context(), filepath.Join(dir, "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := Check(t.Context(), d, dir)
		if err != nil || c.Bad != 0 {
			t.Errorf("%+v, %v", c, err)
		}
		rows = c.Files
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if rows == 0 {
		t.Error("nothing was stored before the kills")
	}
	r := rigIn(t, filepath.Join(dir, "x.db"), dir)
	r.pass(48 * time.Hour)
	if _, err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _, incoming := r.count(t); n != rows || incoming != 0 {
		t.Errorf("%d rows, there were %d; %d incoming", n, rows, incoming)
	}
}

func storeForEver(t *testing.T, dir string) {
	t.Helper()
	r := rigIn(t, filepath.Join(dir, "x.db"), dir)
	for i := 0; ; i++ {
		img := quarters(40+i%50, 30+int(time.Now().UnixNano()%50))
		if _, err := r.Put(t.Context(), clerk, "x.jpg", bytes.NewReader(jpegOf(t, img, 1))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	for path, want := range map[string]string{
		"evidence/ab/ab/" + sum: sum, "evidence/ab/ab/" + sum + ".web.jpg": "", "evidence/x": "", "reports/ab/ab/" + sum: "",
	} {
		if got := Named(path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// FuzzPicture decodes anything: it is no picture, or one within the bounds, whose
// copies are.
func FuzzPicture(f *testing.F) {
	small := quarters(24, 16)
	for mime, text := range map[string][]byte{"image/jpeg": jpegOf(f, small, 6), "image/png": pngOf(f, small), "image/webp": webpOf(f)} {
		f.Add(text, mime)
		f.Add(text[:len(text)*2/3], mime)
	}
	f.Add(append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), make([]byte, 64)...), "image/heic")
	lim := ordered
	lim.Pixels, lim.Decoded = 100_000, 1<<20
	f.Fuzz(func(t *testing.T, text []byte, mime string) {
		if _, ok := formats[mime]; !ok {
			return
		}
		in := bytes.NewReader(text)
		if kept[mime] {
			told(in, mime)
			return
		}
		p, err := look(in, mime, &lim, time.Now())
		if err != nil {
			return
		}
		if int64(p.width)*int64(p.height) > lim.Pixels || p.width < 1 || p.height < 1 {
			t.Errorf("%d by %d pixels", p.width, p.height)
		}
		for v, text := range map[int][]byte{thumbSide: p.thumb, webSide: p.web} {
			c, err := jpeg.DecodeConfig(bytes.NewReader(text))
			if err != nil || c.Width > v || c.Height > v {
				t.Errorf("%+v, %v", c, err)
			}
			onlyPixels(t, text)
		}
	})
}
