package graphti

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"

	"github.com/remeld/remeld/internal/microsoft/entra"
	api "github.com/remeld/remeld/internal/microsoft/graph"
)

// readLag is how long a write may be missing from a listing.
const readLag = time.Minute

// deprecated: Microsoft Graph, tiIndicator, and the SDK's deprecation marks.
const deprecated = "Microsoft deprecated tiIndicators on 2024-04-10 and removes them by April 2026; use class sentinel or class defender"

type target struct {
	config Config
	rules  mapping.Rules
	say    mapping.Say
	conn   *entra.Connection
	name   string // of the connection
	http   *httpx.Client
	tokens *entra.TokenSource
	client *api.Client
}

func build(cfg Config, env sdk.Env) (sdk.Target, error) {
	conn, client, tokens, err := entra.Open("graph_tiindicators", env)
	if err != nil {
		return nil, err
	}
	t, err := mapper(cfg)
	if err != nil {
		return nil, err
	}
	t.conn, t.name, t.http, t.tokens = conn, env.Connection.Name, client, tokens
	t.client = api.New(conn.GraphURL(), conn.GraphScope(), t.tokens, client)
	return t, nil
}

// mapper is a target as far as it maps and encodes.
func mapper(cfg Config) (*target, error) {
	rules, err := mapping.Compile(cfg.Rules)
	if err != nil {
		return nil, fmt.Errorf("class graph_tiindicators: %w", err)
	}
	tlp, _ := indicator.ParseTLP(cfg.DefaultTLP) // checked by its enum
	return &target{config: cfg, rules: rules, say: mapping.Say{
		Product: cfg.Product, Description: cfg.Describe, TLP: tlp, ThreatType: mapping.GraphThreat(cfg.ThreatType, cfg.ThreatType),
	}}, nil
}

// Info declares the published limits. An app sees only what it created, so that it is
// part of the domain; Defender's slots are those of class defender in the tenant.
func (t *target) Info() sdk.TargetInfo {
	tenant, app := strings.ToLower(t.conn.TenantID), strings.ToLower(t.conn.ClientID)
	product := strings.ReplaceAll(strings.ToLower(t.config.Product), " ", "_")
	domain := "graph/" + tenant + "/" + app + "/" + product
	call := sdk.Op{Batch: api.MaxBulk, PerMinute: api.PerMinute, RateKey: "graph/" + tenant + "/" + app + "/tiindicators"}
	one := call
	page := call
	page.Batch = api.MaxTop
	one.Idempotent = true // an id is changed to the same, or is gone
	info := sdk.TargetInfo{
		Domain: domain, Quota: domain,
		Ops:     map[sdk.OpName]sdk.Op{sdk.OpUpsert: call, sdk.OpUpdate: one, sdk.OpDelete: call, sdk.OpList: page},
		ReadLag: readLag, App: t.conn.ClientID,
		MaxTLP: indicator.AmberStrict, Connection: t.name, Expiry: t.config.Expiration.life(), Deprecated: deprecated,
	}
	if t.config.Product == api.Defender {
		// Its page supports no bulk updates and deletes.
		one.Batch, call.Batch = 1, 1
		info.Ops[sdk.OpUpdate], info.Ops[sdk.OpDelete] = one, call
		info.Quota, info.Capacity, info.Reserve = "defender/"+tenant, t.config.Capacity, t.config.Reserve
	}
	return info
}

// List pages through the app's indicators and keeps those of the product: the
// service's filter was seen not to work on it.
func (t *target) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	listing := sdk.Listing{OwnOnly: true}
	seen := map[string]bool{}
	for next := ""; ; {
		if err := gate(ctx, sdk.OpList); err != nil {
			return listing, err
		}
		page, after, served, err := t.client.List(ctx, next)
		if err != nil {
			return listing, err
		}
		listing.ServerTime = served
		for i := range page {
			if seen[page[i].ID] {
				return listing, &sdk.Error{Failure: sdk.Unavailable, Message: "the app's indicators changed while they were listed (id " + page[i].ID + " came twice); they will be listed again"}
			}
			seen[page[i].ID] = true
			if page[i].TargetProduct != t.config.Product {
				continue
			}
			listing.Count++
			if err := fn(t.remote(&page[i])); err != nil {
				return listing, err
			}
		}
		if after == "" {
			return listing, nil
		}
		next = after
	}
}

func (t *target) remote(item *api.Item) sdk.Remote {
	i := &item.Indicator
	mark, fixed := markOf(i.ExternalID)
	if i.TargetProduct == api.Defender {
		said, behind := told(i.Description)
		if i.Description = said; mark == "" {
			mark = behind
		}
	}
	if fixed == "" || i.TargetProduct == api.Defender { // the action that is in force tells
		fixed = fixedOf(i)
	}
	slot := slotOf(i)
	_, value := observable(i)
	expires, _ := time.Parse(time.RFC3339Nano, i.ExpirationDateTime) // absent = never expires
	return sdk.Remote{
		ID: i.ID, Identity: slot + "|" + fixed, Slot: slot, Action: string(i.Action), Value: value, Mark: mark,
		// Nothing of another app is ever listed.
		App: t.conn.ClientID, Expires: expires, Hash: hashOf(i), Raw: item.Raw,
	}
}
