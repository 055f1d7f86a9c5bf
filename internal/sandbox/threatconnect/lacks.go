package threatconnect

import (
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/tql"
)

// keywords are the query parameters the instance has.
func (s *Service) keywords() []tql.Keyword {
	return slices.DeleteFunc(tql.V3Indicators.Keywords(), func(k tql.Keyword) bool {
		return slices.ContainsFunc(s.c.Lacks, func(name string) bool { return strings.EqualFold(name, k.Keyword) })
	})
}

// lacking is a condition of a query with a parameter that the instance does not have, ""
// if there is none.
func (s *Service) lacking(f *filter) string {
	if f.match == nil || len(s.c.Lacks) == 0 {
		return ""
	}
	usual, err := f.match.Push(tql.AnyServer)
	if err != nil {
		return ""
	}
	here, err := f.match.Push(tql.ServerOf(s.keywords()))
	if err != nil {
		return err.Error()
	}
	for _, kept := range here.Kept {
		if !slices.Contains(usual.Kept, kept) {
			return kept
		}
	}
	return ""
}
