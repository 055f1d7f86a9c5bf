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

	"github.com/remeld/remeld/internal/alert"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/feedback"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/schedule"
	"github.com/remeld/remeld/internal/web"
	"github.com/remeld/remeld/sdk"
)

// parts makes what lives as long as the process: conditions, engine and delivery.
func (a *App) parts(ctx context.Context) error {
	var err error
	if a.conditions, err = condition.Open(ctx, a.store, a.clock); err != nil {
		return err
	}
	_, polls := a.opts.memory()
	a.engine, err = engine.New(ctx, engine.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Conditions: a.conditions, PollMemory: polls,
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
	if err != nil {
		return err
	}
	a.alerter = alert.New(alert.Deps{Store: a.store, Clock: a.clock, Log: a.log, Conditions: a.conditions, Instance: a.keys.mark})
	a.feedback = feedback.New(feedback.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Conditions: a.conditions,
		Markers: a.markers, Delivered: a.deliver.Delivered, Lookup: a.engine.Lookup,
	})
	a.scheduler, err = schedule.Open(ctx, schedule.Deps{Store: a.store, Clock: a.clock, Log: a.log, Ended: a.tellRun})
	return err
}

// openDoor makes the feed door of the configuration in force.
func (a *App) openDoor() error {
	cfg, b := a.inForce()
	if a.opts.NoWeb || cfg.Web.Listen == "" {
		return nil
	}
	var err error
	a.web, err = web.New(web.Options{
		Listen: cfg.Web.Listen, Cert: cfg.Web.TLS.Cert, Key: cfg.Web.TLS.Key,
		BehindProxy: cfg.Web.BehindProxy, Log: a.log, Clock: a.clock,
	})
	if err != nil {
		return err
	}
	return a.serve(cfg, b)
}

// serve hands the door the feeds and users of a configuration.
func (a *App) serve(cfg *config.Config, b *built) error {
	if a.web == nil {
		return nil
	}
	feeds, err := b.served(a.engine.Table)
	if err == nil {
		err = a.web.Set(feeds, users(cfg))
	}
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	return nil
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

// swap puts cfg in force, which became next: everything new is built before anything
// old is touched, and an error leaves the old one running and next closed.
func (a *App) swap(ctx context.Context, cfg *config.Config, next *built) error {
	_, old := a.inForce()
	var err error
	if next.retired, err = a.retire(ctx, old, next); err != nil {
		next.close()
		return err
	}
	return a.enforce(ctx, cfg, next)
}

// enforce is swap once it is known what becomes of the targets that go.
func (a *App) enforce(ctx context.Context, cfg *config.Config, next *built) error {
	lists, err := readWarninglists(cfg)
	if err == nil {
		err = a.record(ctx, cfg, next)
	}
	if err != nil {
		next.close()
		return err
	}
	_, old := a.inForce()
	a.mu.Lock()
	a.config, a.built, a.lists = cfg, next, lists
	a.mu.Unlock()
	if old != nil {
		defer old.closeBut(next.retired)
	}
	return a.afterSwap(ctx, cfg, next)
}

// record makes cfg what the store is in, in one commit with its nodes, targets that
// retire and version: a process that ends before it is in the old one, and one that ends
// after it in the new one (SEMANTICS E11).
func (a *App) record(ctx context.Context, cfg *config.Config, next *built) error {
	writes, err := a.configWrite(ctx, cfg)
	if err != nil {
		return err
	}
	retired, err := a.retiredWrites(ctx, next)
	if err != nil {
		return err
	}
	return a.engine.Apply(ctx, next.specs, append(writes, retired...)...)
}

// afterSwap tells the feed door, delivery and people of the configuration
// in force.
func (a *App) afterSwap(ctx context.Context, cfg *config.Config, next *built) error {
	if err := a.serve(cfg, next); err != nil {
		return err
	}
	if err := a.protect(ctx); err != nil {
		return err
	}
	if err := a.scheduler.Configure(a.schedules(cfg)); err != nil {
		return err
	}
	if err := a.route(cfg); err != nil {
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
		case "secret_refused", "role_missing", "destination_stopped", deliver.ListingFailing:
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

// live counts the live rows that would be withdrawn.
func (v *CommitView) live() int {
	live := 0
	for _, bySource := range v.Withdrawals {
		for _, n := range bySource {
			live += n
		}
	}
	return live
}

// Commit reads the configuration anew and puts it in force, or says what that
// would do.
func (a *App) Commit(ctx context.Context, args CommitArgs) (CommitView, error) {
	return a.commit(ctx, args, func(CommitView) bool { return true })
}

// commit is Commit of what may says of its preview.
func (a *App) commit(ctx context.Context, args CommitArgs, may func(CommitView) bool) (CommitView, error) {
	a.commits.Lock()
	defer a.commits.Unlock()
	cfg, err := a.load()
	if err != nil {
		return CommitView{}, errors.Join(err, a.raiseConfig(ctx, err))
	}
	next, err := a.builder(cfg).build()
	if err != nil {
		return CommitView{}, errors.Join(err, a.raiseConfig(ctx, err))
	}
	v, err := a.preview(ctx, cfg, next)
	if err == nil && args.Approve != "" && !args.Preview {
		err = a.approve(ctx, v, args)
	}
	if err != nil || args.Preview || !may(v) {
		next.close()
		return v, err
	}
	if err := a.swap(ctx, cfg, next); err != nil {
		return v, errors.Join(err, a.disapprove(ctx, v, cfg), a.raiseConfig(ctx, err))
	}
	v.Committed = true
	a.log.Info("configuration committed", "version", cfg.Version, "by", args.By)
	return v, errors.Join(a.conditions.Clear(ctx, "", "config_refused"), a.conditions.Clear(ctx, "", "commit_waiting"))
}

// approve passes exactly the withdrawals that were shown.
func (a *App) approve(ctx context.Context, v CommitView, args CommitArgs) error {
	if args.Approve != v.ID {
		return fmt.Errorf("commit %s is not what would be committed now (%s): look at --preview again", args.Approve, v.ID)
	}
	err := a.deliver.AllowWithdrawals(ctx, v.ID, v.Withdrawals, args.By, a.clock.Now().Add(approvedFor))
	if err != nil {
		return errors.Join(err, a.deliver.ForbidWithdrawals(context.WithoutCancel(ctx), v.ID))
	}
	return nil
}

// disapprove takes back what was allowed for a commit that came to nothing.
func (a *App) disapprove(ctx context.Context, v CommitView, cfg *config.Config) error {
	if now, _ := a.inForce(); now == cfg {
		return nil // it failed after the swap, and its withdrawals come
	}
	return a.deliver.ForbidWithdrawals(context.WithoutCancel(ctx), v.ID)
}

func (a *App) raiseConfig(ctx context.Context, err error) error {
	return a.conditions.Raise(ctx, condition.Condition{
		Kind: "config_refused", Message: "the configuration on disk is not in force: " + firstLine(err),
		Help: "remeld validate says all that is wrong; the earlier configuration goes on",
	})
}

// preview says what cfg, which became next, would do.
func (a *App) preview(ctx context.Context, cfg *config.Config, next *built) (CommitView, error) {
	old, _ := a.inForce()
	sum := sha256.Sum256([]byte(old.Version + " " + cfg.Version))
	v := CommitView{ID: "commit-" + hex.EncodeToString(sum[:6]), Withdrawals: map[string]map[string]int{}}
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
