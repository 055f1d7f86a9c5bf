package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
)

// upstream is the engine as delivery sees it.
type upstream struct{ *engine.Engine }

// Watermark implements deliver.Upstream.
func (u upstream) Watermark(ctx context.Context, node string) (deliver.Watermark, error) {
	w, err := u.Engine.Watermark(ctx, node)
	return deliver.Watermark(w), err
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
