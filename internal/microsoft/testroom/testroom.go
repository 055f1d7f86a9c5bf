// Package testroom is where the tests of Microsoft destinations meet the sandbox: one
// over TLS with a login at it, in real time, and what such tests do over and over. Use
// it in tests of a destination class only.
package testroom

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// Wall is the clock of tests against a sandbox that runs in real time. Nothing sleeps
// on it.
type Wall struct{}

// Now returns the real time.
func (Wall) Now() time.Time { return time.Now() }

// Sleep returns at once, with ctx's error.
func (Wall) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Room is a sandbox and a login of its demo app at every API of it. Log is what is
// logged under Env, at debug level.
type Room struct {
	*sandbox.Sandbox
	Login *entra.Connection
	Log   *bytes.Buffer
}

// Open starts a sandbox that ends with the test.
func Open(t *testing.T, o sandbox.Options) *Room {
	t.Helper()
	o.Dir = t.TempDir()
	sb, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	return &Room{Sandbox: sb, Log: &bytes.Buffer{}, Login: &entra.Connection{
		TenantID: sandbox.DemoTenant, ClientID: sandbox.DemoApp, ClientSecret: sandbox.DemoSecret, CA: sb.CAFile(),
		Authority: sb.URL(), Defender: sb.URL(), Sentinel: sb.URL(), Management: sb.URL(), Graph: sb.URL(),
	}}
}

// Env is what a destination of the room is built with.
func (r *Room) Env(node string) sdk.Env {
	return sdk.Env{
		Node: node, Clock: Wall{}, Log: slog.New(slog.NewTextHandler(r.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Connection: &sdk.Connection{Name: "sandbox", Type: entra.Type, Config: r.Login},
	}
}

// Set turns a switch of a sandbox.
func Set(t *testing.T, sb *sandbox.Sandbox, name, value string) {
	t.Helper()
	if err := sb.SetSwitch(name, value); err != nil {
		t.Fatal(err)
	}
}

// Free is a gate that lets every call through.
func Free(context.Context, sdk.OpName) error { return nil }

// Record is an indicator of which nothing is known.
func Record(t *testing.T, kind indicator.Kind, text string) *indicator.Record {
	t.Helper()
	i, err := indicator.Parse(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return &indicator.Record{Indicator: i}
}

// Send writes items in batches of the operation's size and returns their outcomes.
func Send(t *testing.T, target sdk.Target, op sdk.OpName, items []sdk.SendItem) []sdk.Outcome {
	t.Helper()
	var out []sdk.Outcome
	for batch := target.Info().Ops[op].Batch; len(items) > 0; {
		n := min(batch, len(items))
		body, err := target.Encode(op, items[:n])
		if err != nil {
			t.Fatal(err)
		}
		answer, err := target.Send(t.Context(), op, body)
		if err != nil {
			t.Fatal(err)
		}
		out, items = append(out, answer.Outcomes...), items[n:]
	}
	return out
}

// Golden compares a body with testdata/name, or writes that.
func Golden(t *testing.T, name string, body []byte, update bool) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name)
	if update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file) //nolint:gosec // a test names it
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", file, diff)
	}
}
