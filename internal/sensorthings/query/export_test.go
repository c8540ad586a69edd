package query

import (
	"time"

	"plateau/internal/sensorthings"
)

// ParseFilter compiles a decoded $filter alone. The error is an *Error.
func ParseFilter(set sensorthings.Set, text string, now time.Time) (*Filter, error) {
	f, err := parseFilter(set, text, now)
	if err != nil {
		return nil, within("$filter", 0, err)
	}
	return f, nil
}
