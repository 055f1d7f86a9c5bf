package threatconnect

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// cut is a condition in two: what the instance answers and what is looked at here.
type cut struct {
	server string      // the query to send, "" for everything active
	local  *tql.Filter // must be true of an answer as well; nil for nothing
	notes  []string
}

// fields are the parts that a listing has to carry.
func (c *cut) fields() []string {
	out := slices.Clone(threatconnect.Fields)
	if c.local == nil {
		return out
	}
	for _, f := range c.local.Fields() {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// match is the local part over objects as they came; nil where there is none.
func (c *cut) match(now func() time.Time) func(raw []byte) (bool, error) {
	if c.local == nil {
		return nil
	}
	env := &tql.Env{Now: now()}
	return func(raw []byte) (bool, error) {
		o, err := tql.DecodeObject(raw)
		if err != nil {
			return false, fmt.Errorf("read an indicator for the query: %w", err)
		}
		return c.local.MatchAny(o, env) == tql.True, nil
	}
}

// cutOf cuts a condition by what this instance has. One with a name that neither we
// nor its own list know goes as it is: the instance has the last word on what is right.
func (s *source) cutOf(ctx context.Context, condition string) (cut, error) {
	if condition == "" {
		return cut{}, nil
	}
	if s.c.API == v2 {
		return localCut(condition)
	}
	server := s.asked.server(ctx, s)
	f, err := tql.Compile(condition, tql.Options{Schema: tql.V3Indicators, Server: server})
	if err != nil {
		return cut{server: condition}, nil //nolint:nilerr // see above; what the instance refuses is said with its words
	}
	split, err := f.Push(server)
	if err != nil {
		return cut{}, &sdk.Error{Failure: sdk.Permanent, Message: "the query cannot be answered", Err: err}
	}
	c := cut{server: split.Server, local: split.Local}
	if usual, err := f.Push(tql.AnyServer); err == nil {
		for _, kept := range split.Kept {
			if !slices.Contains(usual.Kept, kept) {
				c.notes = append(c.notes, "this instance of ThreatConnect cannot be asked for "+kept+": the condition is looked at here, so more is read than kept")
			}
		}
	}
	return c, nil
}

// asked is what the instance said it can be asked for.
type asked struct {
	mu   sync.Mutex
	is   *tql.Server
	from time.Time
}

// server asks the instance once a day, as it may be brought up to date. One that does
// not say is taken for one that has what the documentation lists.
func (a *asked) server(ctx context.Context, s *source) *tql.Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := s.env.Clock.Now(); a.is == nil || now.Sub(a.from) >= askAgain {
		var server *tql.Server
		answer, err := s.client.Options(ctx, "tql")
		if err == nil {
			server, err = tql.ParseServer(answer)
		}
		if err != nil {
			s.env.Log.Debug("ThreatConnect does not say what it can be asked for", "err", err)
			server = tql.AnyServer
			switch sdk.FailureOf(err) {
			case sdk.Missing, sdk.Refused, sdk.Permanent: // it does not know the question
			default:
				return server // it may answer the next time
			}
		}
		a.is, a.from = server, now
	}
	return a.is
}

const askAgain = 24 * time.Hour
