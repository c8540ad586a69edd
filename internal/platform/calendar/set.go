package calendar

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// National is the code of the calendar that counts where no area has its own.
const National = "national"

// maxLevels is how many areas For goes up at most; the tree has six levels.
const maxLevels = 16

// ErrName is wrapped by the error about a calendar file whose name is no code.
var ErrName = errors.New("not the name of a calendar")

var fileName = regexp.MustCompile(`^(national|[0-9]{6}([0-9]{3}){0,3})\.csv$`) // codes as those of the registry

// Layer is a folder of calendar files CODE.csv.
type Layer struct {
	Files fs.FS
	Name  string // what errors and lists call the folder
}

// Entry is a calendar in force.
type Entry struct {
	Code     string // of the area, or National
	Calendar *Calendar
	Layer    string // name of the layer it comes from
}

// Set is the calendars of areas. It does not change.
type Set struct{ entries map[string]Entry }

// Load reads the calendars of layers; a file takes the place of one with the same
// name in an earlier layer, as a whole. A layer whose folder is not there has
// none; hidden files and those of other endings are passed over. It names the
// faults of all files at once, and fails when there is no national calendar.
func Load(layers ...Layer) (*Set, error) {
	s := &Set{entries: map[string]Entry{}}
	var faults []error
	for _, l := range layers {
		files, err := fs.ReadDir(l.Files, ".")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("calendars of %s: %w", l.Name, err)
		}
		for _, f := range files {
			if strings.HasPrefix(f.Name(), ".") || !strings.EqualFold(path.Ext(f.Name()), ".csv") {
				continue
			}
			if err := s.read(l, f.Name()); err != nil {
				faults = append(faults, err)
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if _, ok := s.entries[National]; !ok {
		return nil, errors.New("there is no national calendar; add national.csv")
	}
	return s, nil
}

func (s *Set) read(l Layer, name string) error {
	full := path.Join(l.Name, name)
	if !fileName.MatchString(name) {
		return fmt.Errorf("%s: %w; call it CODE.csv with the code of an area, or national.csv", full, ErrName)
	}
	f, err := l.Files.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	c, err := Parse(full, f)
	if err != nil {
		return err
	}
	code := strings.TrimSuffix(name, ".csv")
	s.entries[code] = Entry{Code: code, Calendar: c, Layer: l.Name}
	return nil
}

// For returns the calendar of an area: its own, or that of the nearest area above
// that has one, or else the national one; code says whose it is. up gives the
// area above one; ok is false at the top and for an area that is not known.
func (s *Set) For(area string, up func(code string) (parent string, ok bool)) (c *Calendar, code string) {
	for range maxLevels {
		if e, found := s.entries[area]; found {
			return e.Calendar, area
		}
		var ok bool
		if area, ok = up(area); !ok {
			break
		}
	}
	return s.entries[National].Calendar, National
}

// Entries lists the calendars by code; the national one comes first.
func (s *Set) Entries() []Entry {
	return slices.SortedFunc(maps.Values(s.entries), func(a, b Entry) int {
		if a.Code == National || b.Code == National {
			return strings.Compare(b.Code, a.Code)
		}
		return strings.Compare(a.Code, b.Code)
	})
}
