package sandbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// expectedSentinel is what each client needs to read, in the order of its
// requests; the text after the status must be in the body.
var expectedSentinel = map[string][]string{
	// The recorded objects have no created and no valid_from: each is complained about.
	"misp2sentinel": {`200 "access_token"`, `200 "recordIndex":99}`, `200 "recordIndex":49}`},
	"opencti-sentinel": {
		`200 "token_endpoint":"https://login.microsoftonline.com/`, `200 "tenant_discovery_endpoint"`, `200 "access_token"`,
		`200 {"errors":[{"errorMessages":["Error for Property=id: Required property is missing. Actual value: NULL."`, `200 {"value":[]}`,
	},
	// n1 is deleted before it is tagged.
	"azure-sdk-js-securityinsight": {`200 "name":"n1"`, `201 "patternType":"url"`, `200 "displayName":"n"`, `200 `, `404 "code":"NotFound"`},
}

// elided is how the recording shortens a list.
const elided = "… "

// unfold puts the objects back that the recording left out, made like the first.
func unfold(t *testing.T, body json.RawMessage) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	list, _ := m["stixobjects"].([]any)
	if len(list) == 0 {
		return string(body)
	}
	text, _ := list[len(list)-1].(string)
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(text, elided), " more"))
	if err != nil {
		return string(body)
	}
	list = list[:len(list)-1]
	for i := range n {
		o := props{}
		for k, v := range list[0].(map[string]any) {
			o[k] = v
		}
		o["id"] = fmt.Sprintf("indicator--%08x-1111-4111-8111-111111111111", 0xf000+i)
		list = append(list, o)
	}
	m["stixobjects"] = list
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestRecordedSentinelClients sends every recorded request as it was, under the
// host the client used.
func TestRecordedSentinelClients(t *testing.T) {
	var all []recorded
	sentinelData(t, "recorded-client-requests.json", &all)
	for _, c := range all {
		t.Run(c.Client, func(t *testing.T) {
			w := newSentinel(t, func(o *Options) {
				opencti := "11111111-1111-1111-1111-111111111112"
				o.Workspaces = append(o.Workspaces,
					Workspace{Tenant: testTenant, ID: testTenant, Subscription: testTenant, Group: "rg", Name: "ws"},
					Workspace{Tenant: opencti, ID: opencti, Subscription: "sub", Group: "rg", Name: "ws"})
				o.Tenants[0].Apps[0].Assignments = append(o.Tenants[0].Apps[0].Assignments, Assignment{Role: RoleSentinelContributor, Scope: testTenant})
				o.Tenants = append(o.Tenants, Tenant{ID: opencti, Apps: []App{{
					ID: "a", Secrets: []Secret{{Value: "s"}}, Assignments: []Assignment{{Role: RoleSentinelContributor, Scope: opencti}},
				}}})
			})
			want := expectedSentinel[c.Client]
			if len(want) != len(c.Requests) {
				t.Fatalf("%d requests, %d expectations", len(c.Requests), len(want))
			}
			if c.Client == "azure-sdk-js-securityinsight" {
				path := "/subscriptions/" + testTenant + "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws" + tiPath + "main/indicators/n1" + armV
				if r := w.azure("a", "PUT", path, managed(nil)); r.status != 201 {
					t.Fatalf("%d %s", r.status, r.body)
				}
			}
			token := w.azureToken("a", armScope)
			for i, q := range c.Requests {
				body := q.Body
				if q.BodyJSON != nil {
					body = unfold(t, q.BodyJSON)
				}
				// The recorded OpenCTI uploads to a workspace of another tenant than it signs in to.
				path := q.Path
				if c.Client == "opencti-sentinel" {
					path = strings.Replace(path, "/workspaces/"+testTenant, "/workspaces/11111111-1111-1111-1111-111111111112", 1)
				}
				status, text, _ := strings.Cut(want[i], " ")
				r := w.replay(q.Method, q.Host, path, q.Headers, body, token)
				if status != strconv.Itoa(r.status) || !strings.Contains(string(r.body), text) {
					t.Errorf("request %d %s %s: %d %s, want %s", i+1, q.Method, path, r.status, r.body, want[i])
				}
				if m := map[string]any{}; json.Unmarshal(r.body, &m) == nil && m["access_token"] != nil {
					token = m["access_token"].(string)
				}
			}
		})
	}
}

// TestManagement_Samples: the published examples of requests are taken, and the
// answers have the properties of the published answers.
func TestManagement_Samples(t *testing.T) {
	w := newSentinel(t)
	type example struct {
		Parameters map[string]any
		Responses  map[string]struct{ Body map[string]any }
	}
	read := func(name string) (e example) { sentinelData(t, name, &e); return e }
	w.uploaded("mySource", props{
		"type": "attack-pattern", "spec_version": "2.1", "id": "attack-pattern--fb6aa549-c94a-4e45-b4fd-7e32602dad85", "name": "n", "created": stamp(0), "modified": stamp(0),
	})
	creates := read("arm-2023-02-01-CreateThreatIntelligence.json")
	made := w.azure("a", "POST", socARM+"main/createIndicator?api-version=2023-02-01", creates.Parameters["ThreatIntelligenceProperties"])
	sameNames(t, "create", made, creates.Responses["201"].Body)
	one := socARM + "main/indicators/" + made.json(t)["name"].(string)
	sameNames(t, "get", w.azure("a", "GET", one+armV, nil), read("arm-2025-07-01-preview-GetById.json").Responses["200"].Body)
	update := read("arm-2025-07-01-preview-UpdateThreatIntelligence.json")
	sameNames(t, "update", w.azure("a", "PUT", one+queryV, update.Parameters["ThreatIntelligenceProperties"]), update.Responses["200"].Body)
	if r := w.azure("a", "POST", one+"/appendTags"+queryV, read("arm-2025-07-01-preview-AppendTags.json").Parameters["ThreatIntelligenceAppendTags"]); r.status != 200 {
		t.Errorf("append: %d %s", r.status, r.body)
	}
	replace := read("arm-2025-07-01-preview-ReplaceTags.json")
	body := replace.Parameters["ThreatIntelligenceReplaceTags"].(map[string]any)
	body["etag"] = w.azure("a", "GET", one+armV, nil).json(t)["etag"]
	sameNames(t, "replace", w.azure("a", "POST", one+"/replaceTags"+queryV, body), replace.Responses["200"].Body)
	sameNames(t, "metrics", w.azure("a", "GET", socARM+"main/metrics"+queryV, nil), read("arm-2025-07-01-preview-Metrics.json").Responses["200"].Body)
	var criteria props
	raw, err := json.Marshal(read("arm-2025-07-01-preview-QueryIndicators.json").Parameters["ThreatIntelligenceFilteringCriteria"])
	if err != nil || json.Unmarshal(raw, &criteria) != nil {
		t.Fatal(err)
	}
	if r := w.azure("a", "POST", socARM+"main/queryIndicators"+queryV, criteria); r.status != 200 {
		t.Errorf("queryIndicators: %d %s", r.status, r.body)
	}
	query := read("arm-2025-07-01-preview-Query.json")
	q := query.Parameters["Query"].(map[string]any)
	q["condition"].(map[string]any)["clauses"].([]any)[0].(map[string]any)["values"] = []string{stamp(day)} // the example's is before these objects
	sameNames(t, "query", w.azure("a", "POST", socARM+"main/query"+queryV, q), query.Responses["200"].Body)
	if r := w.azure("a", "POST", socARM+"main/count"+queryV, read("arm-2025-07-01-preview-Count.json").Parameters["Query"]); r.status != 200 || string(r.body) != `{"count":0}` {
		t.Errorf("count: %d %s", r.status, r.body)
	}
}

// sameNames demands every property of the example outside the STIX object.
func sameNames(t *testing.T, what string, got reply, want map[string]any) {
	t.Helper()
	if got.status/100 != 2 {
		t.Errorf("%s: %d %s", what, got.status, got.body)
		return
	}
	var walk func(path string, got, want any)
	walk = func(path string, got, want any) {
		switch want := want.(type) {
		case map[string]any:
			have, _ := got.(map[string]any)
			for k, v := range want {
				if _, ok := have[k]; !ok {
					t.Errorf("%s: the answer lacks %s.%s", what, path, k)
				} else if k != "data" {
					walk(path+"."+k, have[k], v)
				}
			}
		case []any:
			have, _ := got.([]any)
			if len(have) == 0 && len(want) > 0 && !strings.HasSuffix(path, "Tags") {
				t.Errorf("%s: %s is empty", what, path)
			} else if len(have) > 0 && len(want) > 0 {
				walk(path+"[0]", have[0], want[0])
			}
		}
	}
	walk("", got.json(t), want)
}
