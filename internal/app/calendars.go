package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"plateau/calendars"
	"plateau/internal/platform/calendar"
)

// CalendarsDir is the folder of an installation's own calendars in the data folder.
const CalendarsDir = "calendars"

// builtIn is what lists call the calendars of the program.
const builtIn = "built in"

// loadCalendars reads the calendars of working days: those of the program, and over
// them those of the data folder.
func loadCalendars(data string) (*calendar.Set, error) {
	dir := filepath.Join(data, CalendarsDir)
	s, err := calendar.Load(calendar.Layer{Files: calendars.Files, Name: builtIn}, calendar.Layer{Files: os.DirFS(dir), Name: dir})
	if err != nil {
		return nil, fmt.Errorf("calendars of working days (docs/calendars.md):\n%w", err)
	}
	return s, nil
}

// tellStrayCalendars warns of calendars of the data folder that count for no area.
func (a *App) tellStrayCalendars(ctx context.Context) {
	for _, e := range a.workdays.Entries() {
		if e.Layer != builtIn && e.Code != calendar.National && len(a.registry.Snapshot().Versions(e.Code)) == 0 {
			a.log.WarnContext(ctx, "the calendar is of an area that the registry does not know", slog.String("area", e.Code), slog.String("folder", e.Layer))
		}
	}
}

// CalendarInfo tells of a calendar in force.
type CalendarInfo struct {
	Area              string // code, or calendar.National
	Complete, Partial []int  // years
	Off, Work         int    // days the file names
	Hours             string // office hours
	From              string // the folder of its file, or "built in"
}

func calendarInfos(s *calendar.Set) []CalendarInfo {
	var out []CalendarInfo
	for _, e := range s.Entries() {
		i := CalendarInfo{Area: e.Code, Hours: e.Calendar.Hours().String(), From: e.Layer}
		i.Complete, i.Partial = e.Calendar.Years()
		i.Off, i.Work = e.Calendar.Counts()
		out = append(out, i)
	}
	return out
}

func (a *App) orderCalendars(context.Context, url.Values, func(done, total int64)) (any, error) {
	return calendarInfos(a.workdays), nil
}

// Calendars lists the calendars in force: those that the running server loaded at
// its start, or, when there is none, those that the next one will. Of o it takes
// the configuration.
func Calendars(ctx context.Context, o Options) (list []CalendarInfo, err error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.Data); err != nil {
		return nil, fmt.Errorf("the data folder: %w", err)
	}
	if err := command(ctx, c.Data, "calendars", nil, &list, nil); !errors.Is(err, errNoServer) {
		return list, err
	}
	s, err := loadCalendars(c.Data)
	if err != nil {
		return nil, err
	}
	return calendarInfos(s), nil
}
