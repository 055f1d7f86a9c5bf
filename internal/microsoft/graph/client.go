// Package graph is a thin typed client of Microsoft Graph's tiIndicator calls. The
// entity is deprecated and exists in the beta version alone. It makes exactly one
// attempt a call and sorts what comes back into sdk.Error kinds; pacing and retrying
// are the business of delivery.
package graph

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/microsoft/rest"
	"github.com/remeld/remeld/sdk"
)

// Published limits (Microsoft Graph, tiIndicator pages and throttling limits).
const (
	MaxBulk   = 100  // items of a bulk call
	PerMinute = 1000 // calls per app and tenant
	MaxTop    = 1000 // rows of a page
	// Capacity is what a tenant of Defender for Endpoint holds; Sentinel names none.
	Capacity = 15_000
	// MaxDescription is in characters.
	MaxDescription = 100
)

// The products an indicator can be for.
const (
	Sentinel = "Azure Sentinel"
	Defender = "Microsoft Defender ATP"
)

const root = "/beta/security/tiIndicators"

// Client calls one tenant's API. Safe for concurrent use.
type Client struct{ rest *rest.Client }

// New returns a client of Graph at base ("https://graph.microsoft.com").
func New(base, scope string, tokens rest.Tokens, client rest.Doer) *Client {
	return &Client{rest.New(rest.Options{
		Service: "Microsoft Graph", Base: base, Scope: scope, Tokens: tokens, HTTP: client,
		Role:   "the app needs the application permission ThreatIndicators.ReadWrite.OwnedBy of Microsoft Graph with admin consent",
		Refine: refine,
	})}
}

// refine reads what Graph means: a segment that does not exist means that the entity is
// gone from this cloud or version.
func refine(e *sdk.Error, _ int, _ []byte) {
	if strings.Contains(e.Message, "Resource not found for the segment") {
		e.Failure = sdk.Permanent
		e.Message += "; this cloud has no tiIndicators any more: use class sentinel or defender"
	}
}

// tooMuch turns the answer to a bulk call that was too much for the provider behind
// Graph, a failure without a word, into a refusal of the batch, which delivery halves:
// fewer at a time were seen to pass. Of a single item it says nothing but that the
// service failed.
func tooMuch(err error, body []byte) error {
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != "UnknownError" || e.Failure != sdk.Unavailable {
		return err
	}
	if items, bad := Unbulk[json.RawMessage](body); bad != nil || len(items) < 2 {
		return err
	}
	return &sdk.Error{Failure: sdk.Refused, Code: e.Code, Message: "Graph's provider gave up without a word, as it does on batches that are too large"}
}

// List reads one page: the first with next "", the following with the next that came
// with the one before; "" is the end. An app sees its own indicators only.
func (c *Client) List(ctx context.Context, next string) (page []Item, after string, served time.Time, err error) {
	first := next == ""
	if first { // without $top the service fails on large sets
		next = root + "?" + url.Values{"$top": {strconv.Itoa(MaxTop)}}.Encode()
	}
	reply, err := c.rest.Call(ctx, http.MethodGet, next, nil)
	if err != nil {
		if first && sdk.FailureOf(err) == sdk.Missing { // seen as the answer of an empty set
			err = nil
		}
		return nil, "", reply.Served, err
	}
	var answer struct {
		Value []Item `json:"value"`
		Next  string `json:"@odata.nextLink"`
	}
	if err := c.rest.Read(reply, &answer); err != nil {
		return nil, "", reply.Served, err
	}
	switch {
	case answer.Value == nil || reply.Status == http.StatusPartialContent:
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "Graph's listing is not whole: a provider behind it failed"}
	case answer.Next != "" && answer.Next == next:
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "Graph's listing is not whole: a page names itself as the next"}
	}
	return answer.Value, answer.Next, reply.Served, err
}

// Submit creates indicators: body is of Bulk. It is not idempotent.
func (c *Client) Submit(ctx context.Context, body []byte) ([]Item, time.Time, error) {
	return bulk[Item](ctx, c, "submitTiIndicators", body)
}

// Update changes indicators by id: body is of Bulk.
func (c *Client) Update(ctx context.Context, body []byte) ([]Item, time.Time, error) {
	return bulk[Item](ctx, c, "updateTiIndicators", body)
}

// Delete removes indicators by id: body is of Bulk.
func (c *Client) Delete(ctx context.Context, body []byte) ([]Result, time.Time, error) {
	return bulk[Result](ctx, c, "deleteTiIndicators", body)
}

// DeleteByExternalID removes indicators by external id: body is of Bulk.
func (c *Client) DeleteByExternalID(ctx context.Context, body []byte) ([]Result, time.Time, error) {
	return bulk[Result](ctx, c, "deleteTiIndicatorsByExternalId", body)
}

// UpdateOne changes one indicator; Defender's indicators know no bulk update.
func (c *Client) UpdateOne(ctx context.Context, id string, body []byte) (time.Time, error) {
	reply, err := c.rest.Call(ctx, http.MethodPatch, root+"/"+url.PathEscape(id), body)
	return reply.Served, err
}

// DeleteOne removes one indicator; Defender's indicators know no bulk delete.
func (c *Client) DeleteOne(ctx context.Context, id string) (time.Time, error) {
	reply, err := c.rest.Call(ctx, http.MethodDelete, root+"/"+url.PathEscape(id), nil)
	return reply.Served, err
}

// Bulk writes the body of a bulk call.
func Bulk[T any](items []T) ([]byte, error) { return json.Marshal(map[string][]T{"value": items}) }

// Unbulk reads what Bulk wrote.
func Unbulk[T any](body []byte) ([]T, error) {
	var b struct {
		Value []T `json:"value"`
	}
	err := json.Unmarshal(body, &b)
	return b.Value, err
}

// bulk makes a bulk call; 200 and 206 differ in nothing but that some items failed.
func bulk[T any](ctx context.Context, c *Client, action string, body []byte) ([]T, time.Time, error) {
	reply, err := c.rest.Call(ctx, http.MethodPost, root+"/"+action, body)
	if err != nil {
		return nil, reply.Served, tooMuch(err, body)
	}
	var answer struct {
		Value []T `json:"value"`
	}
	err = c.rest.Read(reply, &answer)
	return answer.Value, reply.Served, err
}
