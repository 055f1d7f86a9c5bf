package sdktest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
)

func TestClockMovesWhenItIsSleptOn(t *testing.T) {
	c := NewClock(time.Time{})
	start := c.Now()
	if err := c.Sleep(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Minute)
	if got := c.Now().Sub(start); got != time.Hour+time.Minute || len(c.Slept()) != 1 {
		t.Errorf("moved by %s, slept %v", got, c.Slept())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Sleep(ended, time.Hour); !errors.Is(err, context.Canceled) || c.Now().Sub(start) > 2*time.Hour {
		t.Errorf("slept under an ended context: %v", err)
	}
}

func TestSinkPrintsInOneOrder(t *testing.T) {
	var s RecordingSink
	attrs := indicator.Attributes{Tags: []string{"a"}}
	for _, v := range []string{"b.example", "a.example", "192.0.2.1"} {
		i, err := indicator.Parse(indicator.Unknown, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Fork().Add(i.AppendKey(nil), &attrs); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(i.AppendKey(nil)); err != nil {
			t.Fatal(err)
		}
		attrs.Tags[0] = "b" // the sink must have copied
	}
	s.Refuse(3, &indicator.Refusal{Text: "x", Reason: "r"})
	want := "+ ipv4 192.0.2.1 {\"tags\":[\"b\"]}\n+ domain a.example {\"tags\":[\"b\"]}\n+ domain b.example {\"tags\":[\"a\"]}\n" +
		"- ipv4 192.0.2.1\n- domain a.example\n- domain b.example\n! 3 r \"x\"\n"
	if got := s.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if err := s.Add([]byte{250, 1}, nil); err == nil {
		t.Error("a key that is none was taken")
	}
}
