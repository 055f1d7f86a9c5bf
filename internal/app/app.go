// Package app is the composition root: it reads the configuration, opens the
// store, builds nodes and destinations, runs them and answers what the command
// line asks. It is the one place that sees everything; deciding is the business of
// the packages it joins.
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/remeld/remeld/internal/alert"
	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/feedback"
	"github.com/remeld/remeld/internal/schedule"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/pebblestore"
	"github.com/remeld/remeld/internal/web"
	"github.com/remeld/remeld/sdk"
)

// Version is set by the build.
var Version = "dev"

// Options say what to open.
type Options struct {
	Config []string // files and folders
	State  string   // state directory
	Clock  sdk.Clock
	Log    *slog.Logger
	// Deliver overrides delays of delivery; the zero value has the defaults.
	Deliver deliver.Settings
	// NoWeb leaves the feed door closed.
	NoWeb bool
	// Offline: a command opens the store for itself, where no process runs. It works on
	// the configuration in force and leaves an edited one alone.
	Offline bool
	// Replaces: with Offline, what is on disk takes the place of a configuration in force
	// that is not kept. A person asks for it by remeld commit.
	Replaces bool
}

// App is an open installation. Close it.
type App struct {
	opts       Options
	log        *slog.Logger
	clock      sdk.Clock
	store      store.Store
	keys       keys
	conditions *condition.Set
	engine     *engine.Engine
	deliver    *deliver.Manager
	scheduler  *schedule.Scheduler
	alerter    *alert.Alerter
	feedback   *feedback.Feedback
	web        *web.Server
	running    atomic.Bool // Run works

	// retiredAt is the last look at what is left of removed nodes; under commits.
	retiredAt time.Time

	// endsRead and endsAt are the last look at when logins end; of the watch alone.
	endsRead *config.Config
	endsAt   time.Time

	commits sync.Mutex // one commit at a time
	warned  []string   // of the configuration, by the last load; under commits once others can call
	handing sync.Mutex // delivery is handed one state after the other

	mu         sync.Mutex // what is in force
	config     *config.Config
	built      *built
	lists      []protect.Warninglist
	protection *protection
}

// Open reads the configuration and the store and builds everything without
// starting it. Configuration errors are a *ConfigError with all of them.
//
// An edited configuration is put in force as a running process does it (SEMANTICS
// E11); with Options.Offline it is left to Commit.
func Open(ctx context.Context, opts Options) (*App, error) {
	a := &App{opts: opts, log: opts.Log, clock: opts.Clock}
	edited, err := a.load()
	if err != nil && (!opts.Offline || !a.hasStore()) {
		return nil, err
	}
	if err := a.openStore(); err != nil {
		return nil, err
	}
	if err := a.begin(ctx, edited, err); err != nil {
		if failed := a.Close(); failed != nil {
			return nil, errors.Join(Ended(ctx, err), failed)
		}
		return nil, err
	}
	return a, nil
}

// begin brings the opened store to life. edited is what the files say, or nil and why
// they do not load.
func (a *App) begin(ctx context.Context, edited *config.Config, broken error) error {
	k, err := a.kept(ctx)
	if err != nil {
		return err
	}
	if k == nil && edited == nil {
		return broken
	}
	instance := "" // a store that has a configuration has its identity
	if edited != nil {
		instance = edited.Instance
	}
	if a.keys, err = loadKeys(ctx, a.store, instance); err != nil {
		return err
	}
	if edited != nil {
		// Read again with the store's own key, so that fingerprints compare.
		if edited, err = a.load(); err != nil {
			return err
		}
	}
	cfg, err := a.inForceOr(k, edited)
	replaces := !a.opts.Offline || a.opts.Replaces && errors.Is(err, ErrNotKept)
	if err != nil && (edited == nil || !replaces) {
		return errors.Join(broken, err)
	}
	if err != nil {
		a.log.Warn("what was in force cannot be loaded any more; the configuration on disk takes its place", "err", err)
		cfg = edited
	}
	if err := a.assemble(ctx, cfg); err != nil {
		return err
	}
	if err := a.tellEdited(ctx, cfg, edited); err != nil {
		return err
	}
	return a.openDoor()
}

// tellEdited says that the files are not what is in force, or in a process that is
// to run puts them in force where no person has to look first.
func (a *App) tellEdited(ctx context.Context, cfg, edited *config.Config) error {
	if edited != nil && edited.Version == cfg.Version {
		return nil
	}
	switch {
	case edited == nil:
		a.log.Warn("the configuration on disk does not load; this command works on the one in force; see remeld validate")
		return nil
	case a.opts.Offline:
		a.log.Warn("the configuration on disk is not the one in force, which this command works on; see remeld commit --preview")
		return nil
	}
	if err := a.commitEdited(ctx); err != nil {
		a.log.Error("the edited configuration is not in force", "err", err)
	}
	return ctx.Err()
}

// hasStore tells whether the state directory has a store already.
func (a *App) hasStore() bool {
	_, err := os.Stat(a.storeDir())
	return err == nil
}

func (a *App) storeDir() string { return filepath.Join(a.opts.State, "store") }

func (a *App) openStore() error {
	dir := a.storeDir()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the state directory: %w (choose another with --state)", err)
	}
	cache, _ := a.opts.memory()
	s, err := pebblestore.Open(dir, pebblestore.Options{Logger: a.log, CacheSize: cache})
	if err != nil {
		return lockedHelp(err, a.opts.State)
	}
	a.store = s
	return nil
}

// lockedHelp says what a person can do about a store that is open elsewhere
// (SEMANTICS E15).
func lockedHelp(err error, state string) error {
	var locked *store.LockedError
	if errors.As(err, &locked) {
		return fmt.Errorf("%w; one process serves a state directory: end the other one, or choose another with --state (this is %s)", err, state)
	}
	return err
}

// Close ends everything that is open.
func (a *App) Close() error {
	if a.store == nil {
		return nil
	}
	if a.built != nil {
		a.built.close()
	}
	return a.store.Close()
}

// Run works until ctx ends: polls, steps, applies, serves feeds and answers
// commands on the local socket. That ctx ended is no error.
func (a *App) Run(ctx context.Context) error {
	socket, err := control.Listen(a.opts.State)
	if err != nil {
		return err
	}
	a.running.Store(true)
	defer a.running.Store(false)
	g, ctx := errgroup.WithContext(ctx)
	// The group keeps its first error: an end must not stand where a failure belongs.
	work := func(f func(context.Context) error) { g.Go(func() error { return Ended(ctx, f(ctx)) }) }
	work(func(ctx context.Context) error { return control.Serve(ctx, socket, a.Methods()) })
	work(a.engine.Run)
	work(a.deliver.Run)
	work(a.scheduler.Run)
	work(a.alerter.Run)
	work(a.feedback.Run)
	work(a.watch)
	if a.web != nil {
		work(a.web.Run)
	}
	return g.Wait()
}

// watchEvery is how often the configuration's files are looked at.
const watchEvery = 2 * time.Second

// watch commits an edited configuration once its files stand still from one look to
// the next, and hands delivery the protected lists when they move. A configuration
// that does not load changes nothing and raises a condition until it does.
func (a *App) watch(ctx context.Context) error {
	seen, changed := a.stamp(), ""
	for {
		if err := a.clock.Sleep(ctx, watchEvery); err != nil {
			return nil //nolint:nilerr // ctx ended
		}
		if err := errors.Join(Ended(ctx, a.followLists(ctx)), Ended(ctx, a.tellExpiring(ctx)), Ended(ctx, a.endRetired(ctx))); err != nil {
			return err
		}
		now := a.stamp()
		if now == seen {
			continue
		}
		if now != changed {
			changed = now // somebody may be in the middle of writing it
			continue
		}
		seen = now
		if err := a.commitEdited(ctx); err != nil {
			a.log.Error("the edited configuration is not in force", "err", err)
		}
	}
}

// commitEdited commits a configuration that was edited. One that takes live rows away
// waits for a person, who can look at it before and let exactly those pass the guards
// (SEMANTICS E11).
func (a *App) commitEdited(ctx context.Context) error {
	v, err := a.commit(ctx, CommitArgs{By: "edited file"}, func(v CommitView) bool { return v.live() == 0 })
	if err != nil || v.Committed {
		return err
	}
	return a.conditions.Raise(ctx, condition.Condition{
		Kind: "commit_waiting", Message: fmt.Sprintf("the edited configuration is not in force yet: it would withdraw %d live rows that only removed or replaced nodes speak for", v.live()),
		Help: "look at remeld commit --preview, then remeld commit --approve " + v.ID + ", or undo the edit",
	})
}

// followLists hands delivery the protected lists when one of them changed.
func (a *App) followLists(ctx context.Context) error {
	a.mu.Lock()
	p := a.protection
	a.mu.Unlock()
	if p == nil {
		return nil
	}
	if moved, err := p.stale(a.engine.Table); err != nil || !moved {
		return err
	}
	return a.protect(ctx)
}

// stamp changes when a configuration file does, or one that makes up a login.
func (a *App) stamp() string {
	cfg, _ := a.inForce()
	paths := slices.Clone(a.opts.Config)
	for _, name := range slices.Sorted(maps.Keys(cfg.Connections)) {
		paths = append(paths, loginFiles(cfg.Connections[name], cfg.BaseDir)...)
	}
	var s string
	for _, path := range paths {
		_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil //nolint:nilerr // what cannot be read is no change
			}
			if info, err := d.Info(); err == nil {
				s += fmt.Sprintf("%s %d %d\n", p, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return s
}
