package cli_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/app/cli"
)

// stopping is a context that ends at its nth consultation, wherever that is.
type stopping struct {
	context.Context
	stop context.CancelFunc
	left atomic.Int64
}

func stopAt(parent context.Context, n int) *stopping {
	s := &stopping{}
	s.Context, s.stop = context.WithCancel(parent)
	s.left.Store(int64(n))
	return s
}

func (s *stopping) consulted() {
	if s.left.Add(-1) == 0 {
		s.stop()
	}
}

func (s *stopping) Err() error            { s.consulted(); return s.Context.Err() }
func (s *stopping) Done() <-chan struct{} { s.consulted(); return s.Context.Done() }

const stopConfig = `instance: stop
web: {listen: "127.0.0.1:0"}
nodes:
  iocs: {class: list, attributes: {confidence: 90}, config: {path: iocs.yaml, kind: domain}}
  out: {class: feed, inputs: [iocs]}
`

// A stop is a success wherever it meets the process: while it reads its store, while it
// is brought to life, before and after it serves.
func TestRun_AStopThatWasAskedForIsNoFailure(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "remeld.yaml")
	if err := os.WriteFile(config, []byte(stopConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "iocs.yaml"), []byte("[bad-0001.evil.example.com]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	state := func(n int) string { return filepath.Join(dir, fmt.Sprint("state", n)) }
	// Opening consults the context so often; running does at once, so that one more
	// always ends it.
	open := stopAt(t.Context(), 0)
	a, err := app.Open(open, app.Options{Config: []string{config}, State: state(0), Clock: app.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	most := -int(open.left.Load())
	for n := 1; n <= most+1; n++ {
		ctx := stopAt(t.Context(), n)
		root := cli.Root()
		root.SetArgs([]string{"run", "-c", config, "--state", state(n)})
		if err := root.ExecuteContext(ctx); err != nil {
			t.Errorf("stopped at consultation %d of %d: %v", n, most, err)
		}
		ctx.stop()
	}
	if most == 0 {
		t.Error("opening never looked whether it should stop")
	}
}
