package threatconnect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/sdk"
)

// TestQuestions: what is explained without a call, for the whole read and for changes.
func TestQuestions(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		want []sdk.Question
	}{
		"filters": {func(c *Config) { c.Owners, c.MinRating, c.Full = []string{"Demo Organization"}, 3, time.Second }, []sdk.Question{
			{When: "each time", Text: `ownerName IN ("Demo Organization") AND rating >= 3`},
		}},
		// E7 of the reference: the query in its parentheses, then the clause.
		"E7": {func(c *Config) { c.TQL, c.Window, c.Full = `typeName = "Host" or tag = "x"`, time.Hour, time.Second }, []sdk.Question{
			{When: "each time", Text: `(typeName = "Host" OR tag = "x") AND (lastModified >= "2026-11-22T05:00:00Z")`},
		}},
		"changes": {func(c *Config) { c.Types, c.ModifiedSince = []string{"Host"}, begin }, []sdk.Question{
			{When: "at first, each full_every and for each value that was touched", Text: `(typeName IN ("Host")) AND (lastModified >= "2026-11-22T06:00:00Z")`},
			{When: "else, to find what was touched", Text: `typeName IN ("Host") AND lastModified >= CURSOR`},
		}},
		"part of it here": {func(c *Config) { c.TQL, c.Full = `rating >= 3 and tlp <= "amber"`, time.Second }, []sdk.Question{
			{When: "each time", Text: `rating >= 3`, Here: `tlp <= "amber"`},
		}},
		"everything": {func(c *Config) { c.Full = time.Second }, []sdk.Question{{When: "each time"}}},
		"version 2": {func(c *Config) { c.API, c.MinRating, c.ModifiedSince = v2, 3, begin }, []sdk.Question{
			{When: "of version 2 of the API, by type and owner", Text: "modifiedSince=2026-11-22T06:00:00Z", Here: "rating >= 3"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := defaults()
			c.edit(&cfg)
			got := cfg.Questions(begin)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
