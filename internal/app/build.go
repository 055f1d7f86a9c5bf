package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/internal/web"
	"github.com/remeld/remeld/sdk"
)

// built is what a configuration becomes. Building has no effect outside the
// process, so a configuration that cannot be built changes nothing.
type built struct {
	specs   []engine.NodeSpec
	targets []target
	feeds   []feedNode
	// retired are targets of the configuration before whose rows are withdrawn.
	retired []target
}

// target is one node aimed at one connection.
type target struct {
	node   *config.Node
	tenant *config.Tenant
	target sdk.Target
	login  string         // changes with the content of the connection
	config *config.Config // that it stands in
}

// feedNode is a feed before its table is there.
type feedNode struct {
	node *config.Node
	feed sdk.Feed
}

// builder turns a checked configuration into instances.
type builder struct {
	cfg   *config.Config
	log   *slog.Logger
	clock sdk.Clock
	work  string // scratch
	owner string
}

func (a *App) builder(cfg *config.Config) *builder {
	return &builder{cfg: cfg, log: a.log, clock: a.clock, work: filepath.Join(a.opts.State, "work"), owner: a.keys.mark}
}

func (b *builder) build() (*built, error) {
	out := &built{}
	for _, name := range b.cfg.Order {
		n := b.cfg.Nodes[name]
		spec, err := b.spec(n)
		if err != nil {
			return nil, err
		}
		out.specs = append(out.specs, spec)
		switch n.ClassInfo.Role {
		case sdk.RoleFeed:
			made, err := n.ClassInfo.New(n.Config, b.env(n, n.Connection))
			if err != nil {
				return nil, fmt.Errorf("node %s: %w", n.Name, err)
			}
			out.feeds = append(out.feeds, feedNode{n, made.(sdk.Feed)})
		case sdk.RoleTarget:
			if err := b.targets(n, out); err != nil {
				return nil, err
			}
		}
	}
	return out, errors.Join(deliver.CheckDuplicates(out.destinations(&protection{}))...)
}

func (b *builder) targets(n *config.Node, out *built) error {
	for i := range n.Tenants {
		t, err := b.target(n, &n.Tenants[i])
		if err != nil {
			return err
		}
		out.targets = append(out.targets, t)
	}
	return nil
}

func (b *builder) target(n *config.Node, t *config.Tenant) (target, error) {
	made, err := n.ClassInfo.New(t.Config, b.env(n, t.Connection))
	if err != nil {
		return target{}, fmt.Errorf("node %s to %s: %w", n.Name, t.Connection, err)
	}
	return target{node: n, tenant: t, target: made.(sdk.Target), login: b.content(t.Connection), config: b.cfg}, nil
}

func (b *builder) env(n *config.Node, connection string) sdk.Env {
	env := sdk.Env{
		Node: n.Name, Log: b.log.With("node", n.Name, "class", n.Class), Clock: b.clock,
		Dir: filepath.Join(b.work, n.Name), BaseDir: b.cfg.BaseDir, Owner: b.owner,
	}
	if c := b.cfg.Connections[connection]; c != nil {
		env.Connection = c.SDK()
	}
	return env
}

// spec is what the engine needs of a node.
func (b *builder) spec(n *config.Node) (engine.NodeSpec, error) {
	s := engine.NodeSpec{
		Node: graph.Node{
			Name: n.Name, Class: n.Class, Role: n.ClassInfo.Role, Inputs: n.Inputs, Allow: n.Allow,
			Protect: b.protects(n.Name), Fingerprint: n.Fingerprint, Login: b.login(n),
		},
		Constants: n.Attributes, Names: n.AttributeNames,
		Source: engine.SourceSettings{
			Interval: n.Interval, Jitter: float64(n.Jitter), TLP: n.TLP,
			Age:           engine.AgeRules{FirstSeen: n.Age.FirstSeen, LastSeen: n.Age.LastSeen, ValidUntil: n.Age.ValidUntil, Never: n.Age.Never},
			WithdrawAfter: n.WithdrawAfter,
			MaxStale:      engine.MaxStale{After: n.MaxStale.After, Withdraw: n.MaxStale.Then == "withdraw"},
			OnDemand:      n.ByJob,
			EmptyOK:       n.Empty == "ok", Agree: n.Agree,
			Freeze: engine.FreezeLimits{Share: float64(n.Freeze.Share), Count: n.Freeze.Count, MinRows: n.Freeze.MinRows},
		},
	}
	for _, c := range n.Compute {
		s.Compute = append(s.Compute, engine.Compute{Attr: c.Attr, Program: c.Program})
	}
	for _, k := range n.Keep {
		s.Keep = append(s.Keep, engine.Keep{Name: k.Name, Filter: k.Filter})
	}
	switch n.ClassInfo.Role {
	case sdk.RoleSource, sdk.RoleProcessor:
		s.Build = func() (any, error) {
			env := b.env(n, n.Connection)
			if err := os.MkdirAll(env.Dir, 0o750); err != nil {
				return nil, fmt.Errorf("make the scratch directory of node %s: %w", n.Name, err)
			}
			return n.ClassInfo.New(n.Config, env)
		}
	case sdk.RoleFeed:
		ceiling, err := tlpCeiling(n.MaxTLP)
		if err != nil {
			return s, err
		}
		s.Keep = append(s.Keep, ceiling)
	}
	return s, nil
}

// protects tells whether a node's rows are never sent, anywhere or to some tenant.
func (b *builder) protects(node string) bool {
	for _, c := range b.cfg.Connections {
		if slices.Contains(c.Protect, node) {
			return true
		}
	}
	return slices.Contains(b.cfg.Protect.Lists, node)
}

// tlpCeiling is the condition of a feed that nothing above max leaves by it.
func tlpCeiling(most indicator.TLP) (engine.Keep, error) {
	f, err := tql.Compile(fmt.Sprintf("tlp <= %q", most), tql.Options{})
	if err != nil {
		return engine.Keep{}, fmt.Errorf("make the TLP ceiling: %w", err)
	}
	return engine.Keep{Name: "max_tlp", Filter: f}, nil
}

// login changes with the content of the logins a node uses.
func (b *builder) login(n *config.Node) string {
	var s string
	for _, name := range append([]string{n.Connection}, n.To...) {
		if f := b.content(name); f != "" {
			s += f + " "
		}
	}
	return s
}

// content changes with the content of a login, files that it names included.
func (b *builder) content(connection string) string {
	c := b.cfg.Connections[connection]
	if c == nil {
		return ""
	}
	sum := sha256.New()
	for _, path := range loginFiles(c, b.cfg.BaseDir) {
		data, err := readFile("", path)
		fmt.Fprintf(sum, "%d %v;", len(data), err != nil)
		sum.Write(data)
	}
	return fmt.Sprintf("%s %x", c.Fingerprint, sum.Sum(nil)[:8])
}

// destinations are the targets as delivery takes them.
func (b *built) destinations(p *protection) []deliver.Destination {
	var out []deliver.Destination
	for i, t := range slices.Concat(b.targets, b.retired) {
		n := t.node
		d := deliver.Destination{
			Node: n.Name, Target: t.target, MaxTLP: t.tenant.MaxTLP, MinConfidence: t.tenant.MinConfidence, Mode: mode(t.tenant.Mode),
			Restore: n.OnDrift == "restore", RenewOnChange: n.Renew == "on_change" || n.Idle != "",
			Protect: p.at(t.target.Info().Connection), ConfigVersion: n.Fingerprint, Login: t.login, Guards: limits(n.Guard),
			// No quiet time asked for is not the same as none given.
			Delays:  deliver.Delays{Settle: max(n.Settle, time.Nanosecond), ListingAge: n.ListingAge, DriftEvery: n.DriftEvery},
			Retired: i >= len(b.targets), ByJob: n.ByJob, Idle: n.Idle != "",
		}
		for _, k := range t.tenant.Keep {
			d.Keep = append(d.Keep, deliver.Keep{Name: k.Name, Filter: k.Filter})
		}
		out = append(out, d)
	}
	return out
}

func mode(text string) deliver.Mode {
	if text == "auto" {
		return deliver.ModeAuto
	}
	return deliver.ModeFirst // "plan" until a person approved the first plan (SEMANTICS, defaults)
}

func limits(g config.Guard) guard.Limits {
	l := guard.Defaults()
	l.Delete = guard.Limit{Share: float64(g.Deletes.Share), Count: g.Deletes.Count}
	l.Create = guard.Limit{Share: float64(g.Creates.Share), Count: g.Creates.Count}
	l.Source = guard.Limit{Share: float64(g.Source.Share), Count: g.Source.Count}
	return l
}

// tables gives read access to a node's table; engine.Engine.Table is one.
type tables func(node string) (sdk.Table, error)

// served are the feeds as the web door takes them.
func (b *built) served(table tables) ([]web.Feed, error) {
	var out []web.Feed
	for _, f := range b.feeds {
		tags := f.node.Tags
		if len(tags) == 0 {
			tags = []string{web.TagAnonymous}
		}
		t, err := table(f.node.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, web.Feed{Name: f.node.Name, Handler: f.feed.Handler(t), Tags: tags})
	}
	return out, nil
}

func users(cfg *config.Config) []web.User {
	var out []web.User
	for _, u := range cfg.Web.Users {
		out = append(out, web.User{Name: u.Name, Password: u.Password, Tags: u.Tags})
	}
	return out
}

// close ends what instances keep open.
func (b *built) close() { b.closeBut(nil) }

// closeBut is close, leaving out the targets that go on in the next configuration.
func (b *built) closeBut(kept []target) {
	for _, t := range slices.Concat(b.targets, b.retired) {
		if slices.ContainsFunc(kept, func(k target) bool { return k.target == t.target }) {
			continue
		}
		if c, ok := t.target.(io.Closer); ok {
			_ = c.Close() // nothing is written through it any more
		}
	}
}

// assemble builds cfg, which was in force, and brings engine and delivery to life
// without starting them. What was being withdrawn goes on.
func (a *App) assemble(ctx context.Context, cfg *config.Config) error {
	if err := a.parts(ctx); err != nil {
		return err
	}
	next, err := a.builder(cfg).build()
	if err != nil {
		return err
	}
	resumed, err := a.resume(ctx)
	if err == nil {
		next.retired, err = a.retire(ctx, &built{targets: next.targets, retired: resumed}, next)
	}
	if err != nil {
		next.close()
		return err
	}
	return a.enforce(ctx, cfg, next)
}
