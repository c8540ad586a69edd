package telemetryweb

import (
	"bytes"
	"strings"
	"testing"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// TestEncryptedFrameIsOpened: a frame that was stored encrypted is shown
// decrypted by the key its logger has or had, not as a wrong CRC and bytes.
func TestEncryptedFrameIsOpened(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	for _, tt := range []struct {
		name string
		now  [][]byte // keys of the serving logger
		past [][]byte // of an earlier service
		want bool
	}{
		{"its key", [][]byte{key}, nil, true},
		{"a newer key before it", [][]byte{[]byte("fedcba9876543210"), key}, nil, true},
		{"the key of an earlier service", nil, [][]byte{key}, true},
		{"no key", nil, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2)
			r.registry.snap.Devices[testMN].Keys = tt.now
			r.registry.snap.Past = append(r.registry.snap.Past, telemetry.Device{MN: testMN, Outlet: 1, Keys: tt.past})
			f := &r.journal.frames[0]
			end := len(f.Raw) - 4
			sealed, err := hj212.EncryptCP(f.Raw[6:end], key)
			if err != nil {
				t.Fatal(err)
			}
			f.Raw, f.Sealed = bytes.Join([][]byte{f.Raw[:6], sealed, f.Raw[end:]}, nil), true
			for _, path := range []string{"/zh/frames/" + f.String(), "/zh/devices/" + testMN, "/zh/values/1-a21002-hour-2026112307"} {
				page := r.ask("operator", "GET", path, nil).Body.String()
				if got := strings.Contains(page, "DataTime=20261123070000"); got != tt.want {
					t.Errorf("%s shows the data in clear: %t, want %t", path, got, tt.want)
				}
				if frame := strings.Contains(path, "/frames/"); frame && strings.Contains(page, "报文正确") != tt.want {
					t.Errorf("%s: a frame is right when it can be opened, and only then", path)
				}
				if strings.Contains(page, "secret1") {
					t.Errorf("%s shows the password", path)
				}
			}
		})
	}
}
