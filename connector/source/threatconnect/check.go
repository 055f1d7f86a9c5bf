package threatconnect

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/sdk"
)

var _ sdk.Checker = (*source)(nil)

// Check looks at the way to the instance, whether the API user may read the owners that
// are asked for, and how many indicators the whole query finds.
func (s *source) Check(ctx context.Context, report func(sdk.Check)) {
	defer s.http.CloseIdle()
	if !s.http.Examine(ctx, s.conn.URL, report) {
		return
	}
	once := &source{c: s.c, env: s.env, conn: s.conn, http: s.http,
		client: threatconnect.New(threatconnect.Options{Connection: *s.conn, HTTP: s.http, Clock: s.env.Clock, Log: s.env.Log, Once: true})}
	owners, err := once.owners(ctx)
	if err != nil {
		report(sdk.FailedCheck("owners", err))
		report(sdk.Check{Name: "query", State: sdk.CheckSkipped, Detail: "not asked without the owners"})
		return
	}
	report(sdk.Check{Name: "owners", State: sdk.CheckOK, Detail: fmt.Sprintf("%d to read: %s", len(owners), listed(owners))})
	report(once.checkQuery(ctx))
}

// checkQuery counts what the whole query finds; what only Remeld can look at is not
// asked, so that it may find less.
func (s *source) checkQuery(ctx context.Context) sdk.Check {
	if s.c.API == v2 {
		return sdk.Check{Name: "query", State: sdk.CheckSkipped, Detail: "version 2 of the API counts nothing"}
	}
	wanted, err := s.cutOf(ctx, s.c.wanted())
	if err != nil {
		return sdk.FailedCheck("query", explain(err))
	}
	n, err := s.client.Count(ctx, and(wanted.server, modifiedSince(s.c.start(s.env.Clock.Now()))))
	if err != nil {
		return sdk.FailedCheck("query", explain(err))
	}
	c := sdk.Check{Name: "query", State: sdk.CheckOK, Detail: fmt.Sprintf("finds %d indicators", n)}
	if n == 0 {
		c.State, c.Fix = sdk.CheckWarning, "nothing would be read: loosen tql or the filters of the node"
	}
	return c
}
