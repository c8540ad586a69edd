package accountweb

import (
	"fmt"
	"html/template"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// picture is a QR code as SVG.
type picture = template.HTML

// quiet is the white edge of a QR code in modules, ISO/IEC 18004 section 6.3.8.
const quiet = 4

// draw makes a QR code of text. It is drawn in the page, black on white in the
// dark scheme too: the content security policy lets nothing else in, and a file
// of its own would be an address with a secret.
func draw(text, label string) (picture, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	n := code.Bounds().Dx()
	var path strings.Builder
	for y := range n {
		for x := 0; x < n; x++ {
			from := x
			for x < n && color.GrayModel.Convert(code.At(x, y)) == (color.Gray{}) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	side := n + 2*quiet
	return picture(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dh-%dz"/><path fill="#000" d="%s"/></svg>`,
		side, side, template.HTMLEscapeString(label), side, side, side, path.String())), nil
}
