package main

import (
	"context"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox/vclock"
	"github.com/remeld/remeld/sdk"
)

// sleepy is a target whose calls wait for the clock themselves, as a pace below
// delivery's would make them.
type sleepy struct {
	sdk.Target
	clock sdk.Clock
}

func (s *sleepy) Send(ctx context.Context, _ sdk.OpName, _ []byte) (sdk.Answer, error) {
	return sdk.Answer{}, s.clock.Sleep(ctx, time.Second)
}

// TestStandingClockWakesACallThatSleeps: else nobody would ever move it.
func TestStandingClockWakesACallThatSleeps(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := &standing{clock: vclock.New(start, 0, time.Now)}
	stop := clock.drive()
	defer stop()
	d := &distant{Target: &sleepy{clock: clock}, clock: clock}
	done := make(chan error)
	for range 3 {
		go func() { _, err := d.Send(ctx, sdk.OpUpsert, nil); done <- err }()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if took := clock.Now().Sub(start); took != time.Second+latency {
		t.Errorf("three calls beside each other took %s", took)
	}
}

// TestStandingClockStandsWhileAnybodyWorks: the states are those of runtime.Stack.
func TestStandingClockStandsWhileAnybodyWorks(t *testing.T) {
	t.Parallel()
	self := "goroutine 9 [running]:\nmain.drive()\n\t/a.go:1\n\n"
	for state, want := range map[string]bool{
		"chan receive": true, "select, 2 minutes": true, "IO wait": true, "sync.Cond.Wait": true, "semacquire": true,
		"running": false, "runnable": false, "syscall": false, "GC assist wait": false, "sleep": false,
	} {
		stacks := self + "goroutine 1 [chan receive]:\nmain.main()\n\t/a.go:2\n\ngoroutine 7 [" + state + "]:\nmain.work()\n\t/a.go:3\n"
		if got := parked([]byte(stacks)); got != want {
			t.Errorf("%s: parked is %v", state, got)
		}
	}
}

func TestOnlyTakesOneDoor(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-only", "doors/sentinel"})
	if err != nil || !o.wants("doors", "sentinel") || o.wants("doors", "defender") {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := parse([]string{"-only", "doors/none"}); err == nil {
		t.Error("takes a door that is none")
	}
}
