//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// openedCase is a case as the interface answers when it is opened.
type openedCase struct {
	Number string `json:"tracking_no"`
	Link   string `json:"link"`
}

// sampleCase is a case that the operator reported.
var sampleCase = sync.OnceValues(func() (c openedCase, err error) {
	req, err := http.NewRequest(http.MethodPost, demo.http+"/api/v1/cases", strings.NewReader(`{"kind": "river_case", "category": "bank_dump", "title": "岸边倾倒（示例）",
		"description": "大桥下游有建筑垃圾（示例）", "source": "inspection", "location": {"area": "540102", "point": {"lat": 29.65, "long": 91.1}, "address_text": "大桥（示例）"}}`))
	if err != nil {
		return c, err
	}
	req.Header.Set("Authorization", "Bearer "+demo.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	return c, json.NewDecoder(resp.Body).Decode(&c)
})

// casePlaces are addresses of that case.
func casePlaces(t *testing.T, pattern string) []string {
	t.Helper()
	c, err := sampleCase()
	if err != nil || c.Number == "" || c.Link == "" {
		t.Fatalf("no case: %+v, %v", c, err)
	}
	page := "/cases/" + c.Number
	switch pattern {
	case "/cases/new":
		return []string{pattern, pattern + "?kind=river_case&action=report"}
	case "/report/done":
		return []string{pattern + "?number=" + c.Number + "&key=" + c.Link}
	case "/cases/{number}/actions/{action}":
		return []string{page + "/actions/comment"}
	}
	return []string{strings.Replace(pattern, "/cases/{number}", page, 1)}
}
