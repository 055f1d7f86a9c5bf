package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/sdk/sdktest"
)

// offline opens an installation as a command does where no process runs.
func offline(t *testing.T, dir string) *App {
	t.Helper()
	a, err := Open(t.Context(), Options{Config: []string{filepath.Join(dir, "remeld.yaml")}, State: filepath.Join(dir, "state"),
		Clock: sdktest.NewClock(time.Time{}), Log: slog.New(slog.DiscardHandler), NoWeb: true, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestE11_VersionAndNodesChangeInOneCommit: a command that is killed right after the
// nodes of a new configuration are in the store has put that configuration in force; the
// next one does not take the nodes back to the one before.
func TestE11_VersionAndNodesChangeInOneCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(node string) {
		t.Helper()
		text := fmt.Sprintf("instance: t\nnodes:\n  %s: {class: http, config: {url: \"http://127.0.0.1:9/x\", kind: domain}}\n", node)
		if err := os.WriteFile(filepath.Join(dir, "remeld.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	if err := offline(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	write("two")
	a := offline(t, dir)
	if !a.hasNode("one") || a.hasNode("two") {
		t.Fatal("a command put an edited configuration in force")
	}
	cfg, err := a.load()
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.builder(cfg).build()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.record(t.Context(), cfg, next); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil { // nothing of what follows a record is done
		t.Fatal(err)
	}
	a = offline(t, dir)
	defer a.Close()
	if now, _ := a.inForce(); now.Version != cfg.Version || !a.hasNode("two") {
		t.Errorf("version %s is in force, its nodes are those of %s", now.Version, cfg.Version)
	}
	v, err := a.Commit(t.Context(), CommitArgs{Preview: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range v.Steps {
		if s.Action != graph.Keep {
			t.Errorf("the nodes are not those of the configuration in force: %+v", s)
		}
	}
}
