package defender

import (
	"context"
	"fmt"
	"strings"

	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/sdk"
)

var _ sdk.Checker = (*target)(nil)

// permissions are the application permissions that let an app write indicators, the
// one to ask for first: without All an app sees only its own rows.
var permissions = []string{"Ti.ReadWrite.All", "Ti.ReadWrite"}

// Check looks at the way to the API, the token and its permissions, whether indicators
// can be read and written, and how many slots are left. It writes nothing: the probe
// of writing is an import of no indicator.
func (t *target) Check(ctx context.Context, report func(sdk.Check)) {
	if !t.http.Examine(ctx, t.conn.DefenderURL(), report) {
		return
	}
	if !entra.CheckToken(ctx, t.tokens, t.conn.DefenderScope(), permissions, report) {
		report(sdk.Check{Name: "reading", State: sdk.CheckSkipped, Detail: "not tried without the permission"})
		return
	}
	if t.checkReading(ctx, report) {
		t.checkWriting(ctx, report)
	}
}

// checkReading lists the tenant, which tells the free slots as well.
func (t *target) checkReading(ctx context.Context, report func(sdk.Check)) bool {
	c := sdk.Check{Name: "reading", Marks: map[string]int{}}
	listing, err := t.List(ctx, func(context.Context, sdk.OpName) error { return nil }, func(r sdk.Remote) error {
		if r.Mark != "" && strings.EqualFold(r.App, t.conn.ClientID) {
			c.Marks[r.Mark]++
		}
		return nil
	})
	if err != nil {
		report(sdk.FailedCheck("reading", err))
		return false
	}
	c.State, c.Detail = sdk.CheckOK, fmt.Sprintf("%d indicators, %d of them made by remeld", listing.Count, c.Marked())
	report(c)
	report(t.slots(listing))
	if n := t.dropped.Load(); n > 0 {
		report(sdk.Check{Name: "techniques", State: sdk.CheckWarning, Detail: fmt.Sprintf("%d indicators came back without the techniques they were sent with", n), Fix: droppedHelp})
	}
	if len(t.groups) > 0 {
		report(sdk.Check{Name: "device groups", State: sdk.CheckOK, Detail: "known: " + strings.Join(t.groups, ", ")})
	}
	return true
}

func (t *target) slots(listing sdk.Listing) sdk.Check {
	free := t.config.Capacity - listing.Count
	c := sdk.Check{Name: "free slots", State: sdk.CheckOK, Detail: fmt.Sprintf("%d of %d, %d of them reserved", free, t.config.Capacity, t.config.Reserve)}
	switch {
	case listing.OwnOnly:
		c.State, c.Detail = sdk.CheckWarning, "unknown: the app sees only its own indicators"
		c.Fix = "grant Ti.ReadWrite.All of WindowsDefenderATP in place of Ti.ReadWrite"
	case free <= t.config.Reserve:
		c.State = sdk.CheckWarning
		c.Fix = "delete indicators nobody needs under Settings > Endpoints > Indicators in the Defender portal; what does not fit is held with the reason quota"
	}
	return c
}

// checkWriting sends an import of no indicator: the service looks at the permission
// first and then refuses the empty list. Nothing can be written by it.
func (t *target) checkWriting(ctx context.Context, report func(sdk.Check)) {
	_, _, err := t.client.Import(ctx, []byte(`{"Indicators":[]}`))
	switch {
	case err == nil || sdk.FailureOf(err) == sdk.Refused:
		report(sdk.Check{Name: "writing", State: sdk.CheckOK, Detail: "allowed (an empty import was let in)"})
	case sdk.FailureOf(err) == sdk.Throttled:
		report(sdk.Check{Name: "writing", State: sdk.CheckSkipped, Detail: "the tenant is busy: " + err.Error()})
	default:
		report(sdk.FailedCheck("writing", err))
	}
}
