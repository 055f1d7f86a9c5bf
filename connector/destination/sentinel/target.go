package sentinel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/stix"

	"github.com/remeld/remeld/internal/microsoft/entra"
	api "github.com/remeld/remeld/internal/microsoft/sentinel"
)

// readLag is how long a write may be missing from a query: the objects pass an
// ingestion first (minutes were seen).
const readLag = 10 * time.Minute

type target struct {
	config  Config
	api     api.API
	rules   mapping.Rules
	say     mapping.Say
	conn    *entra.Connection
	name    string // of the connection
	http    *httpx.Client
	tokens  *entra.TokenSource
	base    string // of the upload API
	uploads *api.Client
	manager *api.Manager // nil where the workspace's place is not configured
}

func build(cfg Config, env sdk.Env) (sdk.Target, error) {
	conn, client, tokens, err := entra.Open("sentinel", env)
	if err != nil {
		return nil, err
	}
	t, err := mapper(cfg)
	if err != nil {
		return nil, err
	}
	t.conn, t.name, t.http, t.tokens = conn, env.Connection.Name, client, tokens
	t.base = conn.SentinelURL()
	if t.api == api.Legacy && conn.Sentinel == "" {
		t.base = api.LegacyBase
	}
	t.uploads = api.New(t.base, conn.ManagementScope(), cfg.Workspace, t.api, tokens, client)
	if at, ok := cfg.place(); ok {
		t.manager = api.NewManager(conn.ManagementURL(), conn.ManagementScope(), at, tokens, client)
	}
	return t, nil
}

// mapper is a target as far as it maps and encodes.
func mapper(cfg Config) (*target, error) {
	rules, err := mapping.Compile(cfg.Rules)
	if err != nil {
		return nil, fmt.Errorf("class sentinel: %w", err)
	}
	tlp, _ := indicator.ParseTLP(cfg.DefaultTLP) // checked by its enum; "" is none
	return &target{
		config: cfg, api: api.API(cfg.API), rules: rules,
		say: mapping.Say{Title: cfg.Name, Description: cfg.Describe, ThreatType: cfg.ThreatType, TLP: tlp},
	}, nil
}

// Info declares the published limits (Microsoft Learn, upload API). Both operations
// are the same call, so they share its window.
func (t *target) Info() sdk.TargetInfo {
	domain := "sentinel/" + strings.ToLower(t.config.Workspace) + "/" + t.config.SourceSystem
	app := strings.ToLower(t.conn.TenantID + "/" + t.conn.ClientID)
	upload := sdk.Op{Batch: api.MaxUpload, PerMinute: api.PerMinute, RateKey: "sentinel/" + app + "/upload", Idempotent: true}
	info := sdk.TargetInfo{
		Domain: domain, Quota: domain,
		Ops: map[sdk.OpName]sdk.Op{
			sdk.OpUpsert: upload, sdk.OpDelete: upload,
			// The management plane's own limit on reads by one app in a subscription.
			sdk.OpList: {Batch: api.MaxPage, PerHour: 12_000, RateKey: "sentinel/" + app + "/query"},
		},
		ReadLag: readLag,
		// The service names no app with objects of the upload API that could be relied
		// on; the source system is its own notion of who wrote an object.
		App:    t.config.SourceSystem,
		MaxTLP: indicator.AmberStrict, Connection: t.name, Expiry: t.config.Expiration.life(), Retires: true,
	}
	if t.manager == nil {
		info.Blind = "the upload API only writes; give subscription, resource_group and workspace_name, so that the workspace can be queried"
	}
	return info
}

// List reads the indicators of our source system by the management plane, revoked
// ones too. Objects of other source systems are rows of their own that never meet
// ours.
func (t *target) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	var listing sdk.Listing
	if t.manager == nil {
		return listing, &sdk.Error{Failure: sdk.Permanent, Message: t.Info().Blind}
	}
	seen, others := map[string]bool{}, 0
	for next := ""; ; {
		if err := gate(ctx, sdk.OpList); err != nil {
			return listing, err
		}
		page, served, err := t.manager.Query(ctx, t.config.SourceSystem, next)
		if err != nil {
			return listing, err
		}
		listing.ServerTime = served
		others += page.Others
		for i := range page.Ours {
			r, err := remote(&page.Ours[i])
			if err != nil {
				return listing, &sdk.Error{Failure: sdk.Unavailable, Message: "an object of Sentinel's listing cannot be read", Err: err}
			}
			if seen[r.ID] {
				return listing, shifted("id " + r.ID + " came twice")
			}
			seen[r.ID] = true
			if !r.Withdrawn {
				listing.Count++
			}
			if err := fn(r); err != nil {
				return listing, err
			}
		}
		if page.Next == "" {
			return listing, t.counted(ctx, gate, len(seen)+others)
		}
		next = page.Next
	}
}

// counted compares a listing with the service's own count: pages that end early are
// no complete listing (SEMANTICS D3).
func (t *target) counted(ctx context.Context, gate sdk.Gate, listed int) error {
	if err := gate(ctx, sdk.OpList); err != nil {
		return err
	}
	n, _, err := t.manager.Count(ctx, t.config.SourceSystem)
	if err != nil {
		return err
	}
	if n > listed {
		return shifted(fmt.Sprintf("%d were listed, %d are counted", listed, n))
	}
	return nil
}

func shifted(how string) error {
	return &sdk.Error{Failure: sdk.Unavailable, Message: "the workspace's indicators changed while they were listed (" + how + "); it will be listed again"}
}

func remote(f *api.Found) (sdk.Remote, error) {
	var s stix.Indicator
	if err := json.Unmarshal(f.Properties.Data, &s); err != nil {
		return sdk.Remote{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	if s.ID == "" {
		return sdk.Remote{}, fmt.Errorf("%s has no STIX id", f.Name)
	}
	r := sdk.Remote{
		ID: s.ID, Identity: s.ID, Slot: s.ID, Value: s.Pattern, App: f.Properties.Source, Raw: f.Properties.Data,
		Expires: s.ValidUntil.Time, Created: s.Created.Time, Modified: s.Modified.Time, Withdrawn: s.Revoked,
	}
	r.Mark, r.Generation = markOf(s.ExternalReferences)
	// What is no single comparison is nothing that we would write.
	if values, err := stix.ValuesOf(s.Pattern); err == nil && len(values) == 1 {
		r.Identity = identity(values[0])
		r.Slot, r.Value, r.Hash = r.Identity, values[0].Value, hashOf(&s)
	}
	return r, nil
}
