package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/remeld/remeld/sdk"
)

// Client fetches. It is safe for concurrent use. It keeps idle connections for
// some seconds; CloseIdle drops them.
type Client struct {
	o      Options
	http   *http.Client
	guard  *guard
	redact redactor
}

// Validators are what a server gave to ask later whether anything changed.
type Validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// Response is an answer whose body is open.
type Response struct {
	// NotModified: the server says that nothing changed since the validators;
	// Body is empty then.
	NotModified bool
	Validators  Validators
	Header      http.Header
	// Body is decoded and capped. Its errors are *sdk.Error; anything but io.EOF
	// means that it is incomplete. Close it.
	Body io.ReadCloser
}

// New builds a client. The files of CA and client certificate are read, so that
// a wrong path is found now.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	if o.Clock == nil {
		return nil, fmt.Errorf("httpx: no clock")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g, err := newGuard(o)
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, guard: g, redact: newRedactor(o.secrets())}
	c.http = &http.Client{Transport: &credentials{next: g, o: o}, CheckRedirect: c.checkRedirect}
	return c, nil
}

// CloseIdle closes the connections that are not in use.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Get opens rawURL, repeating failed attempts as Options say. v asks for the body
// only if it changed.
func (c *Client) Get(ctx context.Context, rawURL string, v Validators) (*Response, error) {
	u, err := c.parse(rawURL)
	if err != nil {
		return nil, err
	}
	var resp *Response
	err = c.retry(ctx, u, func() error {
		resp, err = c.attempt(ctx, u, v)
		return err
	})
	return resp, err
}

// Do sends req once, without retries and without following a redirect of
// anything but GET and HEAD: whether a write may be repeated is for the caller to
// decide (SEMANTICS D12). An answer of any status is returned, its body decoded
// and capped; the error is for calls that got no answer.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	resp, err := c.send(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	open, err := c.openBody(resp, cancel)
	if err != nil {
		cancel()
		return nil, c.failure(req.URL, err)
	}
	resp.Body = c.typed(req.URL, open, cancel)
	resp.Header.Del("Content-Encoding")
	resp.ContentLength = -1
	return resp, nil
}

func (c *Client) parse(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, &sdk.Error{Failure: sdk.Permanent, Message: "the URL is not of the form https://host/path: correct it in the config"}
	}
	if len(c.o.Params) > 0 {
		q := u.Query()
		for k, v := range c.o.Params {
			q.Set(k, v.Reveal())
		}
		u.RawQuery = q.Encode()
	}
	return u, nil
}

// attempt makes one conditional GET and opens a good answer.
func (c *Client) attempt(ctx context.Context, u *url.URL, v Validators) (*Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, c.failure(u, err)
	}
	if v.ETag != "" {
		req.Header.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		req.Header.Set("If-Modified-Since", v.LastModified)
	}
	resp, err := c.send(req)
	if err != nil {
		cancel()
		return nil, err
	}
	out := &Response{Header: resp.Header, Body: http.NoBody, Validators: Validators{
		ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified")}}
	if resp.StatusCode == http.StatusNotModified && v != (Validators{}) {
		_ = resp.Body.Close() // has no content
		cancel()
		out.NotModified, out.Validators = true, v
		return out, nil
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		defer cancel()
		defer func() { _ = resp.Body.Close() }() // its status is the error to tell
		return nil, c.statusFailure(u, resp)
	}
	open, err := c.openBody(resp, cancel)
	if err != nil {
		cancel()
		return nil, c.failure(u, err)
	}
	out.Body = c.typed(u, open, cancel)
	return out, nil
}

// send paces and sends one request with its redirects.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	if err := hosts.wait(req.Context(), c.o.Clock, req.URL.Host, c.o.PerSecond); err != nil {
		return nil, c.failure(req.URL, err)
	}
	req = req.WithContext(context.WithValue(req.Context(), journeyKey{}, &journey{start: req.URL}))
	req.Header.Set("Accept-Encoding", "gzip, deflate, zstd")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.o.UserAgent)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failure(req.URL, err)
	}
	return resp, nil
}

// checkRedirect decides whether a redirect is followed; where it leads is the
// guard's business.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if m := via[0].Method; m != http.MethodGet && m != http.MethodHead {
		return http.ErrUseLastResponse
	}
	if len(via) > c.o.MaxRedirects {
		return &guardError{fmt.Sprintf("more than %d redirects", c.o.MaxRedirects)}
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
		return &guardError{"an https server redirected to unprotected http, which is refused"}
	}
	return nil
}

// typed makes the errors of a body *sdk.Error and ends its context on Close.
func (c *Client) typed(u *url.URL, rc io.ReadCloser, cancel context.CancelFunc) io.ReadCloser {
	return &typedBody{rc: rc, cancel: cancel, fail: func(err error) error { return c.failure(u, err) }}
}

type typedBody struct {
	rc     io.ReadCloser
	cancel context.CancelFunc
	fail   func(error) error
}

func (b *typedBody) Read(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errCut
		}
		err = b.fail(err)
	}
	return n, err
}

// Close ends the request and closes the body.
func (b *typedBody) Close() error {
	b.cancel()
	return b.rc.Close()
}
