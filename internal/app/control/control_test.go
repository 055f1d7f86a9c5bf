package control

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type codedError struct{}

func (codedError) Error() string { return "no such thing" }
func (codedError) Code() string  { return "absent" }

func methods() Methods {
	m := Methods{}
	Add(m, "double", func(ctx context.Context, n int) (int, error) {
		Report(ctx, "at %d", n)
		if n < 0 {
			return 0, codedError{}
		}
		return 2 * n, nil
	})
	return m
}

func serve(t *testing.T, state string) {
	t.Helper()
	l, err := Listen(state)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, methods()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestCallsCarryResultsProgressAndErrors(t *testing.T) {
	state := t.TempDir()
	serve(t, state)
	client, err := Dial(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var told []string
	ctx := WithProgress(t.Context(), func(text string) { told = append(told, text) })
	var out int
	if err := client.Call(ctx, "double", 21, &out); err != nil || out != 42 || strings.Join(told, " ") != "at 21" {
		t.Errorf("%d, %v, told %q", out, err, told)
	}
	var e *Error
	if err := client.Call(ctx, "double", -1, &out); !errors.As(err, &e) || e.Code != "absent" || e.Text != "no such thing" {
		t.Errorf("%v", err)
	}
	if err := client.Call(ctx, "double", "text", &out); err == nil || !strings.Contains(err.Error(), "arguments of double") {
		t.Errorf("%v", err)
	}
	if err := client.Call(ctx, "triple", 1, &out); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(Path(state)); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("%v, %v", info, err)
	}
}

// TestE15_StaleSocketIsRecognised: a socket file that nobody listens on is no
// process, and does not keep one from starting.
func TestE15_StaleSocketIsRecognised(t *testing.T) {
	state := t.TempDir()
	if _, err := Dial(t.Context(), state); !errors.Is(err, ErrNoProcess) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: Path(state), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(t.Context(), state); !errors.Is(err, ErrNoProcess) {
		t.Errorf("stale socket: %v", err)
	}
	serve(t, state)
	client, err := Dial(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

func TestLongStatePathsGetAShortSocket(t *testing.T) {
	if p := Path("/" + strings.Repeat("long/", 40)); len(p) > maxPath {
		t.Errorf("%d characters: %s", len(p), p)
	}
	if Path("/a/"+strings.Repeat("x", 120)) == Path("/b/"+strings.Repeat("x", 120)) {
		t.Error("two state directories share a socket")
	}
}
