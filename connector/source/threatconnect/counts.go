package threatconnect

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/sdk"
)

var (
	_ sdk.Counter  = (*source)(nil)
	_ sdk.Cursored = (*source)(nil)
)

// Counts asks the instance how many indicators each filter leaves, one after the
// other, for a preview.
func (s *source) Counts(ctx context.Context) ([]sdk.Left, error) {
	if s.c.API == v2 {
		return nil, &sdk.Error{Failure: sdk.Permanent, Message: "version 2 of ThreatConnect's API counts nothing"}
	}
	var out []sdk.Left
	query := ""
	for _, clause := range s.clauses() {
		asked, err := s.cutOf(ctx, clause.tql)
		if err != nil {
			return nil, err
		}
		if query = and(query, asked.server); asked.local != nil {
			clause.name += " (the part that ThreatConnect can be asked for)"
		}
		n, err := s.client.Count(ctx, query)
		if err != nil {
			return nil, explain(err)
		}
		out = append(out, sdk.Left{Condition: clause.name, Items: n})
	}
	return out, nil
}

type clause struct{ name, tql string }

// clauses are the conditions of a whole read by their names.
func (s *source) clauses() []clause {
	c := &s.c
	all := []clause{{"active", ""}}
	add := func(name, tql string) {
		if tql != "" {
			all = append(all, clause{name, tql})
		}
	}
	if add("tql", c.TQL); c.TQL == "" {
		add("owners", list("ownerName", c.Owners))
		add("indicator_types", list("typeName", c.types()))
		add("tags_filter", c.tagged())
		add("minimum_threatassess_score", least("threatAssessScore", float64(c.MinThreat)))
		add("minimum_confidence_rating", least("confidence", float64(c.MinConfidence)))
		add("minimum_threat_rating", least("rating", c.MinRating))
		add("false_positive_threshold", c.reported())
	}
	add("modified since", modifiedSince(s.c.start(s.env.Clock.Now())))
	return all
}

// tagged asks for one of the tags; summary, unlike name, does not mind the letters'
// case.
func (c *Config) tagged() string {
	if len(c.Tags) == 0 {
		return ""
	}
	return "hasTag(" + list("summary", c.Tags) + ")"
}

func (c *Config) reported() string {
	if c.FalsePositives == nil {
		return ""
	}
	return "falsePositiveCount <= " + strconv.Itoa(*c.FalsePositives)
}

// Cursor is the time from which the next poll reads changes.
func (s *source) Cursor(data []byte) (time.Time, bool) {
	st, ok := s.previous(data)
	return st.Cursor, ok
}

// WithCursor makes the next poll read what was modified since at.
func (s *source) WithCursor(data []byte, at time.Time) ([]byte, error) {
	st, ok := s.previous(data)
	if !ok {
		return nil, &sdk.Error{Failure: sdk.Permanent, Message: "nothing was read yet, so there is no cursor; say where to begin in the configuration (" + strings.Join([]string{"modified_within", "modified_since", "last_run"}, ", ") + ")"}
	}
	st.Cursor = at.UTC()
	if !st.First.IsZero() && at.Before(st.First) {
		st.First = at.UTC()
	}
	return json.Marshal(st)
}
