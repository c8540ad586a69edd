package evidence

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"time"

	"github.com/bep/imagemeta"
	scale "golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"plateau/internal/platform/i18n"
)

// Longest sides of the copies, in pixels, and how they are packed.
const (
	thumbSide    = 320
	webSide      = 1280
	thumbQuality = 75
	webQuality   = 82
)

// picture is what a photo turns out to be.
type picture struct {
	width, height int // as it is looked at
	captured      time.Time
	thumb, web    []byte // JPEG
}

// errPicture wraps what is wrong with a picture: too many pixels, or bytes that no
// decoder makes one of.
var (
	errPicture = errors.New("no picture")
	errPixels  = errors.New("too many pixels")
)

// look decodes a picture, within bounds that are checked before any pixel is made,
// and draws its copies.
func look(r io.ReadSeeker, mime string, lim *Limits, now time.Time) (p picture, err error) {
	img, turn, captured, err := decode(r, mime, lim)
	if err != nil {
		return p, err
	}
	web := turned(shrunk(img, webSide), turn)
	p.width, p.height = img.Bounds().Dx(), img.Bounds().Dy()
	if turn > 4 {
		p.width, p.height = p.height, p.width
	}
	if captured.Before(now.AddDate(0, 0, 1)) && captured.Year() > 1990 {
		p.captured = captured
	}
	if p.web, err = packed(web, webQuality); err != nil {
		return p, err
	}
	p.thumb, err = packed(shrunk(web, thumbSide), thumbQuality)
	return p, err
}

// decode makes the pixels of a picture, and tells how it must be turned (EXIF, 1 to
// 8) and when it was taken.
func decode(r io.ReadSeeker, mime string, lim *Limits) (img image.Image, turn int, captured time.Time, err error) {
	cost, pixels, err := costs(r, mime)
	if err != nil {
		return nil, 0, captured, fmt.Errorf("%w: %w", errPicture, err)
	}
	if pixels > lim.Pixels || cost > lim.Decoded {
		return nil, 0, captured, errPixels
	}
	turn, captured = told(r, mime)
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, 0, captured, err
	}
	in := bufio.NewReader(r)
	switch mime {
	case "image/jpeg":
		img, err = jpeg.Decode(in)
	case "image/png":
		img, err = png.Decode(in)
	default:
		img, err = webp.Decode(in)
	}
	if err != nil {
		return nil, 0, captured, fmt.Errorf("%w: %w", errPicture, err)
	}
	return img, turn, captured, nil
}

// costs tells how many bytes decoding a picture takes, about, and its pixels, from
// its head.
func costs(r io.ReadSeeker, mime string) (cost, pixels int64, err error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	in := bufio.NewReader(r)
	var c image.Config
	each := int64(8) // bytes for a pixel
	switch mime {
	case "image/jpeg":
		return jpegCosts(in)
	case "image/png":
		if c, err = png.DecodeConfig(in); err == nil {
			each = depth(c.ColorModel)
		}
	default:
		c, err = webp.DecodeConfig(in)
	}
	pixels = int64(c.Width) * int64(c.Height)
	if err == nil && pixels <= 0 {
		err = errors.New("no pixels")
	}
	return pixels * each, pixels, err
}

func depth(m color.Model) int64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBAModel, color.NRGBAModel:
		return 4
	}
	if _, ok := m.(color.Palette); ok {
		return 1
	}
	return 8
}

// jpegCosts reads the frame header: a progressive picture is decoded with all its
// coefficients in memory, four bytes for each sample beside the sample.
func jpegCosts(in *bufio.Reader) (cost, pixels int64, err error) {
	var b [2]byte
	if _, err := io.ReadFull(in, b[:]); err != nil || b != [2]byte{0xff, 0xd8} {
		return 0, 0, errors.New("does not begin as a JPEG")
	}
	for {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return 0, 0, err
		}
		for b[0] == 0xff && b[1] == 0xff { // filling
			if b[1], err = in.ReadByte(); err != nil {
				return 0, 0, err
			}
		}
		if b[0] != 0xff {
			return 0, 0, errors.New("no marker where one must be")
		}
		kind := b[1]
		if kind == 0x01 || kind >= 0xd0 && kind <= 0xd7 {
			continue // stands alone
		}
		if kind == 0xd9 || kind == 0xda {
			return 0, 0, errors.New("pixels without a frame header")
		}
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return 0, 0, err
		}
		n := int(binary.BigEndian.Uint16(b[:])) - 2
		if n < 0 {
			return 0, 0, errors.New("a segment without a length")
		}
		if kind < 0xc0 || kind > 0xcf || kind == 0xc4 || kind == 0xc8 || kind == 0xcc {
			if _, err := in.Discard(n); err != nil {
				return 0, 0, err
			}
			continue
		}
		head := make([]byte, n)
		if _, err := io.ReadFull(in, head); err != nil {
			return 0, 0, err
		}
		if n < 6 || n < 6+3*int(head[5]) || head[5] == 0 {
			return 0, 0, errors.New("a short frame header")
		}
		pixels = int64(binary.BigEndian.Uint16(head[1:])) * int64(binary.BigEndian.Uint16(head[3:]))
		if pixels == 0 {
			return 0, 0, errors.New("no pixels")
		}
		var samples, wide, high int64
		for i := range int(head[5]) {
			h, v := int64(head[7+3*i]>>4), int64(head[7+3*i]&15)
			samples, wide, high = samples+h*v, max(wide, h), max(high, v)
		}
		if wide*high == 0 {
			return 0, 0, errors.New("a short frame header")
		}
		each := int64(1)
		if kind != 0xc0 && kind != 0xc1 {
			each = 5
		}
		return pixels * samples * each / (wide * high), pixels, nil
	}
}

var formats = map[string]imagemeta.ImageFormat{
	"image/jpeg": imagemeta.JPEG, "image/png": imagemeta.PNG, "image/webp": imagemeta.WebP,
	"image/heic": imagemeta.HEIF, "image/heif": imagemeta.HEIF, "image/avif": imagemeta.AVIF,
}

// told is what is read of the words of a camera: how the picture must be turned (1 to
// 8), and when it was taken. Nothing else of them is taken out of the file, and where
// they are damaged nothing is.
func told(r io.ReadSeeker, mime string) (turn int, captured time.Time) {
	turn = 1
	format, ok := formats[mime]
	if _, err := r.Seek(0, io.SeekStart); err != nil || !ok {
		return turn, captured
	}
	var taken, offset string
	_, _ = imagemeta.Decode(imagemeta.Options{
		R: r, ImageFormat: format, Sources: imagemeta.EXIF, LimitNumTags: 1000, LimitTagSize: 1000,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool {
			return t.Tag == "Orientation" && t.Namespace == "IFD0" || t.Tag == "DateTimeOriginal" || t.Tag == "OffsetTimeOriginal"
		},
		HandleTag: func(t imagemeta.TagInfo) error {
			switch v := t.Value.(type) {
			case string:
				switch t.Tag {
				case "DateTimeOriginal":
					taken = v
				case "OffsetTimeOriginal":
					offset = v
				}
			case uint16:
				if t.Tag == "Orientation" && v >= 1 && v <= 8 {
					turn = int(v)
				}
			}
			return nil
		},
	}) // a file without such words, or with damaged ones, is fine
	const form = "2006:01:02 15:04:05"
	taken, offset = strings.TrimSpace(taken), strings.TrimSpace(offset)
	if at, err := time.Parse(form+"-07:00", taken+offset); err == nil {
		return turn, at.UTC()
	}
	if at, err := time.ParseInLocation(form, taken, i18n.Zone); err == nil {
		captured = at.UTC()
	}
	return turn, captured
}

// shrunk draws a picture on white, its longer side most pixels at the most. Whole
// blocks of pixels are averaged first, a strip at a time: the memory is that of the
// result.
func shrunk(src image.Image, most int) *image.RGBA {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	long := max(w, h)
	f := max(1, long/(2*most))
	small := averaged(src, f)
	if long <= most {
		return small
	}
	dst := image.NewRGBA(image.Rect(0, 0, max(1, w*most/long), max(1, h*most/long)))
	scale.ApproxBiLinear.Scale(dst, dst.Bounds(), small, small.Bounds(), draw.Src, nil)
	return dst
}

func averaged(src image.Image, f int) *image.RGBA {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	out := image.NewRGBA(image.Rect(0, 0, (w+f-1)/f, (h+f-1)/f))
	strip := image.NewRGBA(image.Rect(0, 0, w, f))
	for y := range out.Rect.Dy() {
		rows := min(f, h-y*f)
		draw.Draw(strip, strip.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(strip, image.Rect(0, 0, w, rows), src, image.Pt(b.Min.X, b.Min.Y+y*f), draw.Over)
		for x := range out.Rect.Dx() {
			var sum [3]int
			columns := min(f, w-x*f)
			for r := range rows {
				i := strip.PixOffset(x*f, r)
				for c := range columns {
					for k := range 3 {
						sum[k] += int(strip.Pix[i+4*c+k])
					}
				}
			}
			o := out.PixOffset(x, y)
			for k := range 3 {
				out.Pix[o+k] = uint8(sum[k] / (rows * columns))
			}
			out.Pix[o+3] = 0xff
		}
	}
	return out
}

// turned draws a picture the way up that the camera was held (EXIF orientation).
func turned(src *image.RGBA, turn int) *image.RGBA {
	if turn < 2 || turn > 8 {
		return src
	}
	w, h := src.Rect.Dx(), src.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if turn > 4 {
		size = image.Rect(0, 0, h, w)
	}
	dst := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			var from image.Point
			switch turn {
			case 2:
				from = image.Pt(w-1-x, y)
			case 3:
				from = image.Pt(w-1-x, h-1-y)
			case 4:
				from = image.Pt(x, h-1-y)
			case 5:
				from = image.Pt(y, x)
			case 6:
				from = image.Pt(y, h-1-x)
			case 7:
				from = image.Pt(w-1-y, h-1-x)
			default:
				from = image.Pt(w-1-y, x)
			}
			copy(dst.Pix[dst.PixOffset(x, y):][:4], src.Pix[src.PixOffset(from.X, from.Y):][:4])
		}
	}
	return dst
}

func packed(img image.Image, quality int) ([]byte, error) {
	var out bytes.Buffer
	err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality})
	return out.Bytes(), err
}
