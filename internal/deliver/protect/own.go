package protect

import (
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/cover"
)

// NewOwn builds a list of own assets. entries must not be changed afterwards.
func NewOwn(name string, entries []indicator.Indicator) Own {
	s := &cover.Set{}
	for _, e := range entries {
		s.Add(e, name)
	}
	return Own{Name: name, Entries: entries, List: set{s}}
}

type set struct{ *cover.Set }

// Match implements List.
func (s set) Match(i indicator.Indicator) (string, bool) {
	e, ok := s.Covering(i)
	return e.Indicator.Value, ok
}

// Inside implements List.
func (s set) Inside(i indicator.Indicator) (string, bool) {
	e, ok := s.Set.Inside(i)
	return e.Indicator.Value, ok
}
