package http

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/sdk"
)

var _ sdk.Checker = (*source)(nil)

// Check looks at the way to the server and opens the body once, without reading it.
func (s *source) Check(ctx context.Context, report func(sdk.Check)) {
	defer s.client.CloseIdle()
	if !s.client.Examine(ctx, s.c.URL, report) {
		return
	}
	resp, err := s.client.Look(ctx, s.c.URL)
	if err != nil {
		report(sdk.FailedCheck("feed", err))
		return
	}
	_ = resp.Body.Close() // nothing of it was wanted
	kind := resp.Header.Get("Content-Type")
	if kind == "" {
		kind = "a body of no stated type"
	}
	report(sdk.Check{Name: "feed", State: sdk.CheckOK, Detail: fmt.Sprintf("the server gives %s", kind)})
}
