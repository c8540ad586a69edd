package evidence

import (
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/unicode/norm"
)

// Kind is what a file is, by its bytes.
type Kind string

// The kinds.
const (
	Photo Kind = "photo"
	Video Kind = "video"
	Audio Kind = "audio"
	PDF   Kind = "pdf"
	Track Kind = "track"
	Other Kind = "other"
)

// File is one that is kept.
type File struct {
	SHA256   string // hexadecimal, of its bytes
	Size     int64  // bytes
	MIME     string
	Kind     Kind
	Width    int       // of the picture as it is looked at, pixels; 0 = not known
	Height   int       // likewise
	Captured time.Time // when it was taken, by the camera's clock; zero = not told
	Added    time.Time
}

// Drawn reports whether there are copies of it to look at: thumb and web.
func (f *File) Drawn() bool { return f.Width > 0 }

// Variant is a form in which a file is given out.
type Variant string

// The variants. Thumb and Web are drawn anew: nothing is in them but the picture.
const (
	Thumb    Variant = "thumb"
	Web      Variant = "web"
	Original Variant = "original"
)

// maxName bounds the name of a file, in characters.
const maxName = 100

// Clean is a name as somebody gave it without folders, control characters and marks
// that turn the direction of writing, bounded; its ending stays.
func Clean(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, norm.NFC.String(name))
	name = strings.Trim(name, " .")
	if all := []rune(name); len(all) > maxName {
		end := []rune(path.Ext(name))
		if len(end) > 10 {
			end = nil
		}
		name = strings.TrimRight(string(all[:maxName-len(end)]), " .") + string(end)
	}
	if name == "" {
		return "file"
	}
	return name
}

// pictures are the photos that a decoder is there for.
var pictures = map[string]string{"image/jpeg": "image/jpeg", "image/png": "image/png", "image/apng": "image/png", "image/webp": "image/webp"}

// kept are photos that are kept as they are: there is no decoder for them.
var kept = map[string]bool{"image/heic": true, "image/heic-sequence": true, "image/heif": true, "image/heif-sequence": true, "image/avif": true}

// programs are what is not kept: nothing of it is evidence of anything.
var programs = []string{
	"application/vnd.microsoft.portable-executable", "application/x-elf", "application/x-ms-installer",
	"application/vnd.android.package-archive", "application/java-archive", "application/x-mach-binary",
}

// headSize is how much of a file is looked at to tell what it is.
const headSize = 3072

// sniff tells what a file is by how it begins; program tells that it is one to run.
func sniff(head []byte) (mime string, kind Kind, program bool) {
	m := mimetype.Detect(head)
	mime, _, _ = strings.Cut(m.String(), ";")
	for p := m; p != nil; p = p.Parent() {
		for _, x := range programs {
			program = program || p.Is(x)
		}
	}
	switch {
	case pictures[mime] != "":
		return pictures[mime], Photo, program
	case kept[mime]:
		return mime, Photo, program
	case strings.HasPrefix(mime, "video/"):
		return mime, Video, program
	case strings.HasPrefix(mime, "audio/"), mime == "application/ogg":
		return mime, Audio, program
	case mime == "application/pdf":
		return mime, PDF, program
	case mime == "application/gpx+xml", mime == "application/geo+json", mime == "application/vnd.google-earth.kml+xml", mime == "application/vnd.google-earth.kmz":
		return mime, Track, program
	}
	return mime, Other, program
}
