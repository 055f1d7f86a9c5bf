package threatconnect

import (
	"time"

	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

var _ sdk.Asking = (*Config)(nil)

// Questions are the queries of a poll at now, as an instance is asked that has what the
// documentation lists.
func (c *Config) Questions(now time.Time) []sdk.Question {
	since := c.start(now)
	if c.API == v2 {
		q := sdk.Question{When: "of version 2 of the API, by type and owner", Here: c.wanted()}
		if !since.IsZero() {
			q.Text = "modifiedSince=" + since.UTC().Format(time.RFC3339)
		}
		return []sdk.Question{q}
	}
	whole := sdk.Question{When: "each time", Text: c.wanted()}
	if f, err := tql.Compile(c.wanted(), tql.Options{Schema: tql.V3Indicators, Server: tql.AnyServer}); err == nil {
		if split, err := f.Push(tql.AnyServer); err == nil {
			if whole.Text = split.Server; split.Local != nil {
				whole.Here = split.Local.String()
			}
		}
	}
	whole.Text = and(whole.Text, modifiedSince(since))
	if c.Full <= time.Second {
		return []sdk.Question{whole}
	}
	whole.When = "at first, each full_every and for each value that was touched"
	touched := "lastModified >= CURSOR"
	if scope := c.scope(); scope != "" {
		touched = scope + " AND " + touched
	}
	return []sdk.Question{whole, {When: "else, to find what was touched", Text: touched}}
}
