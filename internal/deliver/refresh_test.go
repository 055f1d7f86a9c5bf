package deliver

import (
	"context"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// A protected list that was read a moment before a plan, or between a plan and its
// apply, counts: delivery asks for the lists and does not wait to be told.
func TestD7_ListsAreCurrentWhenDecided(t *testing.T) {
	r := newRig(t, 100)
	var own []indicator.Indicator
	r.m.deps.Refresh = func(ctx context.Context) error {
		dests := append([]Destination(nil), r.dests...)
		dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("ours", own)}}
		return r.m.Configure(ctx, dests)
	}
	r.want("def", "one.evil.com", 90)
	r.want("def", "two.evil.com", 90)
	own = []indicator.Indicator{ind("one.evil.com")}
	p := r.plan()
	if p.Reasons[reason.Protected.With("ours")] != 1 || p.Actions[Create] != 1 {
		t.Fatalf("planned %v, held %v", p.Actions, p.Reasons)
	}
	own = append(own, ind("two.evil.com"))
	if res, err := r.m.Apply(t.Context(), p, ApplyOptions{By: "test"}); err != nil || len(res.Skipped) != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	if n := len(r.tenant.live()); n != 0 {
		t.Errorf("%d live: %v", n, r.tenant.names())
	}
}
