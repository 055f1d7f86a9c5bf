// Package rest makes the calls of Microsoft's REST APIs with a bearer token: one
// attempt each, sorted into the failures that delivery branches on (sdk.Error).
// The typed clients of Defender, Sentinel and Graph are written on it; it knows
// nothing of any of them but what its Options say.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Tokens hands out bearer tokens; entra.TokenSource is one. fresh tells that the
// token was not handed out before, so that its refusal cannot be blamed on its age.
type Tokens interface {
	Token(ctx context.Context, scope string) (token string, fresh bool, err error)
	Forget()
}

// Doer sends one request once; httpx.Client is one.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Options say which API is called and in which words its refusals are explained.
type Options struct {
	Service string // as a person knows it: "Defender"
	Base    string // without trailing slash
	Scope   string // of the token, whatever the host of the calls
	Tokens  Tokens
	HTTP    Doer
	// Role is what a person has to grant where the service answers 403.
	Role string
	// Refine may change the failure read from a refusal by what the service says in
	// the body; nil leaves it as its status has it.
	Refine func(e *sdk.Error, status int, body []byte)
}

// Client calls one API. Safe for concurrent use.
type Client struct{ o Options }

// New returns a client; it makes no call.
func New(o Options) *Client { return &Client{o} }

// Reply is a 2xx answer.
type Reply struct {
	Status int
	Header http.Header
	Served time.Time // the Date header; zero if absent
	Body   []byte
}

// Call makes one attempt. path begins with a slash, or is a whole URL below the
// API's base (as a service's own next link is). The error is an *sdk.Error, and
// Served of the reply is filled even then where the service answered.
func (c *Client) Call(ctx context.Context, method, path string, body []byte) (Reply, error) {
	target, err := c.address(path)
	if err != nil {
		return Reply{}, err
	}
	token, fresh, err := c.o.Tokens.Token(ctx, c.o.Scope)
	if err != nil {
		return Reply{}, err
	}
	sent := false
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent = true }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, target, bytes.NewReader(body))
	if err != nil {
		return Reply{}, &sdk.Error{Failure: sdk.Permanent, Message: "cannot make a request to " + c.o.Base, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return Reply{}, c.lost(ctx, sent, err)
	}
	defer resp.Body.Close()
	r := Reply{Status: resp.StatusCode, Header: resp.Header}
	r.Served, _ = http.ParseTime(resp.Header.Get("Date"))
	if r.Body, err = io.ReadAll(resp.Body); err != nil { // capped by the client
		return r, c.lost(ctx, true, fmt.Errorf("answer cut off after %d bytes: %w", len(r.Body), err))
	}
	if resp.StatusCode/100 != 2 {
		return r, c.refusal(&r, fresh)
	}
	return r, nil
}

// Read decodes a reply's body into out. What is no JSON is an answer that cannot be
// believed: the call is in doubt.
func (c *Client) Read(r Reply, out any) error {
	if err := json.Unmarshal(r.Body, out); err != nil {
		return &sdk.Error{Failure: sdk.InDoubt, Message: c.o.Service + "'s answer is not the JSON it should be", Err: err}
	}
	return nil
}

// lost tells a call that never left from one whose effect is unknown.
func (c *Client) lost(ctx context.Context, sent bool, err error) error {
	if !sent {
		if ctx.Err() != nil {
			return &sdk.Error{Failure: sdk.NotSent, Message: "the call was given up before it was sent", Err: ctx.Err()}
		}
		return &sdk.Error{Failure: sdk.NotSent, Message: "cannot reach " + c.o.Base, Err: err}
	}
	return &sdk.Error{Failure: sdk.InDoubt, Message: "no whole answer from " + c.o.Base, Err: err}
}
