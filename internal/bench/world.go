package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/remeld/remeld/connector/source/file"
	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/store/pebblestore"
	"github.com/remeld/remeld/sdk"
)

// world is an engine on a durable store, built as the product builds it.
type world struct {
	dir    string
	clock  sdk.Clock
	store  *pebblestore.Store
	conds  *condition.Set
	engine *engine.Engine
}

func openWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{dir: dir, clock: app.SystemClock{}}
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o750); err != nil {
		return nil, err
	}
	var err error
	if w.store, err = pebblestore.Open(filepath.Join(dir, "store"), pebblestore.Options{}); err != nil {
		return nil, err
	}
	if w.conds, err = condition.Open(ctx, w.store, w.clock); err != nil {
		return nil, errors.Join(err, w.store.Close())
	}
	start := time.Now()
	w.engine, err = engine.New(ctx, engine.Deps{
		Store: w.store, Clock: w.clock, Conditions: w.conds, Dir: work,
		Monotonic: func() time.Duration { return time.Since(start) },
	})
	if err != nil {
		return nil, errors.Join(err, w.store.Close())
	}
	return w, nil
}

func (w *world) close() error { return w.store.Close() }

// class is a registered class of the product.
func class(name string) (sdk.Class, error) {
	for _, c := range sdk.Classes() {
		if c.Name == name {
			return c, nil
		}
	}
	return sdk.Class{}, fmt.Errorf("no class is called %q", name)
}

// env is what the app gives a node.
func (w *world) env(node string) sdk.Env {
	return sdk.Env{Node: node, Log: slog.New(slog.DiscardHandler), Clock: w.clock, Dir: filepath.Join(w.dir, "work", node), BaseDir: w.dir}
}

// source is a node of class file over a path; change may adapt its config.
func (w *world) source(name, path string, change func(*file.Config)) (engine.NodeSpec, error) {
	c, err := class("file")
	if err != nil {
		return engine.NodeSpec{}, err
	}
	cfg := c.NewConfig().(*file.Config)
	cfg.Path = path
	cfg.MaxSize = 1 << 30
	if change != nil {
		change(cfg)
	}
	return engine.NodeSpec{
		Node:  graph.Node{Name: name, Class: "file", Role: sdk.RoleSource, Fingerprint: "1"},
		Build: func() (any, error) { return c.New(cfg, w.env(name)) },
	}, nil
}

// reader is a node that takes what one input says.
func reader(name string, role sdk.Role, input string) engine.NodeSpec {
	return engine.NodeSpec{Node: graph.Node{Name: name, Class: "bench", Role: role, Inputs: []string{input}, Fingerprint: "1"}}
}

// poll polls a node and insists on an accepted verdict.
func (w *world) poll(ctx context.Context, name string) (engine.PollReport, error) {
	r, err := w.engine.PollNow(ctx, name)
	switch {
	case err != nil:
		return r, err
	case r.Verdict != engine.VerdictAccepted:
		return r, fmt.Errorf("the poll is %s, not accepted: %s", r.Verdict, r.Error)
	case r.NotModified:
		return r, errors.New("the source says that nothing changed: nothing was measured")
	}
	return r, nil
}
