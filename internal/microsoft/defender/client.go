// Package defender is a thin typed client of the Microsoft Defender for Endpoint
// Indicators API: list, import, BatchDelete. It makes exactly one attempt a call
// and sorts what comes back into sdk.Error kinds; pacing and retrying are the
// business of delivery.
package defender

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/remeld/remeld/internal/microsoft/rest"
	"github.com/remeld/remeld/sdk"
)

// Published limits of the API (Microsoft Learn, "Import indicators", "List
// indicators", "Delete batch of indicators", 2025).
const (
	MaxImport   = 500
	MaxDelete   = 500
	MaxTop      = 10_000
	Capacity    = 15_000
	MaxValueLen = 800  // UTF-16 units
	MaxTitle    = 4000 // UTF-16 units; seen by other clients of the API
)

// Client calls one tenant's API. Safe for concurrent use.
type Client struct{ rest, scores *rest.Client }

// New returns a client of the API at base ("https://api.security.microsoft.com") with
// tokens for scope, whatever the host.
func New(base, scope string, tokens rest.Tokens, client rest.Doer) *Client {
	o := rest.Options{
		Service: "Defender", Base: base, Scope: scope, Tokens: tokens, HTTP: client,
		Role: "the app needs the application permission Ti.ReadWrite.All of WindowsDefenderATP with admin consent",
	}
	scores := o
	scores.Role = "to check device_groups, the app needs the application permission Score.Read.All of WindowsDefenderATP with admin consent"
	return &Client{rest: rest.New(o), scores: rest.New(scores)}
}

// DeviceGroups returns the names of the tenant's device groups. The API that tells them
// is that of exposure scores; it needs a permission of its own.
func (c *Client) DeviceGroups(ctx context.Context) ([]string, error) {
	reply, err := c.scores.Call(ctx, http.MethodGet, "/api/exposureScore/ByMachineGroups", nil)
	var answer struct {
		Value []struct {
			Name string `json:"rbacGroupName"`
		} `json:"value"`
	}
	if err == nil {
		err = c.scores.Read(reply, &answer)
	}
	var names []string
	for _, g := range answer.Value {
		names = append(names, g.Name)
	}
	return names, err
}

// List reads the page of up to MaxTop indicators behind the first skip. more tells that
// the service named a further page, as it need not: only a page that is not full and
// names none is the last. Its link is not followed: it may name another of the
// service's hosts, which would not get the token, and $skip is what its pages document.
func (c *Client) List(ctx context.Context, skip int) (page []Listed, more bool, served time.Time, err error) {
	q := url.Values{"$top": {strconv.Itoa(MaxTop)}, "$skip": {strconv.Itoa(skip)}}
	var answer struct {
		Value []Listed `json:"value"`
		Next  string   `json:"@odata.nextLink"`
	}
	served, err = c.call(ctx, http.MethodGet, "/api/indicators?"+q.Encode(), nil, &answer)
	if err == nil && (answer.Value == nil || len(answer.Value) == 0 && answer.Next != "") {
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "a page of Defender's listing has no value list, or no value and another page behind it"}
	}
	return answer.Value, answer.Next != "", served, err
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
	reply, err := c.rest.Call(ctx, method, path, body)
	if err == nil && out != nil {
		err = c.rest.Read(reply, out)
	}
	return reply.Served, err
}
