package write

import (
	"testing"
	"time"
)

func TestUTC(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"1970-01-01T00:00:00Z", "2016-02-29T23:59:59.123Z", "2100-03-01T00:00:00Z", "0001-01-01T00:00:00Z",
		"2016-12-31T00:00:00.5Z", "9999-12-31T23:59:59.999999Z", "1999-03-01T01:02:03.000001Z", "2000-02-29T00:00:00Z",
	} {
		want, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := utc([]byte(s)); !ok || got != want.UnixMicro() {
			t.Errorf("%s: %d %v, want %d", s, got, ok, want.UnixMicro())
		}
	}
	for _, s := range []string{"2015-02-29T00:00:00Z", "2016-13-01T00:00:00Z", "2016-01-01T24:00:00Z", "2016-01-01T00:00:60Z", "2016-01-01T00:00:00.Z", "2016-01-01T00:00:00+01:00", "2016-01-01 00:00:00Z", "2016-01-01T00:00:00x5Z"} {
		if _, ok := utc([]byte(s)); ok {
			t.Errorf("%s was read", s)
		}
	}
}
