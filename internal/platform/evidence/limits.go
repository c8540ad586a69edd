package evidence

import (
	"errors"
	"fmt"

	"plateau/internal/platform/errs"
)

// Limits bound what is kept. They are those of the day on which a file comes.
type Limits struct {
	Photo, Audio, Video, PDF, Track, Other int64 // bytes of a file

	Pixels   int64 // of a picture that is decoded
	Decoded  int64 // bytes that decoding one may take
	PerEvent int   // files that come with one act on a case
	Account  int64 // bytes that one account may have brought without a case referring to them
	Reserve  int64 // bytes of the disk that files leave free, for what is measured
}

// Of is the limit of a kind, in bytes.
func (l *Limits) Of(k Kind) int64 {
	switch k {
	case Photo:
		return l.Photo
	case Audio:
		return l.Audio
	case Video:
		return l.Video
	case PDF:
		return l.PDF
	case Track:
		return l.Track
	case Other:
	}
	return l.Other
}

// Most is the limit of the kind that may be largest, in bytes.
func (l *Limits) Most() int64 { return max(l.Photo, l.Audio, l.Video, l.PDF, l.Track, l.Other) }

// rule is the part of a rule file that limits are read from.
type rule interface {
	Float(name string) (float64, error)
}

// ReadLimits reads the parameters of rule evidence.files.
func ReadLimits(r rule) (l Limits, err error) {
	var faults []error
	num := func(name string, unit float64) int64 {
		v, err := r.Float(name)
		if err == nil && v <= 0 {
			err = fmt.Errorf("rule evidence.files: %s is %v; write more than 0", name, v)
		}
		faults = append(faults, err)
		return int64(v * unit)
	}
	const mega = 1 << 20
	l = Limits{
		Photo: num("photo_mb", mega), Audio: num("voice_mb", mega), Video: num("video_mb", mega), PDF: num("pdf_mb", mega), Track: num("track_mb", mega), Other: num("other_mb", mega),
		Pixels: num("megapixels", 1e6), Decoded: num("decode_mb", mega), PerEvent: int(num("event_files", 1)), Account: num("account_mb", mega), Reserve: num("reserve_mb", mega),
	}
	return l, errors.Join(faults...)
}

// Field is the field that faults of a file are told of.
const Field = "files"

// wrong is what is told of a file that is not kept.
func wrong(name, code string, args ...any) error {
	return errs.InvalidField(Field, "err.file."+code, append([]any{"name", name}, args...)...)
}

func megabytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
