package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/remeld/remeld/connector/destination/defender"
	"github.com/remeld/remeld/connector/format"
	"github.com/remeld/remeld/connector/source/file"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// keeps are the conditions of the planned destination.
var keeps = map[string]string{
	"sure":    `confidence >= 60 and (severity >= 2 or hasTag(name = "c2"))`,
	"no_test": `not hasTag(name = "test") and not kind = "email"`,
}

func benchPlan(ctx context.Context, s *session) ([]row, error) {
	dir := filepath.Join(s.dir, "plan")
	got, err := s.undisturbed(ctx, func() (sample, error) {
		got, err := s.child(ctx, job{Measure: "plan", Dir: dir, Size: s.size.records, Listed: s.size.listed, Runs: s.runs})
		return got, errors.Join(err, os.RemoveAll(dir))
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "  plan: %s\n", got)
	r := under("e", "warm plan, upstream the engine's table on disk", median(got.Series["plan"]), 3)
	r.notes = fmt.Sprintf("%.0f records read, %.0f rows kept, no change; user %s, system %s; peak of the process with load, sandbox and first apply %s",
		got.Values["desired"], got.Values["keep"], seconds(got.User), seconds(got.System), megabytes(got.Peak))
	rows := []row{r}
	return rows, errors.Join(s.explain(ctx, rows, job{Measure: "plan", Dir: dir, Size: s.size.records, Listed: s.size.listed, Runs: 1}), os.RemoveAll(dir))
}

// childPlan loads records into an engine, brings a sandbox tenant into step with
// them, and then measures plans that find nothing to do.
func childPlan(ctx context.Context, j job, m *watch) (err error) {
	w, err := recordWorld(ctx, j)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	sb, err := sandbox.Start(ctx, sandbox.Options{Dir: w.dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Close()) }()
	mgr, err := w.manager(ctx, sb, j.Listed)
	if err != nil {
		return err
	}
	if err := inStep(ctx, mgr); err != nil {
		return err
	}
	for range j.Runs {
		var p *deliver.Plan
		took, err := m.time(func() (err error) {
			p, err = mgr.Plan(ctx, "defender", deliver.PlanOptions{})
			return err
		})
		if err != nil {
			return err
		}
		if p.Changes() != 0 || p.Desired == 0 || p.Keep == 0 {
			return fmt.Errorf("the plan is not warm: %d read, %d kept, %v", p.Desired, p.Keep, p.Actions)
		}
		m.sample.Series["plan"] = append(m.sample.Series["plan"], took)
		m.sample.Values["desired"], m.sample.Values["keep"] = float64(p.Desired), float64(p.Keep)
	}
	return nil
}

// inStep applies until nothing is left.
func inStep(ctx context.Context, mgr *deliver.Manager) error {
	for range 3 {
		p, err := mgr.Plan(ctx, "defender", deliver.PlanOptions{Person: true})
		if err != nil {
			return err
		}
		if p.Changes() == 0 && p.Keep > 0 {
			return nil
		}
		if _, err := mgr.Apply(ctx, p, deliver.ApplyOptions{By: "bench"}); err != nil {
			return err
		}
	}
	return errors.New("the tenant does not come into step")
}

// recordWorld is a source of records with attributes and a target that reads it.
func recordWorld(ctx context.Context, j job) (*world, error) {
	w, err := openWorld(ctx, j.Dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(j.Dir, "records.csv")
	if err := records(path, j.Size); err != nil {
		return nil, err
	}
	spec, err := w.source("records", path, func(c *file.Config) {
		c.Options = format.Defaults()
		c.CSV = &format.CSV{Columns: []format.Column{{Index: 1}}, Fields: map[string]string{
			"confidence": "2", "severity": "3", "tags": "4", "threat_type": "5",
		}}
	})
	if err != nil {
		return nil, err
	}
	if err := w.engine.Apply(ctx, []engine.NodeSpec{spec, reader("defender", sdk.RoleTarget, "records")}); err != nil {
		return nil, err
	}
	if _, err := w.poll(ctx, "records"); err != nil {
		return nil, err
	}
	return w, w.engine.Settle(ctx)
}

var (
	tags    = []string{"c2", "phishing", "botnet", "scanner", "test", "malware"}
	threats = []string{"", "c2", "phishing", "dropper"}
)

// records writes a list with confidence, severity, a tag and a threat type.
func records(path string, n int) error {
	r := rand.New(rand.NewPCG(seed, 4))
	return write(path, func(w *bufio.Writer) {
		var b []byte
		for range n {
			b = appendValue(b[:0], r)
			b = fmt.Appendf(b, ",%d,%d,%s,%s\n", r.IntN(101), r.IntN(6), tags[r.IntN(len(tags))], threats[r.IntN(len(threats))])
			_, _ = w.Write(b) // Flush tells
		}
	})
}

// upstream is the engine as delivery sees it.
type upstream struct{ *engine.Engine }

// Watermark implements deliver.Upstream.
func (u upstream) Watermark(ctx context.Context, node string) (deliver.Watermark, error) {
	w, err := u.Engine.Watermark(ctx, node)
	return deliver.Watermark(w), err
}

// manager delivers to the sandbox with the class the product delivers with.
func (w *world) manager(ctx context.Context, sb *sandbox.Sandbox, listed int) (*deliver.Manager, error) {
	c, err := class("defender")
	if err != nil {
		return nil, err
	}
	cfg := c.NewConfig().(*defender.Config)
	cfg.Action = "block"
	env := w.env("defender")
	env.Connection = &sdk.Connection{Name: "sandbox", Type: entra.Type, Config: &entra.Connection{
		TenantID: sandbox.DemoTenant, ClientID: sandbox.DemoApp, ClientSecret: sandbox.DemoSecret,
		Authority: sb.URL(), Defender: sb.URL(), CA: sb.CAFile(),
	}}
	target, err := c.New(cfg, env)
	if err != nil {
		return nil, err
	}
	mgr, err := deliver.Open(ctx, deliver.Deps{
		Store: w.store, Clock: w.clock, Conditions: w.conds, Upstream: upstream{w.engine}, Owner: "bench",
	})
	if err != nil {
		return nil, err
	}
	d := deliver.Destination{Node: "defender", Target: target.(sdk.Target), Mode: deliver.ModeAuto, MinConfidence: 70, ConfigVersion: "1", Guards: unguarded}
	for _, name := range sortedKeys(keeps) {
		f, err := tql.Compile(keeps[name], tql.Options{})
		if err != nil {
			return nil, err
		}
		d.Keep = append(d.Keep, deliver.Keep{Name: name, Filter: f})
	}
	if d.Protect, err = rules(listed); err != nil {
		return nil, err
	}
	return mgr, mgr.Configure(ctx, []deliver.Destination{d})
}

// unguarded lets the first apply fill the tenant at once.
var unguarded = func() guard.Limits {
	all := guard.Limit{Share: 1, Count: 1 << 30}
	return guard.Limits{Delete: all, Create: all, Protective: all, Source: all}
}()
