package threatconnect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Doer sends one request once; httpx.Client is one.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Options are what a Client works with. All are required but Log and Once.
type Options struct {
	Connection Connection
	HTTP       Doer
	Clock      sdk.Clock
	Log        *slog.Logger
	Once       bool // one attempt at each call: where a person waits
}

// Client calls one instance as one API user. Safe for concurrent use.
type Client struct {
	o     Options
	base  string
	login login
	skew  atomic.Int64 // see Skew
}

// New returns a client; it makes no call.
func New(o Options) *Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{o: o, base: o.Connection.base()}
	c.login = newLogin(&o.Connection)
	return c
}

// Skew is how far the instance's clock was ahead of ours at its last answer, to the
// second; 0 before the first. Times that are compared with the instance's own, such as
// a cursor, must be of its clock.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

// ClockOff says in words how far this machine's clock is from the instance's where that
// is further than signed requests may be, "" where it is not.
func (c *Client) ClockOff() string {
	if c.Skew().Abs() < clockWindow-time.Minute {
		return ""
	}
	return off(c.Skew())
}

// off says in words what an offset of the instance's clock means for ours.
func off(offset time.Duration) string {
	side := "behind"
	if offset < 0 {
		side = "ahead of"
	}
	return fmt.Sprintf("this machine's clock is %s %s ThreatConnect's", offset.Abs().Round(time.Second), side)
}

// offset is how far the instance's clock is ahead of ours by an answer.
func (c *Client) offset(resp *http.Response) (offset time.Duration, known bool) {
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return at.Sub(c.o.Clock.Now()), true
}

func (c *Client) noteClock(resp *http.Response) {
	if offset, known := c.offset(resp); known {
		c.skew.Store(int64(offset.Truncate(time.Second)))
	}
}

// attempts and the waits between them: reads are repeated, doubling from firstWait.
const (
	attempts  = 4
	firstWait = 2 * time.Second
	// patience is the longest wait a service may ask for within one read.
	patience = 2 * time.Minute
)

// longQuery is the length from which a query goes as a JSON body, which the API
// takes with a GET: proxies cut longer request lines.
const longQuery = 2000

// get reads path below the API's base and hands the body to read, which may be
// called again after an answer that was cut off. It repeats what time may heal; the
// error is an *sdk.Error.
func (c *Client) get(ctx context.Context, path string, query url.Values, read func(io.Reader) error) error {
	wait := firstWait
	for n := 1; ; n++ {
		err := c.once(ctx, http.MethodGet, path, query, nil, read)
		var own *callerError
		if errors.As(err, &own) {
			return own.err
		}
		if err == nil || c.o.Once || n == attempts || ctx.Err() != nil || !healable(err) {
			return err
		}
		pause := wait
		var e *sdk.Error
		if errors.As(err, &e) && !e.RetryAt.IsZero() {
			if pause = max(e.RetryAt.Sub(c.o.Clock.Now()), 0); pause > patience {
				return err
			}
		}
		c.o.Log.Warn("reading from ThreatConnect failed, trying again", "path", path, "wait", pause, "error", err)
		if c.o.Clock.Sleep(ctx, pause) != nil {
			return err // stopped while waiting: the failure is the news
		}
		wait *= 2
	}
}

// callerError is what the caller's own function returned while an answer was read:
// no fault of the service's, so nothing is repeated for it.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }

func caller(err error) error {
	if err == nil {
		return nil
	}
	return &callerError{err}
}

func healable(err error) bool {
	switch sdk.FailureOf(err) {
	case sdk.NotSent, sdk.Throttled, sdk.Unavailable, sdk.InDoubt:
		return true
	}
	return false
}

// once makes one call, twice where the first was answered 401.
func (c *Client) once(ctx context.Context, method, path string, query url.Values, body []byte, read func(io.Reader) error) error {
	for again := true; ; again = false {
		req, err := c.request(ctx, method, path, query, body)
		if err != nil {
			return err
		}
		if err := c.login.authorize(ctx, c, req); err != nil {
			return err
		}
		resp, err := c.o.HTTP.Do(req)
		if err != nil {
			return c.unreached(ctx, err)
		}
		c.noteClock(resp)
		if resp.StatusCode == http.StatusUnauthorized && again && c.login.recover(ctx, c, resp) {
			_ = resp.Body.Close() // a refusal; the call is made again
			continue
		}
		return c.answer(resp, read)
	}
}

func (c *Client) answer(resp *http.Response, read func(io.Reader) error) error {
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return c.refusal(resp)
	}
	if err := read(resp.Body); err != nil {
		var e *sdk.Error
		var own *callerError
		if errors.As(err, &e) || errors.As(err, &own) {
			return err
		}
		return &sdk.Error{Failure: sdk.Unavailable, Message: "ThreatConnect's answer was cut off or is no JSON", Err: err}
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Request, error) {
	target := c.base + path
	if text := encode(query); len(text) >= longQuery && method == http.MethodGet {
		var err error
		if body, err = json.Marshal(map[string]any{"data": flat(query)}); err != nil {
			return nil, &sdk.Error{Failure: sdk.Permanent, Message: "the query cannot be written as JSON", Err: err}
		}
	} else if text != "" {
		target += "?" + text
	}
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, &sdk.Error{Failure: sdk.Permanent, Message: "cannot make a request to " + c.base, Err: err}
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// encode writes spaces as %20: both forms are accepted, and %20 survives proxies
// that normalise "+".
func encode(query url.Values) string { return strings.ReplaceAll(query.Encode(), "+", "%20") }

// flat is a query as the JSON form of it wants: single values plain, several as a
// list.
func flat(query url.Values) map[string]any {
	out := map[string]any{}
	for k, v := range query {
		if len(v) == 1 {
			out[k] = v[0]
		} else {
			out[k] = v
		}
	}
	return out
}
