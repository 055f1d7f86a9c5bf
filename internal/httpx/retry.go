package httpx

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/remeld/remeld/sdk"
)

// firstWait is the middle of the wait before the second attempt; each further
// one is four times as long.
const firstWait = time.Second

// retry repeats attempt while it fails in a way that time may heal, waiting
// longer each time and never less than the server asked for.
func (c *Client) retry(ctx context.Context, u *url.URL, attempt func() error) error {
	wait := firstWait
	for n := 0; ; n++ {
		err := attempt()
		if err == nil || n >= c.o.Retries || ctx.Err() != nil || !healable(err) {
			return err
		}
		pause, ok := c.pause(err, wait)
		if !ok {
			return err
		}
		c.o.Log.Warn("fetch failed, trying again", "url", c.redact.url(u), "wait", pause, "error", err)
		if c.o.Clock.Sleep(ctx, pause) != nil {
			return err // stopped while waiting: the failure is the news
		}
		wait *= 4
	}
}

func healable(err error) bool {
	switch sdk.FailureOf(err) {
	case sdk.NotSent, sdk.Throttled, sdk.Unavailable:
		return true
	}
	return false
}

// pause is the wait after err; false if the server asked for more than MaxWait.
func (c *Client) pause(err error, wait time.Duration) (time.Duration, bool) {
	wait = min(wait, c.o.MaxWait)
	wait = wait/2 + rand.N(wait) // half to one and a half: clients must not march in step
	var e *sdk.Error
	if errors.As(err, &e) && !e.RetryAt.IsZero() {
		asked := e.RetryAt.Sub(c.o.Clock.Now())
		if asked > c.o.MaxWait {
			return 0, false
		}
		wait = max(wait, asked)
	}
	return min(wait, c.o.MaxWait), true
}

// retryAfter reads Retry-After: seconds, or a date taken against the server's own
// Date so that two clocks need not agree.
func retryAfter(h http.Header, now time.Time) (time.Time, bool) {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseInt(v, 10, 32); err == nil && s >= 0 {
		return now.Add(time.Duration(s) * time.Second), true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return time.Time{}, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return now.Add(max(0, at.Sub(date))), true
	}
	return at, true
}
