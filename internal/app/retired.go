package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/store"
)

// retiredPrefix begins the keys of configSpace under which targets are kept whose rows
// are being withdrawn (on_remove: withdraw), so that a restart goes on with it.
const retiredPrefix = "retired/"

// retiredTarget is one as it is kept.
type retiredTarget struct {
	Node   string     `json:"node"`
	To     string     `json:"to"`
	Domain string     `json:"domain"`
	Config keptConfig `json:"config"` // that it stood in
}

func (r *retiredTarget) key() string { return retiredPrefix + r.Node + "\x00" + r.Domain }

// retiredWrites store which targets retire with next, and forget those that next is
// aimed at again and those whose rows are gone.
func (a *App) retiredWrites(ctx context.Context, next *built) (writes []store.Write, err error) {
	for _, t := range next.retired {
		k, err := keep(t.config)
		if err != nil {
			return nil, err
		}
		if k.Text == nil {
			a.log.Warn("the rows of a removed node are withdrawn by this process alone: its configuration cannot be kept, because a secret stands in it", "node", t.node.Name)
			continue
		}
		r := &retiredTarget{t.node.Name, t.tenant.Connection, t.target.Info().Domain, k}
		w, err := a.docWrite(ctx, r.key(), r)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w...)
	}
	kept, err := a.retiredTargets(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range kept {
		over, err := a.over(ctx, r, next)
		if err != nil {
			return nil, err
		}
		if over {
			writes = append(writes, store.Write{Space: configSpace, Key: []byte(r.key()), Delete: true})
		}
	}
	return writes, nil
}

// over: nothing is left to withdraw for a target, or it is there again.
func (a *App) over(ctx context.Context, r *retiredTarget, next *built) (bool, error) {
	if slices.ContainsFunc(next.targets, func(t target) bool { return t.node.Name == r.Node && t.target.Info().Domain == r.Domain }) {
		return true, nil
	}
	live, err := a.deliver.LiveOf(ctx, r.Node, r.Domain)
	return live == 0, err
}

func (a *App) retiredTargets(ctx context.Context) ([]*retiredTarget, error) {
	v, err := a.store.View()
	if err != nil {
		return nil, fmt.Errorf("read which nodes were removed: %w", err)
	}
	defer v.Close()
	var out []*retiredTarget
	err = v.Scan(ctx, configSpace, store.Range{From: []byte(retiredPrefix), To: []byte(retiredPrefix + "\xff")}, func(_, val []byte) error {
		r := &retiredTarget{}
		out = append(out, r)
		return json.Unmarshal(val, r)
	})
	if err != nil {
		return nil, fmt.Errorf("read which nodes were removed: %w", err)
	}
	return out, nil
}

// resume builds the targets whose rows an earlier process was withdrawing. One that
// cannot be built any more is told of and stays for a later start.
func (a *App) resume(ctx context.Context) ([]target, error) {
	kept, err := a.retiredTargets(ctx)
	if err != nil {
		return nil, err
	}
	var out []target
	for _, r := range kept {
		t, err := a.rebuild(r)
		if err != nil {
			a.log.Warn("the rows of a removed node cannot be withdrawn: what it was configured with does not load any more", "node", r.Node, "at", r.Domain, "err", err)
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

func (a *App) rebuild(r *retiredTarget) (target, error) {
	if r.Config.Text == nil {
		return target{}, ErrNotKept
	}
	cfg, err := a.loadText(*r.Config.Text)
	if err != nil {
		return target{}, err
	}
	n := cfg.Nodes[r.Node]
	if n == nil {
		return target{}, fmt.Errorf("there is no node %q in it", r.Node)
	}
	at := slices.IndexFunc(n.Tenants, func(t config.Tenant) bool { return t.Connection == r.To })
	if at < 0 {
		return target{}, fmt.Errorf("node %q is not aimed at %q in it", r.Node, r.To)
	}
	return a.builder(cfg).target(n, &n.Tenants[at])
}

// retiredEvery is how often the watch looks whether anything of removed nodes is left.
const retiredEvery = time.Minute

// endRetired lets go of targets whose rows are all withdrawn: they are planned, listed
// and shown no more.
func (a *App) endRetired(ctx context.Context) error {
	if !a.commits.TryLock() {
		return nil // a commit looks itself
	}
	defer a.commits.Unlock()
	_, b := a.inForce()
	now := a.clock.Now()
	if since := now.Sub(a.retiredAt); len(b.retired) == 0 || since >= 0 && since < retiredEvery {
		return nil
	}
	a.retiredAt = now
	next := *b
	next.retired = nil
	for _, t := range b.retired {
		live, err := a.deliver.LiveOf(ctx, t.node.Name, t.target.Info().Domain)
		if err != nil {
			return err
		}
		if live > 0 {
			next.retired = append(next.retired, t)
		}
	}
	if len(next.retired) == len(b.retired) {
		return nil
	}
	writes, err := a.retiredWrites(ctx, &next)
	if err == nil {
		_, err = a.store.Commit(ctx, &store.Commit{Writes: writes})
	}
	if err != nil {
		return fmt.Errorf("forget removed nodes: %w", err)
	}
	a.mu.Lock()
	a.built = &next
	a.mu.Unlock()
	if err := a.protect(ctx); err != nil {
		return err
	}
	b.closeBut(slices.Concat(next.targets, next.retired))
	return a.forgetDomains(ctx, &next)
}
