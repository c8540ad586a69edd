//go:build e2e

package e2e

import (
	"time"

	"plateau/hj212"
)

// reportPlaces are the reports that the walk over all pages opens.
func reportPlaces(outlet string) []string {
	today := time.Now().In(hj212.Zone)
	day := today.AddDate(0, 0, -1).Format("2006-01-02")
	return []string{"/reports/outlet/" + outlet + "/day/" + day}
}
