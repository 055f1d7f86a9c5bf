package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/store"
)

// configSpace holds the configuration in force under inForceKey, and under
// retiredKey the one that each target stood in whose rows are being withdrawn.
const configSpace = "config"

const inForceKey = "in-force"

// keptConfig is a configuration as the store has it.
type keptConfig struct {
	Version string `json:"version"`
	// Text is nil where a secret stands in the configuration itself: the store keeps
	// none.
	Text *config.Text `json:"text,omitempty"`
}

func keep(cfg *config.Config) (keptConfig, error) {
	k := keptConfig{Version: cfg.Version}
	text, err := cfg.Text()
	if errors.Is(err, config.ErrConfidential) {
		return k, nil
	}
	k.Text = &text
	return k, err
}

// configWrite is the write that makes cfg the configuration in force; none where it is.
// It belongs into the commit that changes the nodes: a process that ends between the
// two would take the nodes back to the configuration before.
func (a *App) configWrite(ctx context.Context, cfg *config.Config) ([]store.Write, error) {
	k, err := keep(cfg)
	if err != nil {
		return nil, fmt.Errorf("keep the configuration: %w", err)
	}
	return a.docWrite(ctx, inForceKey, k)
}

// docWrite is the write of a document of configSpace; none where it stands.
func (a *App) docWrite(ctx context.Context, key string, doc any) ([]store.Write, error) {
	val, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("keep the configuration: %w", err)
	}
	v, err := a.store.View()
	if err != nil {
		return nil, fmt.Errorf("keep the configuration: %w", err)
	}
	defer v.Close()
	was, err := v.Get(ctx, configSpace, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("keep the configuration: %w", err)
	}
	if bytes.Equal(was, val) {
		return nil, nil
	}
	return []store.Write{{Space: configSpace, Key: []byte(key), Value: val}}, nil
}

// kept is what the store has of the configuration in force, nil if there is none.
func (a *App) kept(ctx context.Context) (*keptConfig, error) {
	v, err := a.store.View()
	if err != nil {
		return nil, fmt.Errorf("read the configuration in force: %w", err)
	}
	defer v.Close()
	val, err := v.Get(ctx, configSpace, []byte(inForceKey))
	if err != nil || val == nil {
		return nil, err
	}
	k := &keptConfig{}
	if err := json.Unmarshal(val, k); err != nil {
		return nil, fmt.Errorf("read the configuration in force: %w", err)
	}
	return k, nil
}

// ErrNotKept says that a command has nothing to work on: the files were edited and
// what is in force is not kept.
var ErrNotKept = errors.New("the configuration was edited since it was put in force, and the one in force is not kept because a secret stands in it: " +
	"remeld commit puts the edit in force, or undo it; where every secret is behind a reference, ${env:NAME}, nothing has to be done")

// inForceOr is the configuration that the store works by: the one on disk where that
// is the one in force or none is, else the one in force as it was kept. edited is nil
// where what is on disk does not load.
func (a *App) inForceOr(k *keptConfig, edited *config.Config) (*config.Config, error) {
	switch {
	case k == nil || edited != nil && k.Version == edited.Version:
		return edited, nil
	case k.Text == nil:
		return nil, ErrNotKept
	}
	return a.loadText(*k.Text)
}

func (a *App) loadText(text config.Text) (*config.Config, error) {
	cfg, found := config.LoadText(text, loadOptions(a.opts.State, a.keys.hash))
	if found.HasErrors() {
		return nil, &ConfigError{Findings: found}
	}
	return cfg, nil
}
