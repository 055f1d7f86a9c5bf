package app

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// QueryArgs are a query in TQL over one node's table, or over all that give
// something on.
type QueryArgs struct {
	TQL     string `json:"tql"`
	Node    string `json:"node"`
	Most    int    `json:"most"`
	Explain bool   `json:"explain"`
	// Now is what NOW() and TODAY() count from, the clock's time if zero.
	Now time.Time `json:"now,omitzero"`
}

// Env is what the query may know besides the records, by a clock.
func (a QueryArgs) Env(clock interface{ Now() time.Time }) *tql.Env {
	if !a.Now.IsZero() {
		return &tql.Env{Now: a.Now}
	}
	return &tql.Env{Now: clock.Now()}
}

// QueryRow is one record that matches.
type QueryRow struct {
	Node  string               `json:"node"`
	Kind  string               `json:"kind"`
	Value string               `json:"value"`
	Attrs indicator.Attributes `json:"attributes"`
}

// QueryView is the answer: how many match, and rows up to the limit.
type QueryView struct {
	Matches   int          `json:"matches"`
	Rows      []QueryRow   `json:"rows"`
	Explained *Explanation `json:"explained,omitempty"` // if asked for
}

// Query finds records by TQL.
func (a *App) Query(ctx context.Context, args QueryArgs) (QueryView, error) {
	v := QueryView{Rows: []QueryRow{}}
	f, err := tql.Compile(args.TQL, tql.Options{AllowExtra: true})
	if err != nil {
		return v, fmt.Errorf("the query: %w", err)
	}
	explain, err := Explain(f, false)
	if err != nil {
		return v, err
	}
	nodes, err := a.queried(args.Node)
	if err != nil {
		return v, err
	}
	env := args.Env(a.clock)
	for _, name := range nodes {
		err := a.engine.Desired(ctx, name, func(rec *indicator.Record) error {
			if args.Explain {
				explain.Add(name+" "+rec.Value, rec, env)
			}
			if f.Match(rec, env) != tql.True {
				return nil
			}
			v.Matches++
			if len(v.Rows) < args.Most {
				v.Rows = append(v.Rows, QueryRow{name, rec.Kind.String(), rec.Value, rec.Attrs.Clone()})
			}
			return nil
		})
		if err != nil {
			return v, fmt.Errorf("query node %s: %w", name, err)
		}
	}
	if args.Explain {
		v.Explained = &explain.Explanation
	}
	return v, nil
}

// queried are the nodes a query looks at: the one named, or every source and
// processor.
func (a *App) queried(name string) ([]string, error) {
	cfg, _ := a.inForce()
	if name != "" {
		if cfg.Nodes[name] == nil {
			return nil, fmt.Errorf("there is no node %q", name)
		}
		return []string{name}, nil
	}
	var names []string
	for _, n := range cfg.Order {
		if role := cfg.Nodes[n].ClassInfo.Role; role == sdk.RoleSource || role == sdk.RoleProcessor {
			names = append(names, n)
		}
	}
	return names, nil
}
