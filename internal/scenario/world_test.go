package scenario

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// begin is where the clock of every scenario stands at first.
var begin = time.Date(2027, 1, 4, 6, 0, 0, 0, time.UTC)

const (
	day      = 24 * time.Hour
	tenant   = sandbox.DemoTenant
	otherApp = "5a4db0c5-0000-4000-8000-0000000000b2"
)

// world is a tenant with its clock, and the feeds.
type world struct {
	t     *testing.T
	sb    *sandbox.Sandbox
	clock *clock
	sites []*site // running
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, 30*365*day)
}

// newWorldWith is newWorld whose tokens live so long.
func newWorldWith(t *testing.T, tokens time.Duration) *world {
	t.Helper()
	t.Parallel()
	sb, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Options{
		Start: begin, Frozen: true, PlainAddr: "127.0.0.1:0", Dir: t.TempDir(), TokenLifetime: tokens,
		ThreatConnect: sandbox.ThreatConnect{Size: -1, TagsModify: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sb: sb, clock: newClock(sb)}
	t.Cleanup(func() {
		for len(w.sites) > 0 {
			w.sites[0].stop()
		}
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// feed sets what a feed says from now on.
func (w *world) feed(name string, lines ...string) {
	w.t.Helper()
	if err := w.sb.SetFeed(sandbox.Feed{Name: name, Steps: []sandbox.Step{{Body: []byte(strings.Join(append(lines, ""), "\n"))}}}); err != nil {
		w.t.Fatal(err)
	}
}

// fault makes calls go wrong until the returned function is called.
func (w *world) fault(r sandbox.Rule) (end func()) {
	w.t.Helper()
	id, err := w.sb.AddFault(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { w.sb.RemoveFault(id) }
}

// site is one installation: a configuration, a state directory, a process.
type site struct {
	*world
	dir  string
	app  *app.App
	end  context.CancelFunc
	done chan error
	size int // nodes and tenants, each with a loop
}

// open starts an installation with these nodes; more is whatever else stands at the
// top of the configuration.
func (w *world) open(nodes string, more ...string) *site {
	w.t.Helper()
	s := w.prepare(nodes, more...)
	s.start()
	return s
}

// prepare is open without starting.
func (w *world) prepare(nodes string, more ...string) *site {
	w.t.Helper()
	s := &site{world: w, dir: w.t.TempDir()}
	s.write(nodes, more...)
	return s
}

// credentials of the configuration; a test may replace the secret.
const secretFile = "secret"

func (s *site) write(nodes string, more ...string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, secretFile), []byte(sandbox.DemoSecret), 0o600); err != nil {
		s.t.Fatal(err)
	}
	text := fmt.Sprintf(`connections:
  contoso: {type: entra, tenant_id: %[1]s, client_id: %[2]s, client_secret: "${file:%[3]s}", authority: %[4]q, defender: %[4]q, sentinel: %[4]q, management: %[4]q, graph: %[4]q, ca: %[5]q}
%[6]s
nodes:
%[7]s`, tenant, sandbox.DemoApp, secretFile, s.sb.URL(), s.sb.CAFile(), strings.Join(more, "\n"),
		strings.ReplaceAll(nodes, "FEEDS/", s.sb.PlainURL()+"/feeds-src/"))
	s.file("remeld.yaml", text)
}

// file writes a file beside the configuration.
func (s *site) file(name, text string) {
	s.t.Helper()
	tmp := filepath.Join(s.dir, "."+name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) start() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() && os.Getenv("SCENARIO_LOG") != "" {
		log = slog.New(slog.NewTextHandler(s.t.Output(), nil))
	}
	a, err := app.Open(s.t.Context(), app.Options{Config: []string{filepath.Join(s.dir, "remeld.yaml")}, State: filepath.Join(s.dir, "state"), Clock: s.clock, Log: log, NoWeb: true})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	s.app, s.end, s.done = a, cancel, make(chan error, 1)
	go func() { s.done <- a.Run(ctx) }()
	s.world.sites = append(s.world.sites, s)
	s.resize()
	s.settle()
}

// stop ends the process and waits for it.
func (s *site) stop() {
	s.t.Helper()
	s.end()
	if err := <-s.done; err != nil {
		s.t.Errorf("run: %v", err)
	}
	if err := s.app.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
	for i, other := range s.world.sites {
		if other == s {
			s.world.sites = append(s.world.sites[:i:i], s.world.sites[i+1:]...)
		}
	}
}

// resize learns how many loops run besides the fixed ones.
func (s *site) resize() {
	s.t.Helper()
	nodes, err := s.app.Nodes(s.t.Context(), app.None{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.size = len(nodes)
	v, err := s.app.Status(s.t.Context(), app.None{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.size += len(v.Destinations) // each tenant has a loop
}
