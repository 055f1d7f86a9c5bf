package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/engine"
)

// upstream is the engine as delivery sees it. A node that was taken out while its
// rows are withdrawn (on_remove: withdraw) wants nothing and holds nothing up.
type upstream struct {
	engine  *engine.Engine
	hasNode func(name string) bool
	retires func(name string) bool
	lists   func(node string) []string // the protected lists of a destination
}

// Watermark implements deliver.Upstream.
func (u upstream) Watermark(ctx context.Context, node string) (deliver.Watermark, error) {
	if !u.hasNode(node) {
		w := deliver.Watermark{Settled: u.retires(node), AllowReady: true}
		if !w.Settled { // on_remove: keep, and delivery is about to be told
			w.Waiting = []string{node + ": the configuration is being changed"}
		}
		return w, nil
	}
	w, err := u.engine.Watermark(ctx, node)
	if err != nil {
		return deliver.Watermark{}, err
	}
	for _, list := range u.lists(node) {
		l, err := u.engine.Watermark(ctx, list)
		if err != nil {
			return deliver.Watermark{}, err
		}
		if !l.Settled {
			// As with an allow edge: nothing is created until it is known what must
			// not be (SEMANTICS E10, D7).
			w.Settled, w.AllowReady = false, false
			w.Waiting = append(w.Waiting, l.Waiting...)
		}
	}
	return deliver.Watermark(w), nil
}

// Desired implements deliver.Upstream.
func (u upstream) Desired(ctx context.Context, node string, fn func(*indicator.Record) error) error {
	if !u.hasNode(node) {
		return nil
	}
	return u.engine.Desired(ctx, node, fn)
}

// Lookup implements deliver.Upstream.
func (u upstream) Lookup(ctx context.Context, node string, i indicator.Indicator) (*indicator.Record, error) {
	if !u.hasNode(node) {
		return nil, nil
	}
	return u.engine.Lookup(ctx, node, i)
}

// Cause implements deliver.Causer: what an allow-list took out, and what its source
// deleted, is withdrawn first and has a limit of its own (SEMANTICS D4). The
// engine's causes are delivery's codes.
func (u upstream) Cause(ctx context.Context, node string, i indicator.Indicator) (reason.Code, error) {
	if !u.hasNode(node) {
		return reason.Retired, nil
	}
	cause, err := u.engine.Cause(ctx, node, i)
	return reason.Code(cause), err
}

// SystemClock is the wall clock.
type SystemClock struct{}

// Now implements sdk.Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep implements sdk.Clock.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ParseDuration reads a duration as in a configuration: 90m, 30d, 1w.
func ParseDuration(text string) (time.Duration, error) { return config.ParseDuration(text) }

// firstLine keeps a condition's message to one line.
func firstLine(err error) string {
	var e *ConfigError
	if errors.As(err, &e) {
		for _, d := range e.Findings {
			return d.Error()
		}
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
