package threatconnect

import (
	"context"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// localCut leaves a whole condition to be looked at here: version 2 has no query
// language.
func localCut(condition string) (cut, error) {
	f, err := tql.Compile(condition, tql.Options{Schema: tql.V3Indicators})
	if err != nil {
		return cut{}, &sdk.Error{Failure: sdk.Permanent, Message: "the query cannot be evaluated here, and version 2 of ThreatConnect's API has no queries", Err: err}
	}
	return cut{local: f}, nil
}

// branches reads everything by version 2 of the API: each kind of indicators of each
// owner is a listing of its own.
func (p *poll) branches(ctx context.Context, owners []string, since time.Time) error {
	c := &p.source.c
	all, err := p.source.client.BranchesV2(ctx)
	if err != nil {
		return err
	}
	match := p.wanted.match(p.source.now)
	types := c.types()
	for _, branch := range all {
		if len(types) > 0 && c.TQL == "" && !slices.Contains(types, branch.Type) {
			continue
		}
		for _, owner := range owners {
			q := threatconnect.QueryV2{Owner: owner, Branch: branch, Since: since, Page: c.Page, Match: match}
			if err := p.source.client.IndicatorsV2(ctx, q, p.tell(ctx), p.add); err != nil {
				return err
			}
		}
	}
	return nil
}
