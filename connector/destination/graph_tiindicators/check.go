package graphti

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/sdk"
)

var _ sdk.Checker = (*target)(nil)

// permission lets an app write indicators and see those it wrote.
const permission = "ThreatIndicators.ReadWrite.OwnedBy"

// Check looks at the way to Graph, the token and its permission, and whether indicators
// can be read. The permission is that of writing as well; nothing is written.
func (t *target) Check(ctx context.Context, report func(sdk.Check)) {
	if !t.http.Examine(ctx, t.conn.GraphURL(), report) {
		return
	}
	if !entra.CheckToken(ctx, t.tokens, t.conn.GraphScope(), []string{permission}, report) {
		report(sdk.Check{Name: "reading", State: sdk.CheckSkipped, Detail: "not tried without the permission"})
		return
	}
	c := sdk.Check{Name: "reading", Marks: map[string]int{}}
	listing, err := t.List(ctx, func(context.Context, sdk.OpName) error { return nil }, func(r sdk.Remote) error {
		if r.Mark != "" {
			c.Marks[r.Mark]++
		}
		return nil
	})
	if err != nil {
		report(sdk.FailedCheck("reading", err))
		return
	}
	c.State, c.Detail = sdk.CheckOK, fmt.Sprintf("%d indicators of this app for %s, %d of them made by remeld", listing.Count, t.config.Product, c.Marked())
	report(c)
}
