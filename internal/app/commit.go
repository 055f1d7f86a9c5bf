package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/web"
	"github.com/remeld/remeld/sdk"
)

// parts makes what lives as long as the process: conditions, engine, delivery and
// the feed door.
func (a *App) parts(ctx context.Context, cfg *config.Config) error {
	var err error
	if a.conditions, err = condition.Open(ctx, a.store, a.clock); err != nil {
		return err
	}
	a.engine, err = engine.New(ctx, engine.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Conditions: a.conditions,
		Dir: filepath.Join(a.opts.State, "work"), Monotonic: monotonic(a.clock),
	})
	if err != nil {
		return err
	}
	a.deliver, err = deliver.Open(ctx, deliver.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Conditions: a.conditions,
		Upstream: upstream{a.engine, a.hasNode, a.retires, a.protectedBy}, Owner: a.keys.mark, Settings: a.opts.Deliver,
		Lifted: func(ctx context.Context, _, list string) error {
			_, err := a.engine.ApproveLifted(ctx, list)
			return err
		},
		Refresh: a.followLists,
	})
	if err != nil || a.opts.NoWeb || cfg.Web.Listen == "" {
		return err
	}
	a.web, err = web.New(web.Options{
		Listen: cfg.Web.Listen, Cert: cfg.Web.TLS.Cert, Key: cfg.Web.TLS.Key,
		BehindProxy: cfg.Web.BehindProxy, Log: a.log, Clock: a.clock,
	})
	return err
}

// monotonic counts time in a way that setting the clock does not move: the clock's
// own count where it has one, else the process's.
func monotonic(c sdk.Clock) func() time.Duration {
	if own, ok := c.(interface{ Monotonic() time.Duration }); ok {
		return own.Monotonic
	}
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// swap puts cfg in force: everything new is built before anything old is touched,
// and an error leaves the old one running.
func (a *App) swap(ctx context.Context, cfg *config.Config) error {
	next, err := a.builder(cfg).build()
	if err != nil {
		return err
	}
	lists, err := readWarninglists(cfg)
	if err == nil {
		next.retired, err = a.retire(ctx, next)
	}
	if err != nil {
		next.close()
		return err
	}
	if err := a.engine.Apply(ctx, next.specs); err != nil {
		next.close()
		return err
	}
	old := a.built
	a.mu.Lock()
	a.config, a.built, a.lists = cfg, next, lists
	a.mu.Unlock()
	if old != nil {
		defer old.closeBut(next.retired)
	}
	if a.web != nil {
		feeds, err := next.served(a.engine.Table)
		if err == nil {
			err = a.web.Set(feeds, users(cfg))
		}
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
	}
	if err := a.protect(ctx); err != nil {
		return err
	}
	if err := a.tellOrphans(ctx); err != nil {
		return err
	}
	if err := a.forgetDomains(ctx, next); err != nil {
		return err
	}
	return a.conditions.Retain(ctx, func(node string) bool {
		_, isNode := cfg.Nodes[node]
		_, isConn := cfg.Connections[node]
		return isNode || isConn || node == ""
	})
}

// forgetDomains ends what is told of tenants that no node is aimed at any more.
func (a *App) forgetDomains(ctx context.Context, b *built) error {
	aimed := map[string]bool{}
	for _, t := range slices.Concat(b.targets, b.retired) {
		aimed[t.target.Info().Domain] = true
	}
	for _, c := range a.conditions.List() {
		switch c.Kind {
		case "secret_refused", "role_missing", "destination_stopped":
			if aimed[c.ID] {
				continue
			}
			if err := a.conditions.ClearID(ctx, c.Node, c.Kind, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// protect hands delivery the destinations with the protected lists as they are.
func (a *App) protect(ctx context.Context) error {
	// One that began with an earlier configuration must not end after a later one.
	a.handing.Lock()
	defer a.handing.Unlock()
	a.mu.Lock()
	cfg, b, lists := a.config, a.built, a.lists
	a.mu.Unlock()
	p, err := newProtection(ctx, cfg, lists, a.engine.Table)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.protection = p
	a.mu.Unlock()
	return a.deliver.Configure(ctx, b.destinations(p))
}

// hasNode tells whether the configuration in force has a node.
func (a *App) hasNode(name string) bool {
	cfg, _ := a.inForce()
	return cfg != nil && cfg.Nodes[name] != nil
}

// retires tells whether a node that is gone still has rows to withdraw.
func (a *App) retires(name string) bool {
	_, b := a.inForce()
	return b != nil && slices.ContainsFunc(b.retired, func(t target) bool { return t.node.Name == name })
}

// inForce is the configuration in force and what it became.
func (a *App) inForce() (*config.Config, *built) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config, a.built
}

// CommitArgs say how far a commit goes.
type CommitArgs struct {
	Preview bool   `json:"preview"`
	Approve string `json:"approve"` // id of the preview whose withdrawals may pass the guards
	By      string `json:"by"`
}

// CommitView is what a commit does, or would do (SEMANTICS E11).
type CommitView struct {
	ID    string       `json:"id"` // names exactly this change of configuration
	Steps []graph.Step `json:"steps"`
	// Destinations are how each destination's own table would change.
	Destinations map[string]engine.DestinationChange `json:"destinations"`
	// Withdrawals are live rows that only nodes which go or are replaced speak for,
	// by destination node, then by source.
	Withdrawals map[string]map[string]int `json:"withdrawals"`
	Committed   bool                      `json:"committed"`
}

// approvedFor is how long the withdrawals of an approved commit may take.
const approvedFor = 24 * time.Hour

// Commit reads the configuration anew and puts it in force, or says what that
// would do.
func (a *App) Commit(ctx context.Context, args CommitArgs) (CommitView, error) {
	a.commits.Lock()
	defer a.commits.Unlock()
	cfg, err := a.load()
	if err != nil {
		return CommitView{}, errors.Join(err, a.raiseConfig(ctx, err))
	}
	v, err := a.preview(ctx, cfg)
	if err != nil || args.Preview {
		return v, err
	}
	if args.Approve != "" {
		if args.Approve != v.ID {
			return v, fmt.Errorf("commit %s is not what would be committed now (%s): look at --preview again", args.Approve, v.ID)
		}
		if err := a.allow(ctx, v, args.By); err != nil {
			return v, err
		}
	}
	if err := a.swap(ctx, cfg); err != nil {
		return v, errors.Join(err, a.raiseConfig(ctx, err))
	}
	v.Committed = true
	a.log.Info("configuration committed", "version", cfg.Version, "by", args.By)
	return v, errors.Join(a.conditions.Clear(ctx, "", "config_refused"), a.conditions.Clear(ctx, "", "commit_waiting"))
}

func (a *App) raiseConfig(ctx context.Context, err error) error {
	return a.conditions.Raise(ctx, condition.Condition{
		Kind: "config_refused", Message: "the configuration on disk is not in force: " + firstLine(err),
		Help: "remeld validate says all that is wrong; the earlier configuration goes on",
	})
}

func (a *App) preview(ctx context.Context, cfg *config.Config) (CommitView, error) {
	old, _ := a.inForce()
	sum := sha256.Sum256([]byte(old.Version + " " + cfg.Version))
	v := CommitView{ID: "commit-" + hex.EncodeToString(sum[:6]), Withdrawals: map[string]map[string]int{}}
	next, err := a.builder(cfg).build()
	if err != nil {
		return v, err
	}
	defer next.close()
	p, err := a.engine.Preview(ctx, next.specs)
	if err != nil {
		return v, err
	}
	v.Steps, v.Destinations = p.Steps, p.Destinations
	var gone []string
	for _, s := range v.Steps {
		if s.Action == graph.Remove || s.Action == graph.Replace {
			gone = append(gone, s.Name)
		}
	}
	v.Withdrawals, err = a.deliver.SoleContributions(ctx, gone)
	return v, err
}

// allow passes exactly the withdrawals that were shown.
func (a *App) allow(ctx context.Context, v CommitView, by string) error {
	until := a.clock.Now().Add(approvedFor)
	for node, bySource := range v.Withdrawals {
		if err := a.deliver.AllowWithdrawals(ctx, node, bySource, by, "commit "+v.ID, until); err != nil {
			return err
		}
	}
	return nil
}
