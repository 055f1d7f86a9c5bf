package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestSparseProgress: where nobody sits at a terminal a line comes once an interval, and
// none from a command that is done sooner.
func TestSparseProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		every time.Duration
		json  bool
		want  int
	}{{0, false, 2}, {time.Hour, false, 0}, {0, true, 2}} {
		var errs bytes.Buffer
		tell := (&cli{err: &errs, json: c.json}).sparse(c.every)
		tell("1 of 3")
		tell("2 of 3")
		lines := strings.Count(errs.String(), "\n")
		if lines != c.want || strings.ContainsAny(errs.String(), "\r\x1b") || c.json != strings.HasPrefix(errs.String(), "{") {
			t.Errorf("every %s: %q", c.every, errs.String())
		}
	}
}
