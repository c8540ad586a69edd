package keeping

import (
	"slices"
	"time"
)

// Sample is what was taken at an instant.
type Sample struct {
	At    int64 // Unix seconds
	Bytes int64
}

const (
	fitSpan  = 28 * 24 * time.Hour // samples older than it do not count
	fitLeast = 24 * time.Hour      // a shorter span tells nothing
)

// Growth returns the bytes a day by which samples (in order of time) grow: the
// median of the slopes between all pairs (Theil–Sen), so that a report deleted,
// groups sealed, or the tree tidied up do not bend it. ok is false while they
// span less than a day.
func Growth(samples []Sample) (perDay float64, ok bool) {
	if len(samples) == 0 {
		return 0, false
	}
	last := samples[len(samples)-1].At
	for len(samples) > 0 && last-samples[0].At > int64(fitSpan/time.Second) {
		samples = samples[1:]
	}
	if last-samples[0].At < int64(fitLeast/time.Second) {
		return 0, false
	}
	var slopes []float64
	for i := range samples {
		for j := i + 1; j < len(samples); j++ {
			if dt := samples[j].At - samples[i].At; dt >= 3600*6 || len(samples) < 8 && dt > 0 {
				slopes = append(slopes, float64(samples[j].Bytes-samples[i].Bytes)/float64(dt)*86400)
			}
		}
	}
	if len(slopes) == 0 {
		return 0, false
	}
	slices.Sort(slopes)
	n := len(slopes)
	return (slopes[(n-1)/2] + slopes[n/2]) / 2, true
}

// DaysLeft returns after how many days free bytes are used up; ok is false when
// they never are, or not within a hundred years.
func DaysLeft(free int64, perDay float64) (days float64, ok bool) {
	if perDay <= 0 {
		return 0, false
	}
	days = float64(free) / perDay
	return days, days < 36525
}
