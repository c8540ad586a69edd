package quality

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// One factor cut out of a row is what the whole row has of it.
func TestOneFactorOfARow(t *testing.T) {
	t.Parallel()
	reported := Reported{There: true, Flag: "N", Avg: Some(1.5), Cou: Some(1.0 / 3)}
	limit := LimitRef{ID: "gb.1", Op: "<=", Hi: Some(50), Statistic: "hour"}
	h := HourRow{Outlet: 1, Source: SourceMinute, Revised: true, Rules: "0123456789abcdef", Flow: Some(12), FlowBy: FlowComputed, Factors: []FactorHour{
		{Code: "a21026", Flag: "N", NSeen: 60, NValid: 45, NExpected: 60, Valid: true, Mean: Some(10), Folded: Some(12.5), Judged: Some(12.5), Basis: BasisFolded, Fold: FoldOK, Limit: limit, Reported: reported, Reasons: []string{"reason.a", "reason.b"}},
		{Code: "S03", Flag: "Md", NExpected: 60, Fold: FoldNotRequired},
		{Code: "a19001", Flag: "N", Valid: true, InTime: true, Parts: 4, Mean: Some(6), Reported: reported},
	}}
	d := DayRow{Outlet: 1, Rules: h.Rules, Flow: Some(3), Factors: []FactorDay{
		{Code: "a21026", NValid: 20, Valid: true, Mean: Some(10), Reported: reported, Limit: limit, Reasons: []string{"reason.a"}},
		{Code: "a19001", NSeen: 3, Basis: BasisMean, Judged: Some(1)},
	}}
	hour, day := AppendHour(nil, &h), AppendDay(nil, &d)
	for i, f := range h.Factors {
		var row HourRow
		var got FactorHour
		code := canon(f.Code)
		there, err := readHourOf(&row, &got, namesOf(code), hour)
		if err != nil || !there {
			t.Fatalf("%s: %v %v", code, there, err)
		}
		if diff := gocmp.Diff(h.Factors[i], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
		if row.Rules != h.Rules || row.Source != h.Source || row.Flow != h.Flow || !row.Revised {
			t.Errorf("head %+v", row)
		}
	}
	for i, f := range d.Factors {
		var row DayRow
		var got FactorDay
		there, err := readDayOf(&row, &got, namesOf(f.Code), day)
		if diff := gocmp.Diff(d.Factors[i], got); diff != "" || err != nil || !there {
			t.Errorf("%s %v %v (-want +got):\n%s", f.Code, there, err, diff)
		}
	}
	var f FactorHour
	if there, err := readHourOf(&HourRow{}, &f, []string{"a05001"}, hour); there || err != nil {
		t.Errorf("absent factor: %v %v", there, err)
	}
	for n := range len(hour) {
		if _, err := readHourOf(&HourRow{}, &f, []string{"a19001"}, hour[:n]); err == nil {
			t.Fatalf("cut at %d of %d: no error", n, len(hour))
		}
	}
}
