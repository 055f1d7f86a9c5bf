package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	socID     = "a1111111-1111-4111-8111-111111111111"
	devID     = "b2222222-2222-4222-8222-222222222222"
	govID     = "c3333333-3333-4333-8333-333333333333"
	chinaID   = "d4444444-4444-4444-8444-444444444444"
	armScope  = "https://management.azure.com"
	uploadTo  = "/threat-intelligence-stix-objects:upload?api-version=2024-02-01-preview"
	managedIn = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/"
	tiPath    = "/providers/Microsoft.SecurityInsights/threatIntelligence/"
	socARM    = managedIn + "soc" + tiPath
	armV      = "?api-version=2025-09-01"
	queryV    = "?api-version=2025-07-01-preview"
)

// newSentinel is a twin with two workspaces in the tenant and one in each
// national cloud. App a may write to soc and the national ones, b to all by its
// subscription, reader may read soc.
func newSentinel(t *testing.T, edit ...func(*Options)) *twin {
	t.Helper()
	return newTwin(t, append([]func(*Options){func(o *Options) {
		for _, w := range []Workspace{{ID: socID, Name: "soc"}, {ID: devID, Name: "dev"}, {ID: govID, Name: "gov", Cloud: "usgov"}, {ID: chinaID, Name: "cn", Cloud: "china"}} {
			w.Tenant, w.Subscription, w.Group = testTenant, "sub", "rg"
			o.Workspaces = append(o.Workspaces, w)
		}
		apps := o.Tenants[0].Apps
		for _, scope := range []string{socID, govID, chinaID} {
			apps[0].Assignments = append(apps[0].Assignments, Assignment{Role: RoleSentinelContributor, Scope: scope})
		}
		apps[1].Assignments = []Assignment{{Role: RoleSentinelContributor, Scope: "/subscriptions/SUB/"}}
		o.Tenants[0].Apps = append(apps, App{
			ID: "reader", Secrets: []Secret{{Value: "s"}}, Assignments: []Assignment{{Role: RoleSentinelReader, Scope: strings.TrimSuffix(managedIn, "/") + "/soc"}},
		})
	}}, edit...)...)
}

// azureToken is a token for a resource, kept for half an hour.
func (w *twin) azureToken(app, scope string) string {
	w.t.Helper()
	key := app + " " + scope + w.Now().Truncate(30*time.Minute).String()
	if w.tokens[key] == "" {
		r := w.form("/"+testTenant+"/oauth2/v2.0/token", "grant_type", "client_credentials", "client_id", app, "client_secret", "s", "scope", scope+"/.default")
		tok, _ := r.json(w.t)["access_token"].(string)
		if tok == "" {
			w.t.Fatalf("token: %d %s", r.status, r.body)
		}
		w.tokens[key] = tok
	}
	return w.tokens[key]
}

// azure calls the upload API or the management plane as an app.
func (w *twin) azure(app, method, path string, body any) reply {
	w.t.Helper()
	req := w.request(method, path, body)
	req.Header.Set("Authorization", "Bearer "+w.azureToken(app, armScope))
	return w.send(req)
}

// stixID is the id of the nth indicator.
func stixID(n int) string { return fmt.Sprintf("indicator--%08d-0000-4000-8000-000000000000", n) }

// stamp is a STIX timestamp of the tests' start plus d.
func stamp(d time.Duration) string { return start.Add(d).Format("2006-01-02T15:04:05.000Z") }

// ioc is a valid indicator for an address with changes; nil takes one away.
func ioc(n int, edit props) props {
	p := props{
		"type": "indicator", "spec_version": "2.1", "id": stixID(n), "created": stamp(0), "modified": stamp(0), "name": fmt.Sprintf("i%d", n),
		"pattern": fmt.Sprintf("[ipv4-addr:value = '198.51.100.%d']", n), "pattern_type": "stix", "valid_from": stamp(0), "valid_until": stamp(365 * 24 * time.Hour),
	}
	for k, v := range edit {
		p[k] = v
		if v == nil {
			delete(p, k)
		}
	}
	return p
}

func iocs(from, n int) []props {
	out := make([]props, n)
	for i := range out {
		out[i] = ioc(from+i, nil)
	}
	return out
}

// upload sends objects to soc as app a under the source.
func (w *twin) upload(source string, objects ...props) reply {
	w.t.Helper()
	return w.azure("a", "POST", "/workspaces/"+socID+uploadTo, props{"sourcesystem": source, "stixobjects": objects})
}

// uploaded is upload that must be taken whole.
func (w *twin) uploaded(source string, objects ...props) {
	w.t.Helper()
	if r := w.upload(source, objects...); r.status != 200 || len(r.body) != 0 {
		w.t.Fatalf("upload: %d %s", r.status, r.body)
	}
}

func (w *twin) stixObjects() []Object {
	w.t.Helper()
	out, err := w.Objects("soc")
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *twin) one(id string) Object {
	w.t.Helper()
	for _, o := range w.stixObjects() {
		if o.StixID == id {
			return o
		}
	}
	w.t.Fatalf("no object %s in %v", id, w.stixObjects())
	return Object{}
}

// value calls the management plane and returns the list it answers with, over
// all pages.
func (w *twin) value(method, path string, body any) []map[string]any {
	w.t.Helper()
	var out []map[string]any
	for path != "" {
		r := w.azure("a", method, path, body)
		var page struct {
			Value    []map[string]any
			NextLink string
		}
		if r.status != 200 || json.Unmarshal(r.body, &page) != nil {
			w.t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
		}
		out = append(out, page.Value...)
		path = page.NextLink
	}
	return out
}

// find queries for clauses joined by And.
func (w *twin) find(clauses ...props) []map[string]any {
	w.t.Helper()
	if clauses == nil {
		clauses = []props{}
	}
	return w.value("POST", socARM+"main/query"+queryV, props{"condition": props{"clauses": clauses, "conditionConnective": "And", "stixObjectType": "indicator"}})
}

func where(field, operator string, values ...string) props {
	if values == nil {
		values = []string{}
	}
	return props{"field": field, "operator": operator, "values": values}
}

// sentinelData reads a file of the reference data, or skips.
func sentinelData(t *testing.T, name string, v any) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(repository(dir), "..", "shared", "data", "sentinel", name))
	if err != nil {
		t.Skipf("reference data is absent: %s not used", name)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

// repository is the folder of go.mod above dir.
func repository(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
