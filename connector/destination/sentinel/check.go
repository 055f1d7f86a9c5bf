package sentinel

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/sdk"
)

var _ sdk.Checker = (*target)(nil)

// Check looks at the way to the upload API, the token, and whether the workspace can be
// read and written. A token tells no Azure role, so that only calls tell. It writes
// nothing: the probe of writing is an upload of no object.
func (t *target) Check(ctx context.Context, report func(sdk.Check)) {
	if !t.http.Examine(ctx, t.base, report) {
		return
	}
	if !entra.CheckToken(ctx, t.tokens, t.conn.ManagementScope(), nil, report) {
		return
	}
	t.checkWriting(ctx, report)
	t.checkReading(ctx, report)
}

func (t *target) checkWriting(ctx context.Context, report func(sdk.Check)) {
	body, err := t.api.Body(t.config.SourceSystem, nil)
	if err == nil {
		_, _, err = t.uploads.Upload(ctx, body)
	}
	switch {
	case err == nil || sdk.FailureOf(err) == sdk.Refused:
		report(sdk.Check{Name: "writing", State: sdk.CheckOK, Detail: "allowed (an empty upload was let in)"})
	case sdk.FailureOf(err) == sdk.Throttled:
		report(sdk.Check{Name: "writing", State: sdk.CheckSkipped, Detail: "the workspace is busy: " + err.Error()})
	default:
		report(sdk.FailedCheck("writing", err))
	}
}

// checkReading queries the workspace, where its place is known.
func (t *target) checkReading(ctx context.Context, report func(sdk.Check)) {
	if t.manager == nil {
		report(sdk.Check{Name: "reading", State: sdk.CheckWarning, Detail: "the workspace's place is not configured", Fix: t.Info().Blind})
		return
	}
	c := sdk.Check{Name: "reading", Marks: map[string]int{}}
	listing, err := t.List(ctx, func(context.Context, sdk.OpName) error { return nil }, func(r sdk.Remote) error {
		if r.Mark != "" && !r.Withdrawn {
			c.Marks[r.Mark]++
		}
		return nil
	})
	if err != nil {
		report(sdk.FailedCheck("reading", err))
		return
	}
	c.State, c.Detail = sdk.CheckOK, fmt.Sprintf("%d indicators of %s, %d of them made by remeld", listing.Count, t.config.SourceSystem, c.Marked())
	report(c)
}
