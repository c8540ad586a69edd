//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
)

// reportPlaces are the reports that the walk over all pages opens.
func reportPlaces(outlet string) []string {
	today := time.Now().In(hj212.Zone)
	day, month := today.AddDate(0, 0, -1).Format("2006-01-02"), today.Format("2006-01")
	return []string{
		"/reports/outlet/" + outlet + "/day/" + day, "/reports/outlet/" + outlet + "/month/" + month, "/reports/outlet/" + outlet + "/year/" + today.Format("2006"),
		"/reports/county/540102/month/" + month, "/reports/region/540000/day/" + day, "/reports/region/540000/year/" + today.Format("2006"),
		"/completeness?area=540000&date=" + day,
	}
}

// reportJobPlace asks for a large report and returns the page of its making.
func reportJobPlace(ctx context.Context, t *testing.T) string {
	t.Helper()
	open(ctx, t, "/zh/reports/region/540000/year/"+time.Now().In(hj212.Zone).Format("2006"))
	press(ctx, t, `main form[method=post] button.primary`)
	return strings.TrimPrefix(eval[string](ctx, t, `location.pathname`), "/zh")
}

// shiftPlace is the page of the shift before the running one.
func shiftPlace(ctx context.Context, t *testing.T) string {
	t.Helper()
	open(ctx, t, "/zh/handover")
	return strings.TrimPrefix(follow(ctx, t, "main", `^/zh/handover/`), "/zh")
}

// TestReport: the month report of an outlet adds up, says the same as XLSX and
// CSV, and fits its paper.
func TestReport(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	signIn(ctx, t, "officer")
	month := time.Now().In(hj212.Zone).Format("2006-01")
	open(ctx, t, "/zh/reports/county/540102/month/"+month)
	address := follow(ctx, t, "table.sheet tbody.entry:nth-of-type(3) th", `^/zh/reports/outlet/\d+/month/`)
	facts := eval[struct {
		Rows                         []string
		Measured, Substituted, Total string
		Sticky                       string
	}](ctx, t, `(() => {
		const t = document.querySelector("table.sheet");
		const heads = [];
		for (const th of t.tHead.rows[0].cells) for (let i = 0; i < th.colSpan; i++) heads.push(th);
		const second = [...t.tHead.rows[1].cells];
		let at = -1;
		for (let i = 0, k = 0; i < heads.length; i++) { const tall = heads[i].rowSpan == 2; if (!tall && at < 0 && second[k].innerText.includes("排放量")) at = i; if (!tall) k++; }
		const clean = c => { const x = c.cloneNode(true); x.querySelectorAll("small, .unit, svg").forEach(e => e.remove()); return x.textContent.trim().replaceAll(",", ""); };
		const sums = [...t.querySelectorAll("tbody.sums tr")].map(r => [r.cells[0].innerText, clean(r.cells[at])]);
		const sum = name => (sums.find(s => s[0] === name) || ["", ""])[1];
		return {Rows: [...t.tBodies[0].rows].map(r => clean(r.cells[at])), Measured: sum("实测合计"), Substituted: sum("替代合计"), Total: sum("排放总量"), Sticky: getComputedStyle(t.tHead).position};
	})()`)
	number := func(s string) float64 {
		t.Helper()
		if s == "—" || s == "" {
			return 0
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("%q in %+v: %v", s, facts, err)
		}
		return v
	}
	sum := 0.0
	for _, r := range facts.Rows {
		sum += number(r)
	}
	// Every row is rounded to four digits, so the sum is off by half of that each.
	if slack := 0.00006 * float64(len(facts.Rows)+1); math.Abs(sum-number(facts.Measured)) > slack || number(facts.Measured) == 0 {
		t.Errorf("measured %s, the days shown give %.4f", facts.Measured, sum)
	}
	if got := number(facts.Measured) + number(facts.Substituted); math.Abs(got-number(facts.Total)) > 0.00011 {
		t.Errorf("total %s, its parts give %.4f", facts.Total, got)
	}
	if facts.Sticky != "sticky" {
		t.Errorf("the head of the table is %s", facts.Sticky)
	}
	table := func(format string) string {
		t.Helper()
		return eval[string](ctx, t, `fetch(location.pathname + ".`+format+`").then(r => r.arrayBuffer()).then(b => btoa(String.fromCharCode(...new Uint8Array(b))))`)
	}
	raw, err := base64.StdEncoding.DecodeString(table("csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := slices.IndexFunc(rows[0], func(s string) bool { return strings.HasSuffix(s, "_amount") })
	last := rows[len(rows)-1]
	if v := number(last[col]); last[0] != "total" || i18n.Number(v, 4) != facts.Total {
		t.Errorf("the CSV's %s of %s is %s, the page says %s", last[0], rows[0][col], last[col], facts.Total)
	}
	if raw, err = base64.StdEncoding.DecodeString(table("xlsx")); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	cell, err := excelize.CoordinatesToCellName(col+1, len(rows))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := book.GetCellValue("data", cell, excelize.Options{RawCellValue: true}); err != nil || i18n.Number(number(got), 4) != facts.Total {
		t.Errorf("the XLSX's total is %s, the page says %s, %v", got, facts.Total, err)
	}
	for address, most := range map[string]int{address: 2, strings.Replace(address, "/month/"+month, "/day/"+time.Now().In(hj212.Zone).AddDate(0, 0, -1).Format("2006-01-02"), 1): 2} {
		open(ctx, t, address)
		var pdf page.PrintToPDFResult
		if err := chromedp.Do(ctx, func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
			pdf, err = cdp.Call(ctx, target, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: new(true)})
			return v, err
		}); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(pdf.Data, []byte("/Type /Page\n")); n < 1 || n > most {
			t.Errorf("%s takes %d pages of paper, at most %d", address, n, most)
		}
		if m := regexp.MustCompile(`/MediaBox \[0 0 (\d+)\S* (\d+)`).FindSubmatch(pdf.Data); m == nil || string(m[1]) != "841" && string(m[1]) != "842" {
			t.Errorf("%s: the paper is not A4 landscape: %q", address, m)
		}
	}
}
