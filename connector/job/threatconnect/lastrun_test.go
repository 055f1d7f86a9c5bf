package threatconnect_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// ticking is the sandbox's clock.
type ticking struct{ *sandbox.Sandbox }

func (c ticking) Sleep(ctx context.Context, d time.Duration) error {
	c.Clock().Advance(d)
	return ctx.Err()
}

// TestFourCasesOfLastRun: what a job's source holds after its first run and after one
// two days later (reference §4.2). Before the first, "old" was modified 40 days ago and
// "edge" 29, so that it leaves a window of 30 days meanwhile; "old" is rated in between
// in the last column.
func TestFourCasesOfLastRun(t *testing.T) {
	t.Parallel()
	const mde = `, target_product: Microsoft Defender for Endpoint`
	v20 := `mode: "2.0", to: [ms], action_to_take: Block, owners: [ACME]` + mde
	for name, test := range map[string]struct{ config, first, later, touched string }{
		"3.0 blank, unchecked":             {to30, "edge new old", "edge new old", "edge new old"},
		"3.0 days, unchecked":              {to30 + `, last_run: 30`, "edge new", "new", "new old"},
		"3.0 days, unchecked, it ages":     {to30 + `, last_run: 30, renew: on_change`, "edge new", "edge new", "edge new old"},
		"3.0 time, unchecked":              {to30 + `, last_run: 2025-12-11`, "edge new", "edge new", "edge new old"},
		"3.0 days, checked":                {to30 + `, last_run: 30, only_modified_since_last_run: true`, "edge new", "edge new", "edge new old"},
		"2.0 blank, unchecked":             {v20, "edge new old", "edge new old", "edge new old"},
		"2.0 days, unchecked: no Last Run": {v20 + `, last_run: 30`, "edge new old", "edge new old", "edge new old"},
		"2.0 days, checked":                {v20 + `, last_run: 30 days ago, only_modified_since_last_run: true`, "edge new", "edge new", "edge new old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRuns(t, test.config)
			ids := r.seed(map[string]time.Duration{"old": 40 * 24 * time.Hour, "edge": 29 * 24 * time.Hour, "new": time.Hour})
			r.want("first run", test.first)
			r.sb.Clock().Advance(48 * time.Hour)
			r.want("two days later", test.later)
			if err := r.sb.EditThreatConnect(ids["old"], func(i *sandbox.TCIndicator) { i.Rating = ptr(4.0) }); err != nil {
				t.Fatal(err)
			}
			r.sb.Clock().Advance(time.Hour)
			r.want("once it is rated", test.touched)
		})
	}
}

// runs polls the source of a job, as its runs do.
type runs struct {
	t     *testing.T
	sb    *sandbox.Sandbox
	src   sdk.Source
	state []byte
	held  []string
}

func newRuns(t *testing.T, config string) *runs {
	t.Helper()
	sb, err := sandbox.Start(t.Context(), sandbox.Options{Start: runAt, Frozen: true, Dir: t.TempDir(), ThreatConnect: sandbox.ThreatConnect{
		Size: -1, Owners: []sandbox.TCOwner{{ID: 5, Name: "ACME", Type: "Organization", Permission: "Full"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	return &runs{t: t, sb: sb, src: buildAt(t, load(t, sb, config), "job.source", "tc", ticking{sb}).(sdk.Source)}
}

// seed adds hosts that were modified so long ago, and returns their ids.
func (r *runs) seed(hosts map[string]time.Duration) map[string]int64 {
	r.t.Helper()
	ids := map[string]int64{}
	for name, ago := range hosts {
		got, err := r.sb.SeedThreatConnect(sandbox.TCIndicator{Type: "Host", Owner: "ACME", Summary: name + ".evil.com", Modified: runAt.Add(-ago)})
		if err != nil {
			r.t.Fatal(err)
		}
		ids[name] = got[0]
	}
	return ids
}

// want polls and compares what the source then holds.
func (r *runs) want(when, want string) {
	r.t.Helper()
	var sink sdktest.RecordingSink
	p, err := r.src.Poll(r.t.Context(), r.state, &sink)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.state = p.Next; p.Shape == sdk.Snapshot {
		r.held = nil
	}
	for _, rec := range sink.Added() {
		r.held = append(r.held, strings.TrimSuffix(rec.Value, ".evil.com"))
	}
	slices.Sort(r.held)
	r.held = slices.Compact(r.held)
	if got := strings.Join(r.held, " "); got != want {
		r.t.Errorf("%s: %q, want %q", when, got, want)
	}
}
