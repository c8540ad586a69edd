package lead

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/testkit"
)

// TestRates: the rates that pages show are what the code gives on the real series.
func TestRates(t *testing.T) {
	t.Parallel()
	folder := os.DirFS(filepath.Join(testkit.Shared(t), "data"))
	if len(Rates()) == 0 {
		t.Fatal("rates.csv holds nothing")
	}
	got, err := Measure(book(t), folder, Rates()[0].On)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Rates(), got); d != "" {
		t.Errorf("rates.csv (-) is not what the detectors give (+); write it anew with plateau leads rate --data FOLDER > internal/telemetry/lead/rates.csv:\n%s", d)
	}
	looked := map[string]int{}
	for _, r := range got {
		looked[r.Series] += r.Windows
	}
	for _, s := range RealSeries {
		if looked[s.ID] == 0 {
			t.Errorf("%s was not looked at", s.ID)
		}
	}
}

func TestRatesFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteRates(&b, Rates()); err != nil || b.String() != ratesFile {
		t.Errorf("%v: what is written is not what was read:\n%s", err, b.String())
	}
	for name, text := range map[string]string{"columns": "a,b\n", "number": strings.Join(rateColumns, ",") + "\nclock,x,many,0,1,2026-01-01\n", "nothing": ""} {
		if _, err := ReadRates(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
