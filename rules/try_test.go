package rules

import (
	"reflect"
	"testing"
)

func TestTry(t *testing.T) {
	t.Parallel()
	set := Default()
	r := set.Versions("cems.hour_mean")[0]
	tried, faults := set.Try(r, map[string]string{"min_valid_minutes": " 50 ", "device_marks": "D， M", "nowhere": "1"})
	if len(faults) > 0 || tried.Params["min_valid_minutes"] != 50.0 || !reflect.DeepEqual(tried.Params["device_marks"], []any{"D", "M"}) {
		t.Errorf("%v, %v", tried.Params, faults)
	}
	if tried.Hash == r.Hash || r.Params["min_valid_minutes"] != int64(45) {
		t.Error("the tried version has the hash of the stored one, or changed it")
	}
	for value, want := range map[string]string{"many": `is "many"; write a number`, "61": "is 61; write a number from 0 to 60", "-1": "is -1; write a number from 0 to 60", "": `is ""; write a number`} {
		if _, faults := set.Try(r, map[string]string{"min_valid_minutes": value}); len(faults) != 1 || faults[0] != (Misfit{"min_valid_minutes", want}) {
			t.Errorf("%q: %v", value, faults)
		}
	}
	air := set.Versions("air.iaqi")[1]
	tried, faults = set.Try(air, map[string]string{"breakpoints/PM2.5_24h": "0, 25, 50"})
	inside, _ := tried.Params["breakpoints"].(map[string]any)
	if len(faults) > 0 || !reflect.DeepEqual(inside["PM2.5_24h"], []any{0.0, 25.0, 50.0}) {
		t.Errorf("%v, %v", inside, faults)
	}
	if before, _ := air.Params["breakpoints"].(map[string]any); reflect.DeepEqual(before["PM2.5_24h"], inside["PM2.5_24h"]) {
		t.Error("the table of the stored version was changed")
	}
	if _, faults := set.Try(air, map[string]string{"breakpoints/PM2.5_24h": "0, x"}); len(faults) != 1 {
		t.Errorf("%v", faults)
	}
	if d := Diff(r, set.With(r).Versions(r.ID)[0]); d != nil {
		t.Errorf("a version tried as it is differs: %v", d)
	}
}
