package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/remeld/remeld/connector/destination/defender"
	"github.com/remeld/remeld/connector/destination/sentinel"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

const (
	// latency is how long every call of a door takes, on the sandbox's clock.
	latency = 100 * time.Millisecond
	// slack is how much longer than the perfect sender a first load may take.
	slack = 1.02
)

// door is one of Microsoft's destinations and its published ceiling.
type door struct {
	class            string
	size             func(sizes) int
	batch, perMinute int
	listing          int // calls that list an empty tenant
	configure        func(config any)
}

var doors = []door{
	{"defender", func(z sizes) int { return z.defender }, 500, 30, 1, func(c any) {
		cfg := c.(*defender.Config)
		cfg.Action, cfg.Capacity = "audit", raised
	}},
	{"sentinel", func(z sizes) int { return z.sentinel }, 100, 100, 2, func(c any) {
		cfg := c.(*sentinel.Config)
		cfg.Workspace, cfg.Subscription = sandbox.DemoWorkspace, sandbox.DemoSubscription
		cfg.ResourceGroup, cfg.WorkspaceName = sandbox.DemoGroup, sandbox.DemoWorkspaceName
	}},
	{"graph_tiindicators", func(z sizes) int { return z.graph }, 100, 1000, 1, func(any) {}},
}

// doorNames are what -only calls them.
func doorNames() []string {
	var out []string
	for i := range doors {
		out = append(out, "doors/"+doors[i].class)
	}
	return out
}

// raised is the capacity of a Defender tenant that Microsoft raised.
const raised = 100_000

// least is how long a perfect sender takes for n objects: it lists, page after page,
// then makes every call the moment the published sliding window lets it, as many beside
// each other as that is, and waits for the last answer.
func (d *door) least(n int) time.Duration {
	calls := (n + d.batch - 1) / d.batch
	full := (calls - 1) / d.perMinute // windows before the last call's
	return time.Duration(d.listing)*latency + time.Duration(full)*time.Minute + latency
}

func benchDoors(ctx context.Context, s *session) ([]row, error) {
	var rows []row
	for i := range doors {
		d := &doors[i]
		if !s.wants("doors", d.class) {
			continue
		}
		n := d.size(s.size)
		dir := filepath.Join(s.dir, "doors")
		got, err := s.child(ctx, job{Measure: "doors", Dir: dir, Size: n, Other: d.class})
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			return nil, err
		}
		took, least := got.Values["took"], d.least(n).Seconds()
		r := row{
			line: "g", what: fmt.Sprintf("%d indicators into %s at its published ceiling (simulated clock)", n, d.class),
			ours: seconds(took), rival: seconds(least), ratio: fmt.Sprintf("%.3f", took/least), limit: ratio(slack), verdict: verdict(took <= slack*least),
			notes: fmt.Sprintf("%.0f calls that write, %.0f answered 429; wall %s", got.Values["calls"], got.Values["throttled"], seconds(got.Wall)),
		}
		if got.Values["throttled"] > 0 {
			r.verdict = missed
		}
		fmt.Fprintf(os.Stderr, "  doors: %s: %s of %s, %s\n", d.class, r.ours, r.rival, r.notes)
		rows = append(rows, r)
	}
	return rows, nil
}

// childDoors fills an empty tenant on a clock that stands still until everybody waits
// for it.
func childDoors(ctx context.Context, j job, m *watch) (err error) {
	w, err := openWorld(ctx, j.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	sb, err := sandbox.Start(ctx, sandbox.Options{Dir: w.dir, Frozen: true, TokenLifetime: 24 * time.Hour})
	if err == nil {
		defer func() { err = errors.Join(err, sb.Close()) }()
		err = sb.SetSwitch("capacity", fmt.Sprint(raised))
	}
	if err != nil {
		return err
	}
	if err := w.wanted(ctx, j); err != nil {
		return err
	}
	clock := &standing{clock: sb.Clock()}
	mgr, err := w.doorManager(ctx, sb, clock, j.Other)
	if err != nil {
		return err
	}
	var res *deliver.Result
	began := sb.Now()
	_, err = m.time(func() (err error) {
		stop := clock.drive()
		defer stop()
		res, err = mgr.PlanAndApply(ctx, j.Other, deliver.ApplyOptions{By: "bench"})
		return err
	})
	if err != nil {
		return err
	}
	if res.Partial() || res.Counts[deliver.Create] != j.Size {
		return fmt.Errorf("the tenant was not filled: %d created of %d, %d left, %v", res.Counts[deliver.Create], j.Size, res.Left, res.Why)
	}
	m.sample.Values["took"], m.sample.Values["calls"] = sb.Now().Sub(began).Seconds(), float64(res.Calls)
	for _, c := range sb.Counters() {
		if c.Status == 429 {
			m.sample.Values["throttled"] += float64(c.Calls)
		}
	}
	return nil
}

// wanted are j.Size domains that the door wants.
func (w *world) wanted(ctx context.Context, j job) error {
	path := filepath.Join(j.Dir, "wanted.txt")
	r := rand.New(rand.NewPCG(seed, 6))
	err := write(path, func(out *bufio.Writer) {
		for i := range j.Size {
			_, _ = fmt.Fprintf(out, "h%d.%s\n", i, appendDomain(nil, r)) // Flush tells
		}
	})
	if err != nil {
		return err
	}
	spec, err := w.source("wanted", path, nil)
	if err != nil {
		return err
	}
	if err := w.engine.Apply(ctx, []engine.NodeSpec{spec, reader(j.Other, sdk.RoleTarget, "wanted")}); err != nil {
		return err
	}
	if _, err := w.poll(ctx, "wanted"); err != nil {
		return err
	}
	return w.engine.Settle(ctx)
}

func (w *world) doorManager(ctx context.Context, sb *sandbox.Sandbox, clock *standing, name string) (*deliver.Manager, error) {
	c, err := class(name)
	if err != nil {
		return nil, err
	}
	cfg := c.NewConfig()
	for _, d := range doors {
		if d.class == name {
			d.configure(cfg)
		}
	}
	env := w.env(name)
	env.Clock = clock
	env.Connection = &sdk.Connection{Name: "sandbox", Type: entra.Type, Config: &entra.Connection{
		TenantID: sandbox.DemoTenant, ClientID: sandbox.DemoApp, ClientSecret: sandbox.DemoSecret, CA: sb.CAFile(),
		Authority: sb.URL(), Defender: sb.URL(), Sentinel: sb.URL(), Management: sb.URL(), Graph: sb.URL(),
	}}
	made, err := c.New(cfg, env)
	if err != nil {
		return nil, err
	}
	mgr, err := deliver.Open(ctx, deliver.Deps{Store: w.store, Clock: clock, Conditions: w.conds, Upstream: upstream{w.engine}, Owner: "bench"})
	if err != nil {
		return nil, err
	}
	return mgr, mgr.Configure(ctx, []deliver.Destination{{
		Node: name, Target: &distant{Target: made.(sdk.Target), clock: clock}, Mode: deliver.ModeAuto, ConfigVersion: "1", Guards: unguarded,
	}})
}
