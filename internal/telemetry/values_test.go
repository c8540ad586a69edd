package telemetry

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
)

// valuesOf writes each value as "code-suffix=source[flag]", a number with its coefficient and scale.
func valuesOf(t *testing.T, cp string) (out []string) {
	t.Helper()
	var p hj212.Packet
	if err := p.Parse([]byte("QN=20261123000000000;ST=31;CN=2011;PW=1;MN=M;Flag=5;CP=&&" + cp + "&&")); err != nil {
		t.Fatal(err)
	}
	for _, v := range ValuesOf(&p, nil) {
		s := v.Code + "-" + v.Suffix + "=" + v.Source() + "[" + v.Flag + "]"
		if v.IsNum {
			s += fmt.Sprintf(" %de-%d", v.Dec.Coef, v.Dec.Scale)
		}
		out = append(out, s)
	}
	return out
}

func TestValuesOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, cp string
		want     []string
	}{
		{"ordinary", "DataTime=20261123083000;a21026-Rtd=12.50,a21026-Flag=N;a00000-Rtd=3,a00000-Flag=D", []string{"a21026-Rtd=12.50[N] 1250e-2", "a00000-Rtd=3[D] 3e-0"}},
		{"several statistics share the mark", "a-Min=1,a-Avg=2,a-Max=3,a-Flag=N", []string{"a-Min=1[N] 1e-0", "a-Avg=2[N] 2e-0", "a-Max=3[N] 3e-0"}},
		{"mark before the value", "a-Flag=T,a-Rtd=1", []string{"a-Rtd=1[T] 1e-0"}},
		{"items of a factor in separate groups", "a-Avg=1;b-Avg=2;a-Flag=N;b-Flag=D;a-Max=3", []string{"a-Avg=1[N] 1e-0", "b-Avg=2[D] 2e-0", "a-Max=3[N] 3e-0"}},
		{"no mark", "a-Rtd=1;b-Rtd=2,b-Flag=N", []string{"a-Rtd=1[] 1e-0", "b-Rtd=2[N] 2e-0"}},
		{"mark of a factor without values", "a-Flag=N", []string{"a-Flag=N[N]"}},
		{"the later of equal names counts", "a-Rtd=1;b-Rtd=2;a-Rtd=3", []string{"a-Rtd=3[] 3e-0", "b-Rtd=2[] 2e-0"}},
		{"bare parameter", "SB1=1;a-Rtd=2", []string{"SB1-=1[] 1e-0", "a-Rtd=2[] 2e-0"}},
		{"no number", "a-Rtd=NaN,a-Flag=N;b-Rtd=,b-Flag=N", []string{"a-Rtd=NaN[N]", "b-Rtd=[N]"}},
		{"decimal comma", "a-Rtd=1,5,a-Flag=N;b-Rtd=2,b-Flag=D,7", []string{"a-Rtd=1,5[N]", "b-Rtd=2[D] 2e-0", "7-=[]"}},
		{"digits that are a name", "a-Rtd=1,5=2;6", []string{"a-Rtd=1[] 1e-0", "5-=2[] 2e-0", "6-=[]"}},
		{"negative", "a-Rtd=-0.30", []string{"a-Rtd=-0.30[] -30e-2"}},
		{"empty", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, valuesOf(t, c.cp)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want string // the number; "" = none
	}{
		{"0", "0"},
		{"12.30", "12.3"},
		{"-0.5", "-0.5"},
		{"+1.5", "1.5"},
		{"-.5", "-0.5"},
		{"5.", "5"},
		{"007", "7"},
		{"00.50", "0.5"},
		{"-0", "0"},
		{"", ""},
		{"-", ""},
		{".", ""},
		{"-.", ""},
		{"--5", ""},
		{"+-5", ""},
		{"-+5", ""},
		{"1,5", ""},
		{"12.300000000000000711", "12.3"},
		{"-0.0312500000000000000000001", "-0.03125"},
		{"1234567890123456789", ""}, // no measurement has 19 digits before the point
		{"NaN", ""},
		{"1e5", ""},
		{"1.2.3", ""},
		{" 1", ""},
		{"高", ""},
	} {
		v := NewValue("a", "Rtd", []byte(c.text))
		got := ""
		if v.IsNum {
			got = strings.TrimSuffix(strings.TrimRight(v.Dec.Rat().FloatString(6), "0"), ".")
		}
		if got != c.want {
			t.Errorf("%q is read as %q, want %q", c.text, got, c.want)
		}
		if v.Source() != c.text {
			t.Errorf("%q is printed as %q", c.text, v.Source())
		}
	}
}

// FuzzNewValue: the source text is never lost, and a number is what the text says.
func FuzzNewValue(f *testing.F) {
	for _, s := range []string{"0", "-12.300", "+.5", "--5", "9223372036854775807", "1e3", "", "0.000000000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := NewValue("a", "Rtd", []byte(text))
		if want := hj212.Text([]byte(text)); v.Source() != want {
			t.Fatalf("%q is printed as %q", want, v.Source())
		}
		if !v.IsNum {
			return
		}
		want, ok := new(big.Rat).SetString(text)
		if ok && len(text) > 18 {
			off := new(big.Rat).Sub(want, v.Dec.Rat())
			if off.Abs(off).Cmp(Decimal{1, v.Dec.Scale}.Rat()) < 0 {
				return // cut to 18 digits
			}
		}
		if !ok || v.Dec.Rat().Cmp(want) != 0 {
			t.Fatalf("%q is read as %v", text, v.Dec)
		}
		if got, exact := want.Float64(); v.Dec.Float() != got {
			t.Fatalf("%q as a float is %v, want %v (exact %v)", text, v.Dec.Float(), got, exact)
		}
	})
}

// TestBareMark: a factor of which only the mark is sent keeps it.
func TestBareMark(t *testing.T) {
	t.Parallel()
	var p hj212.Packet
	if err := p.Parse([]byte("CN=2011;CP=&&DataTime=20261123000000;a-Flag=F;b-Rtd=1,b-Flag=N&&")); err != nil {
		t.Fatal(err)
	}
	vs := ValuesOf(&p, nil)
	if len(vs) != 2 || vs[0].Code != "b" || vs[0].Flag != "N" || vs[1].Code != "a" || vs[1].Suffix != "Flag" || vs[1].Flag != "F" || vs[1].Source() != "F" {
		t.Errorf("values %+v", vs)
	}
}

// TestIntern: whatever names share a slot, each comes back as itself, and equal
// ones share their memory.
func TestIntern(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				name := strconv.Itoa(i % 7000)
				for _, s := range []string{name, "a" + name + "-Rtd", strings.Repeat(name, 30), ""} {
					if got := Intern([]byte(s)); got != s {
						t.Errorf("%q came back as %q", s, got)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	a, b := Intern([]byte("a21026")), Intern([]byte("a21026"))
	if unsafe.StringData(a) != unsafe.StringData(b) {
		t.Error("equal names have memory of their own")
	}
}
