package format

import (
	"errors"
	"fmt"
	"sync"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// Result counts what a body held.
type Result struct {
	Added   int64 // values that are indicators, repeats included
	Refused int64
}

// hopeless is the number of refused values, with not one good among them, after
// which a body is not read to its end.
const hopeless = 50_000

// tally counts over the goroutines of one parse.
type tally struct {
	mu    sync.Mutex
	n     Result
	first *indicator.Refusal
	line  int
	head  head
}

// add joins a goroutine's counts and reports whether the body still looks like a
// feed.
func (t *tally) add(n Result, first *indicator.Refusal, line int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n.Added += n.Added
	t.n.Refused += n.Refused
	if first != nil && (t.first == nil || line < t.line) {
		t.first, t.line = first, line
	}
	if t.n.Added == 0 && t.n.Refused >= hopeless {
		return t.noFeed()
	}
	return nil
}

// verdict is asked at the end: nothing good and something bad is no feed.
func (t *tally) verdict() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n.Added == 0 && t.n.Refused > 0 {
		return t.noFeed()
	}
	return nil
}

// ErrNoFeed is wrapped by the error of a body in which nothing is an indicator.
var ErrNoFeed = errors.New("the body does not look like a feed")

func (t *tally) noFeed() error {
	msg := fmt.Sprintf("none of the %d values read is an indicator", t.n.Refused)
	if t.first != nil {
		where := ""
		if t.line > 0 {
			where = fmt.Sprintf("line %d: ", t.line)
		}
		msg += fmt.Sprintf("; first: %s%q (%s: %s)", where, clip(t.first.Text), t.first.Reason, t.first.Detail)
	}
	return &sdk.Error{Failure: sdk.Permanent, Message: msg + "; " + t.head.hint(), Err: ErrNoFeed}
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
