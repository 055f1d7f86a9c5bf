package defender

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
	"github.com/remeld/remeld/internal/microsoft/entra"
)

// markPrefix begins the externalId of our rows: "remeld/MARK/…".
const markPrefix = "remeld/"

// readLag is how long a write may be missing from a listing (seen by other
// clients of the API: deletes are not visible at once).
const readLag = 20 * time.Second

type target struct {
	config Config
	action string // the API's word
	rules  mapping.Rules
	say    mapping.Say
	groups []string // device groups, sorted
	conn   *entra.Connection
	name   string // of the connection
	client *api.Client
	http   *httpx.Client
	tokens *entra.TokenSource
	log    *slog.Logger
	// dropped counts the rows of the last listing that came back without the
	// techniques they were sent with.
	dropped atomic.Int64
}

func build(cfg Config, env sdk.Env) (sdk.Target, error) {
	conn, client, tokens, err := entra.Open("defender", env)
	if err != nil {
		return nil, err
	}
	t, err := mapper(cfg)
	if err != nil {
		return nil, err
	}
	t.conn, t.name, t.tokens, t.http, t.log = conn, env.Connection.Name, tokens, client, env.Log
	t.client = api.New(conn.DefenderURL(), conn.DefenderScope(), t.tokens, client)
	return t, nil
}

// mapper is a target as far as it maps.
func mapper(cfg Config) (*target, error) {
	rules, err := mapping.Compile(cfg.Rules)
	if err != nil {
		return nil, fmt.Errorf("class defender: %w", err)
	}
	groups := slices.Sorted(slices.Values(cfg.Groups))
	return &target{
		config: cfg, action: actions[cfg.Action], rules: rules, groups: groups,
		say: mapping.Say{
			Title: cfg.Title, Description: cfg.Describe, Recommend: cfg.Recommend,
			EducateURL: cfg.EducateURL, Groups: groups, Alerts: cfg.Alerts, Techniques: cfg.Techniques, Category: cfg.Category,
		},
	}, nil
}

// Blocks tells whether what the node or the rule that counts does about the record
// stops something, if only until a user goes on; an audit reports.
func (t *target) Blocks(rec *indicator.Record) bool {
	_, said := t.rule(rec)
	return said.action != mapping.DefenderAudit
}

// Info declares the published limits (Microsoft Learn, indicators API pages). Single
// indicators go by import as well: one call of either takes one of a window, but an
// import carries up to 500, answers for each, and has no hourly limit, while single
// posts are 1,500 an hour. Posts would be the better budget only for the rest of a
// minute in which 15,000 indicators were imported.
func (t *target) Info() sdk.TargetInfo {
	tenant := "defender/" + strings.ToLower(t.conn.TenantID)
	rate := func(path string) string { return tenant + "/" + strings.ToLower(t.conn.ClientID) + path }
	network, file := t.config.Expiration.Network, t.config.Expiration.File
	return sdk.TargetInfo{
		Domain: t.domain(tenant), Quota: tenant,
		Capacity: t.config.Capacity, Reserve: t.config.Reserve,
		Ops: map[sdk.OpName]sdk.Op{
			sdk.OpUpsert: {Batch: api.MaxImport, PerMinute: 30, RateKey: rate("/import"), Idempotent: true},
			sdk.OpDelete: {Batch: api.MaxDelete, PerMinute: 30, PerHour: 1500, RateKey: rate("/batchdelete")},
			sdk.OpList:   {Batch: api.MaxTop, PerMinute: 100, PerHour: 1500, RateKey: rate("/list")},
		},
		ReadLag: readLag, App: t.conn.ClientID, MaxTLP: indicator.AmberStrict, Connection: t.name,
		Expiry: map[indicator.Kind]time.Duration{
			indicator.IPv4: network, indicator.IPv6: network, indicator.Domain: network, indicator.URL: network,
			indicator.MD5: file, indicator.SHA1: file, indicator.SHA256: file, indicator.Certificate: file,
		},
	}
}

// List pages through the tenant's indicators. The API has no snapshot: an id that
// comes twice means the pages shifted under us, and the listing is not complete.
func (t *target) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	if err := t.checkGroups(ctx, gate); err != nil {
		return sdk.Listing{}, err
	}
	listing := sdk.Listing{OwnOnly: t.ownOnly(ctx)}
	seen, dropped := map[string]bool{}, int64(0)
	for {
		if err := gate(ctx, sdk.OpList); err != nil {
			return listing, err
		}
		page, more, served, err := t.client.List(ctx, listing.Count)
		if err != nil {
			return listing, err
		}
		listing.ServerTime = served
		for i := range page {
			if seen[page[i].ID] {
				return listing, &sdk.Error{Failure: sdk.Unavailable, Message: "the tenant's indicators changed while they were listed (id " + page[i].ID + " came twice); it will be listed again"}
			}
			seen[page[i].ID] = true
			if strings.HasSuffix(page[i].ExternalID, techniquesSent) && len(page[i].Techniques) == 0 {
				dropped++
			}
			if err := fn(t.remote(&page[i])); err != nil {
				return listing, err
			}
		}
		listing.Count += len(page)
		if len(page) < api.MaxTop && !more {
			t.noteDropped(dropped)
			return listing, nil
		}
	}
}

// noteDropped keeps how many rows of a listing lost their techniques, and logs a new
// number.
func (t *target) noteDropped(n int64) {
	if t.dropped.Swap(n) != n && n > 0 {
		t.log.Warn("the tenant dropped the techniques of indicators", "indicators", n, "todo", droppedHelp)
	}
}

// ownOnly: an app with Ti.ReadWrite but without Ti.ReadWrite.All sees only its
// own rows. Without a readable token the question is left to the listing.
func (t *target) ownOnly(ctx context.Context) bool {
	roles, err := t.tokens.Roles(ctx, t.conn.DefenderScope())
	if err != nil {
		return false
	}
	own := false
	for _, r := range roles {
		if r == "Ti.ReadWrite.All" {
			return false
		}
		own = own || r == "Ti.ReadWrite"
	}
	return own
}

// remote is a listed row. One of another scope is never this destination's, whoever
// made it: a node of that scope keeps it, or takes it over.
func (t *target) remote(l *api.Listed) sdk.Remote {
	groups := slices.Sorted(slices.Values(l.RBACGroups))
	slot := slotOf(l.Type, l.Value, groups)
	expires, _ := time.Parse(time.RFC3339Nano, l.ExpirationTime) // absent = never expires
	r := sdk.Remote{
		ID: l.ID, Identity: slot + "|" + l.Action, Slot: slot, Action: l.Action, Value: l.Value,
		Mark: markOf(l.ExternalID), App: l.CreatedBy, Expires: expires, Raw: l.Raw,
		Hash: hashOf(&api.Indicator{
			Value: l.Value, Type: l.Type, Action: l.Action, Title: l.Title, Description: l.Description, EducateURL: l.EducateURL,
			Severity: l.Severity, RecommendedActions: l.Recommended, GenerateAlert: l.GenerateAlert,
		}),
	}
	if !slices.Equal(groups, t.groups) {
		r.Mark, r.App = "", ""
	}
	return r
}

func markOf(externalID string) string {
	rest, ours := strings.CutPrefix(externalID, markPrefix)
	if !ours {
		return ""
	}
	mark, _, _ := strings.Cut(rest, "/")
	return mark
}

// Encode writes the body of one import or BatchDelete.
func (t *target) Encode(op sdk.OpName, items []sdk.SendItem) ([]byte, error) {
	if op == sdk.OpDelete {
		ids := make([]string, len(items))
		for i, item := range items {
			ids[i] = item.RemoteID
		}
		return json.Marshal(map[string][]string{"IndicatorIds": ids})
	}
	inds := make([]api.Indicator, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item.Object.Body, &inds[i]); err != nil {
			return nil, fmt.Errorf("read the mapped object of %s: %w", item.Object.Identity, err)
		}
		inds[i].ExpirationTime = item.Expires.UTC().Truncate(time.Second).Format(time.RFC3339)
		inds[i].ExternalID = markPrefix + item.Mark + "/" + hashOf(&inds[i])
		if len(inds[i].MitreTechniques) > 0 {
			inds[i].ExternalID += techniquesSent
		}
	}
	return json.Marshal(map[string][]api.Indicator{"Indicators": inds})
}

// Send makes one call with a stored body.
func (t *target) Send(ctx context.Context, op sdk.OpName, body []byte) (sdk.Answer, error) {
	if op == sdk.OpDelete {
		return t.delete(ctx, body)
	}
	var sent struct{ Indicators []api.Indicator }
	if err := json.Unmarshal(body, &sent); err != nil {
		return sdk.Answer{}, &sdk.Error{Failure: sdk.Permanent, Message: "the stored body cannot be read", Err: err}
	}
	results, served, err := t.client.Import(ctx, body)
	if err != nil {
		return sdk.Answer{ServerTime: served}, err
	}
	if err := matches(sent.Indicators, results); err != nil {
		return sdk.Answer{ServerTime: served}, &sdk.Error{Failure: sdk.InDoubt, Message: "Defender's import answer does not fit the call", Err: err}
	}
	answer := sdk.Answer{ServerTime: served, Outcomes: make([]sdk.Outcome, len(results))}
	for i, r := range results {
		answer.Outcomes[i] = outcome(r)
	}
	return answer, nil
}

func (t *target) delete(ctx context.Context, body []byte) (sdk.Answer, error) {
	var sent struct{ IndicatorIds []string }
	if err := json.Unmarshal(body, &sent); err != nil {
		return sdk.Answer{}, &sdk.Error{Failure: sdk.Permanent, Message: "the stored body cannot be read", Err: err}
	}
	served, err := t.client.BatchDelete(ctx, body)
	answer := sdk.Answer{ServerTime: served}
	if err != nil {
		return answer, err
	}
	for _, id := range sent.IndicatorIds {
		answer.Outcomes = append(answer.Outcomes, sdk.Outcome{Status: sdk.Accepted, RemoteID: id})
	}
	return answer, nil
}

// matches: the service answers in the order of the call; if it ever did not, ids
// would be stored under the wrong rows, and a withdrawal would delete another.
func matches(sent []api.Indicator, results []api.ImportResult) error {
	if len(sent) != len(results) {
		return fmt.Errorf("%d items sent, %d answered", len(sent), len(results))
	}
	for i := range sent {
		if fold(sent[i].Value) != fold(results[i].Indicator) {
			return fmt.Errorf("item %d sent as %q, answered as %q", i, sent[i].Value, results[i].Indicator)
		}
	}
	return nil
}

func outcome(r api.ImportResult) sdk.Outcome {
	switch {
	case !r.IsFailed && r.ID != "":
		return sdk.Outcome{Status: sdk.Accepted, RemoteID: r.ID}
	case !r.IsFailed:
		return sdk.Outcome{Status: sdk.Rejected, Code: "no_id", Reason: "the service reported success without an id"}
	case strings.HasPrefix(r.FailureReason, "Max capacity exceeded"):
		return sdk.Outcome{Status: sdk.Full, Code: "capacity", Reason: r.FailureReason}
	}
	return sdk.Outcome{Status: sdk.Rejected, Code: "refused_item", Reason: r.FailureReason}
}
