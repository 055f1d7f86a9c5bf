package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/sdk"
)

// SourceCase is a config that works, with the far end ready for it.
type SourceCase struct {
	// Config is the YAML under config:.
	Config string
	// Unchanged says that the far end stays as it is between two polls.
	Unchanged bool
	// Secrets are texts of Config that must never be shown.
	Secrets []string
	// Broken is the same config aimed at a far end that fails; empty if the class
	// has none.
	Broken string
	// Stalled is a config whose far end never finishes answering; empty if the
	// class has none.
	Stalled string
	// Env changes the environment the source is built with; may be nil.
	Env func(*sdk.Env)
}

// TestSource runs the conformance suite of sources on one class.
func TestSource(t *testing.T, name string, c SourceCase) {
	t.Helper()
	class := Class(t, sdk.RoleSource, name)
	s := &sourceSuite{class: class, c: c}
	t.Run("class", func(t *testing.T) { TestClass(t, class) })
	t.Run("info", s.info)
	t.Run("two polls", s.twoPolls)
	t.Run("cancelled before", s.cancelledBefore)
	t.Run("sink fails", s.sinkFails)
	if c.Broken != "" {
		t.Run("broken", s.broken)
	}
	if c.Stalled != "" {
		t.Run("cancelled while it waits", s.cancelledWhile)
	}
}

type sourceSuite struct {
	class sdk.Class
	c     SourceCase
}

// build makes the source and returns what it logged.
func (s *sourceSuite) build(t *testing.T, config string) (sdk.Source, *logs) {
	t.Helper()
	log := &logs{}
	env := Env(t)
	env.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.c.Env != nil {
		s.c.Env(&env)
	}
	return Build(t, s.class, config, env), log
}

// Env is an environment for one node, with a clock that never waits and a scratch
// folder of the test's own.
func Env(tb testing.TB) sdk.Env {
	tb.Helper()
	return sdk.Env{Node: "node", Log: slog.New(slog.DiscardHandler), Clock: NewClock(time.Time{}), Dir: tb.TempDir(), BaseDir: tb.TempDir()}
}

// Build makes a source of class from YAML; an error ends the test.
func Build(tb testing.TB, class sdk.Class, config string, env sdk.Env) sdk.Source {
	tb.Helper()
	cfg, err := Decode(class, config)
	if err != nil {
		tb.Fatalf("decode the config: %v", err)
	}
	if errs := cfg.(sdk.Validator).Validate(); len(errs) > 0 {
		tb.Fatalf("the config is not valid: %v", errors.Join(errs...))
	}
	n, err := class.New(cfg, env)
	if err != nil {
		tb.Fatalf("build the source: %v", err)
	}
	return n.(sdk.Source)
}

func (s *sourceSuite) info(t *testing.T) {
	a, _ := s.build(t, s.c.Config)
	b, _ := s.build(t, s.c.Config)
	i := a.Info()
	switch i.Shape {
	case sdk.Snapshot, sdk.Changes, sdk.Events:
	default:
		t.Errorf("shape %q", i.Shape)
	}
	if i.Interval <= 0 || i.Origin == "" || i.Fingerprint == "" {
		t.Errorf("info lacks an interval, an origin or a fingerprint: %+v", i)
	}
	if i != b.Info() {
		t.Errorf("two sources of one config differ: %+v, %+v", i, b.Info())
	}
	cfg, err := Decode(s.class, s.c.Config)
	if err != nil {
		t.Fatal(err)
	}
	s.noSecrets(t, "the config", printed(cfg))
	s.noSecrets(t, "the info", fmt.Sprintf("%+v", i))
}

func (s *sourceSuite) noSecrets(t *testing.T, where, text string) {
	t.Helper()
	if found := leaks(s.c.Secrets, text); len(found) > 0 {
		t.Errorf("%s shows %q:\n%s", where, found, text)
	}
}

// twoPolls: the second, with the state of the first, says that nothing changed or
// adds the same; a poll without state always adds it.
func (s *sourceSuite) twoPolls(t *testing.T) {
	before := goleak.IgnoreCurrent()
	src, log := s.build(t, s.c.Config)
	var first, second, third RecordingSink
	p1, err := src.Poll(t.Context(), nil, &first)
	if err != nil {
		t.Fatalf("first poll: %v", err)
	}
	if p1.NotModified || p1.Body == "" || len(first.Added()) == 0 {
		t.Errorf("first poll: %+v with %d rows; want rows and the name of the body", p1, len(first.Added()))
	}
	p2, err := src.Poll(t.Context(), p1.Next, &second)
	if err != nil {
		t.Fatalf("second poll: %v", err)
	}
	if s.c.Unchanged && !p2.NotModified && second.String() != first.String() {
		t.Errorf("second poll of the same:\n%s\nwant\n%s", second.String(), first.String())
	}
	if p2.NotModified && second.String() != "" {
		t.Errorf("not modified, and yet it added:\n%s", second.String())
	}
	again, _ := s.build(t, s.c.Config)
	if _, err := again.Poll(t.Context(), nil, &third); err != nil {
		t.Fatalf("poll without state: %v", err)
	}
	if s.c.Unchanged && third.String() != first.String() {
		t.Errorf("a poll without state:\n%s\nwant\n%s", third.String(), first.String())
	}
	s.noSecrets(t, "the log", log.String())
	s.noSecrets(t, "the state", string(p1.Next))
	goleak.VerifyNone(t, before)
}

func (s *sourceSuite) cancelledBefore(t *testing.T) {
	src, _ := s.build(t, s.c.Config)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.Poll(ctx, nil, &RecordingSink{}); err == nil {
		t.Error("a poll under an ended context passed for complete")
	}
}

// sinkFails: what the engine cannot take must not pass for a complete poll.
func (s *sourceSuite) sinkFails(t *testing.T) {
	src, _ := s.build(t, s.c.Config)
	full := errors.New("the store is full")
	_, err := src.Poll(t.Context(), nil, &RecordingSink{Fail: full})
	if !errors.Is(err, full) {
		t.Errorf("poll into a failing sink: %v", err)
	}
}

func (s *sourceSuite) broken(t *testing.T) {
	before := goleak.IgnoreCurrent()
	src, log := s.build(t, s.c.Broken)
	p, err := src.Poll(t.Context(), nil, &RecordingSink{})
	if err == nil {
		t.Fatalf("a poll of a failing far end: %+v", p)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		s.noSecrets(t, "the error", e.Error())
	}
	s.noSecrets(t, "the log", log.String())
	goleak.VerifyNone(t, before)
}

func (s *sourceSuite) cancelledWhile(t *testing.T) {
	before := goleak.IgnoreCurrent()
	src, _ := s.build(t, s.c.Stalled)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := src.Poll(ctx, nil, &RecordingSink{})
		done <- err
	}()
	time.AfterFunc(100*time.Millisecond, cancel) // by then it waits for the far end
	select {
	case err := <-done:
		if err == nil {
			t.Error("a cancelled poll passed for complete")
		}
	case <-time.After(1100 * time.Millisecond):
		t.Errorf("a poll went on for a second after it was cancelled; in the end it returned %v", <-done)
	}
	goleak.VerifyNone(t, before)
}

// logs collects log lines of several goroutines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.b.String())
}
