//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// sampleCase is a case that the operator reported, by its number.
var sampleCase = sync.OnceValues(func() (string, error) {
	req, err := http.NewRequest(http.MethodPost, demo.http+"/api/v1/cases", strings.NewReader(`{"kind": "river_case", "category": "bank_dump", "title": "岸边倾倒（示例）",
		"description": "大桥下游有建筑垃圾（示例）", "source": "inspection", "location": {"area": "540102", "point": {"lat": 29.65, "long": 91.1}, "address_text": "大桥（示例）"}}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+demo.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var c struct {
		Number string `json:"tracking_no"`
	}
	return c.Number, json.NewDecoder(resp.Body).Decode(&c)
})

// casePlace is the page of that case.
func casePlace(t *testing.T) string {
	t.Helper()
	number, err := sampleCase()
	if err != nil || number == "" {
		t.Fatalf("no case: %q, %v", number, err)
	}
	return "/cases/" + number
}
