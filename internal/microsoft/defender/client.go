// Package defender is a thin typed client of the Microsoft Defender for Endpoint
// Indicators API: list, import, BatchDelete. It makes exactly one attempt a call
// and sorts what comes back into sdk.Error kinds; pacing and retrying are the
// business of delivery.
package defender

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Published limits of the API (Microsoft Learn, "Import indicators", "List
// indicators", "Delete batch of indicators", 2025).
const (
	MaxImport   = 500
	MaxDelete   = 500
	MaxTop      = 10_000
	Capacity    = 15_000
	MaxValueLen = 800
)

// Scope is what a token for the API is asked for, whatever the host of the calls:
// regional hosts are no resources of their own (Microsoft Learn, "Create an app to
// access Microsoft Defender for Endpoint without a user").
const Scope = "https://api.securitycenter.microsoft.com/.default"

// Tokens hands out bearer tokens; entra.TokenSource is one.
type Tokens interface {
	Token(ctx context.Context, scope string) (token string, fresh bool, err error)
	Forget()
}

// Client calls one tenant's API. Safe for concurrent use.
type Client struct {
	base   string // without trailing slash
	tokens Tokens
	http   Doer
}

// Doer sends one request once; httpx.Client is one.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// New returns a client of the API at base ("https://api.security.microsoft.com").
func New(base string, tokens Tokens, client Doer) *Client {
	return &Client{base: base, tokens: tokens, http: client}
}

// List reads one page of up to top indicators after skip.
func (c *Client) List(ctx context.Context, top, skip int) (page []Listed, served time.Time, err error) {
	q := url.Values{"$top": {strconv.Itoa(top)}, "$skip": {strconv.Itoa(skip)}}
	var answer struct {
		Value []Listed `json:"value"`
	}
	served, err = c.call(ctx, http.MethodGet, "/api/indicators?"+q.Encode(), nil, &answer)
	if err == nil && answer.Value == nil {
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "the listing of Defender's indicators has no value list"}
	}
	return answer.Value, served, err
}

// Import sends a body of up to MaxImport indicators and returns the result of
// each in order.
func (c *Client) Import(ctx context.Context, body []byte) (results []ImportResult, served time.Time, err error) {
	var answer struct {
		Value []ImportResult `json:"value"`
	}
	served, err = c.call(ctx, http.MethodPost, "/api/indicators/import", body, &answer)
	return answer.Value, served, err
}

// BatchDelete removes up to MaxDelete indicators by id; one unknown id makes the
// service refuse the whole call with Missing.
func (c *Client) BatchDelete(ctx context.Context, body []byte) (served time.Time, err error) {
	return c.call(ctx, http.MethodPost, "/api/indicators/BatchDelete", body, nil)
}

// call makes one attempt. out is filled from a 200; a 204 has no body.
func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) (time.Time, error) {
	token, fresh, err := c.tokens.Token(ctx, Scope)
	if err != nil {
		return time.Time{}, err
	}
	sent := false
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent = true }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return time.Time{}, &sdk.Error{Failure: sdk.Permanent, Message: "cannot make a request to " + c.base, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return time.Time{}, transportError(ctx, c.base, sent, err)
	}
	defer resp.Body.Close()
	served, _ := http.ParseTime(resp.Header.Get("Date"))
	data, err := io.ReadAll(resp.Body) // capped by the client
	if err != nil {
		return served, transportError(ctx, c.base, true, fmt.Errorf("answer cut off after %d bytes: %w", len(data), err))
	}
	if resp.StatusCode/100 != 2 {
		return served, c.refusal(resp, data, fresh, served)
	}
	if out == nil {
		return served, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return served, &sdk.Error{Failure: sdk.InDoubt, Message: "Defender's answer is not the JSON it should be", Err: err}
	}
	return served, nil
}

// transportError tells a call that never left from one whose effect is unknown.
func transportError(ctx context.Context, base string, sent bool, err error) error {
	if !sent {
		if ctx.Err() != nil {
			return &sdk.Error{Failure: sdk.NotSent, Message: "the call was given up before it was sent", Err: ctx.Err()}
		}
		return &sdk.Error{Failure: sdk.NotSent, Message: "cannot reach " + base, Err: err}
	}
	return &sdk.Error{Failure: sdk.InDoubt, Message: "no whole answer from " + base, Err: err}
}
