package app

import (
	"testing"
	"time"
)

// TestETA: the rest takes as long as what is done did, and nothing is said of what is
// not known.
func TestETA(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		took        time.Duration
		done, total int
		want        string
	}{
		{30 * time.Second, 100, 400, ", about 1m30s left"}, {0, 100, 400, ""}, {time.Second, 0, 400, ""}, {time.Second, 400, 400, ""}, {time.Second, 400, 0, ""},
	} {
		if got := eta(c.took, c.done, c.total); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
