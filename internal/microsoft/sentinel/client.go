// Package sentinel is a thin typed client of the two doors of Microsoft Sentinel's
// threat intelligence: the upload API, which only writes, and the management plane,
// which is asked what a workspace holds. It makes exactly one attempt a call and
// sorts what comes back into sdk.Error kinds; pacing and retrying are the business
// of delivery.
package sentinel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/microsoft/rest"
	"github.com/remeld/remeld/sdk"
)

// Published limits of the upload API (Microsoft Learn, "Import threat intelligence
// with the upload API (preview)", 2025). Both are per user, that is per app.
const (
	MaxUpload = 100 // objects a call
	PerMinute = 100 // calls
	// MaxSourceSystem is in characters.
	MaxSourceSystem = 256
	// MaxText is where pattern and description are cut in the workspace's tables.
	MaxText = 1000
)

// RestrictedSource belongs to the service itself and is refused.
const RestrictedSource = "Microsoft Sentinel"

// LegacyBase is the host of the legacy API; the current one is on a host of its own.
const LegacyBase = "https://sentinelus.azure-api.net"

// API is one of the two upload APIs.
type API string

// The APIs. Legacy takes indicators only and is deprecated.
const (
	STIX   API = "stix"
	Legacy API = "legacy"
)

// key is the array's name in an upload; the wrong one is refused.
func (a API) key() string {
	if a == Legacy {
		return "value"
	}
	return "stixobjects"
}

func (a API) path(workspace string) string {
	if a == Legacy {
		return "/" + workspace + "/threatintelligence:upload-indicators?api-version=2022-07-01"
	}
	return "/workspaces/" + workspace + "/threat-intelligence-stix-objects:upload?api-version=2024-02-01-preview"
}

const role = `the app needs the Azure role "Microsoft Sentinel Contributor" on the workspace (Access control (IAM) of the Log Analytics workspace)`

// Client uploads to one workspace. Safe for concurrent use.
type Client struct {
	rest *rest.Client
	api  API
	path string
}

// New returns a client of the upload API at base for a workspace (its GUID).
func New(base, scope, workspace string, api API, tokens rest.Tokens, client rest.Doer) *Client {
	return &Client{api: api, path: api.path(workspace), rest: rest.New(rest.Options{
		Service: "Sentinel", Base: base, Scope: scope, Tokens: tokens, HTTP: client, Role: role, Refine: refine,
	})}
}

// refine says what to do about a workspace that the service does not know: it answers so
// for one of another tenant or cloud as well.
func refine(e *sdk.Error, status int, _ []byte) {
	if status == http.StatusNotFound && e.Code == "WorkspaceNotFound" {
		e.Failure = sdk.Permanent
		e.Message += "; copy \"Workspace ID\" from the Overview page of the Log Analytics workspace; it must be in the connection's tenant and in the public cloud"
	}
}

// Body writes the body of an upload. objects are at most MaxUpload STIX objects.
func (a API) Body(source string, objects []json.RawMessage) ([]byte, error) {
	return json.Marshal(map[string]any{"sourcesystem": source, a.key(): objects})
}

// Objects reads the objects of a body that Body wrote.
func (a API) Objects(body []byte) ([]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	var objects []json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("the upload's body: %w", err)
	}
	if err := json.Unmarshal(fields[a.key()], &objects); err != nil {
		return nil, fmt.Errorf("the upload's body: %w", err)
	}
	return objects, nil
}

// RecordError is what the service says against one object of an upload.
type RecordError struct {
	Index    int // from 0, in the order sent
	Messages []string
}

// complaint is a RecordError on the wire. It has two names for the messages:
// Microsoft's pages write errorMessages, its API description
// validationErrorMessages.
type complaint struct {
	Index      *int     `json:"recordIndex"`
	Messages   []string `json:"errorMessages"`
	Validation []string `json:"validationErrorMessages"`
}

func complaints(list []complaint) ([]RecordError, error) {
	var out []RecordError
	for _, c := range list {
		if c.Index == nil {
			return nil, &sdk.Error{Failure: sdk.InDoubt, Message: "Sentinel's answer has an error that does not say of which object"}
		}
		out = append(out, RecordError{*c.Index, append(c.Messages, c.Validation...)})
	}
	return out, nil
}

// Upload makes one upload with a body of Body. Objects that are not named in the
// errors were taken.
func (c *Client) Upload(ctx context.Context, body []byte) (refused []RecordError, served time.Time, err error) {
	reply, err := c.rest.Call(ctx, http.MethodPost, c.path, body)
	if err != nil && sdk.FailureOf(err) != sdk.Refused || len(reply.Body) == 0 {
		return nil, reply.Served, err
	}
	var answer struct {
		Errors []complaint `json:"errors"`
	}
	if read := c.rest.Read(reply, &answer); read != nil && err == nil {
		return nil, reply.Served, read
	}
	if len(answer.Errors) > 0 { // a 400 with them says that no object was valid
		refused, err = complaints(answer.Errors)
		return refused, reply.Served, err
	}
	return nil, reply.Served, err
}

// Place is a workspace in the management plane.
type Place struct{ Subscription, ResourceGroup, Workspace string }

// Manager reads what a workspace holds. Safe for concurrent use.
type Manager struct {
	rest *rest.Client
	path string
}

// NewManager returns a client of the management plane at base.
func NewManager(base, scope string, at Place, tokens rest.Tokens, client rest.Doer) *Manager {
	path := "/subscriptions/" + url.PathEscape(at.Subscription) + "/resourceGroups/" + url.PathEscape(at.ResourceGroup) +
		"/providers/Microsoft.OperationalInsights/workspaces/" + url.PathEscape(at.Workspace) +
		"/providers/Microsoft.SecurityInsights/threatIntelligence/main/"
	return &Manager{path: path, rest: rest.New(rest.Options{
		Service: "Sentinel", Base: base, Scope: scope, Tokens: tokens, HTTP: client, Role: role,
	})}
}

// MaxPage is how many objects a page of a query is asked for. The service may give
// fewer; the next link decides.
const MaxPage = 1000

const queryVersion = "?api-version=2025-07-01-preview"

// ofSource is the query for the indicators of a source system.
func ofSource(source string) map[string]any {
	return map[string]any{"condition": map[string]any{
		"stixObjectType": "indicator",
		"clauses":        []map[string]any{{"field": "source", "operator": "Equals", "values": []string{source}}},
	}}
}

// Found is one object of a query. Data is the STIX object.
type Found struct {
	Name       string `json:"name"`
	Properties struct {
		Data   json.RawMessage `json:"data"`
		Source string          `json:"source"`
	} `json:"properties"`
}

// Page is a page of a query: the objects that are exactly of the source system asked for,
// and how many others the service, which compares in its own way, gave besides.
type Page struct {
	Ours   []Found
	Others int
	Next   string // the link to the following page, "" at the end
}

// Query reads one page of the indicators of a source system: the first with next "",
// the following with the Next of the page before.
func (m *Manager) Query(ctx context.Context, source, next string) (page Page, served time.Time, err error) {
	q := ofSource(source)
	q["maxPageSize"] = MaxPage
	target := next
	if target == "" {
		target = m.path + "query" + queryVersion
	}
	var answer struct {
		Value []Found `json:"value"`
		Next  string  `json:"nextLink"`
	}
	served, err = m.post(ctx, target, q, &answer)
	page.Next = strings.TrimSpace(answer.Next)
	switch {
	case err != nil:
		return page, served, err
	case answer.Value == nil:
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "the listing of Sentinel's objects has no value list"}
	case page.Next != "" && page.Next == next:
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "the listing of Sentinel's objects is not whole: a page names itself as the next"}
	}
	page.Ours = slices.DeleteFunc(slices.Clone(answer.Value), func(f Found) bool { return f.Properties.Source != source })
	page.Others = len(answer.Value) - len(page.Ours)
	return page, served, err
}

// Count returns how many indicators of a source system the workspace holds, in the
// service's own way of comparing: Ours and Others of all pages together.
func (m *Manager) Count(ctx context.Context, source string) (n int, served time.Time, err error) {
	var answer struct {
		Count int `json:"count"`
	}
	served, err = m.post(ctx, m.path+"count"+queryVersion, ofSource(source), &answer)
	return answer.Count, served, err
}

func (m *Manager) post(ctx context.Context, path string, body, out any) (time.Time, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return time.Time{}, &sdk.Error{Failure: sdk.Permanent, Message: "cannot write the query", Err: err}
	}
	reply, err := m.rest.Call(ctx, http.MethodPost, path, data)
	if err != nil {
		return reply.Served, err
	}
	return reply.Served, m.rest.Read(reply, out)
}
