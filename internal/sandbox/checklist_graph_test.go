package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of this file and of checklist_graph_faults_test.go are named after
// the check-list of msgraph.md §11. Its line 6, subscriptions, is not this twin's.

// TestGraphChecklist1_Hosts: one TLS listener under the real names; only the
// service of a name answers there.
func TestGraphChecklist1_Hosts(t *testing.T) {
	w := newGraphTwin(t)
	at := func(host, method, path string, body any) reply {
		req := w.request(method, "https://"+host+path, body)
		req.Header.Set("Authorization", "Bearer "+w.graphToken(testTenant, "g"))
		return w.send(req)
	}
	r := at("graph.microsoft.com", "POST", graphTiPath, sentinelTi("a.example", nil))
	if r.status != 201 || r.json(t)["@odata.context"] != "https://graph.microsoft.com/beta/$metadata#security/tiIndicators/$entity" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for path, want := range map[string]string{
		"/api/indicators": "400 BadRequest", "/" + testTenant + "/oauth2/v2.0/token": "400 BadRequest", "/v1.0/me": "400 BadRequest", "/": "400 BadRequest",
	} {
		if r := at("graph.microsoft.com", "GET", path, nil); graphCode(r) != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, host := range []string{"api.security.microsoft.com", "login.microsoftonline.com"} {
		if r := at(host, "GET", graphTiPath, nil); r.status != 404 || len(r.body) != 0 {
			t.Errorf("%s: %d %s", host, r.status, r.body)
		}
	}
}

// TestGraphChecklist2_Login: tokens of both versions for Graph's audiences, their
// expiry and their cloud.
func TestGraphChecklist2_Login(t *testing.T) {
	w := newGraphTwin(t)
	call := func(host, token string) string {
		req := w.request("GET", "https://"+host+graphTiPath+"?$top=1", nil)
		if token != "" {
			req.Header.Set("Authorization", token)
		}
		return graphCode(w.send(req))
	}
	login := func(version string, kv ...string) string {
		r := w.form("/t/oauth2"+version+"/token", append([]string{"grant_type", "client_credentials", "client_id", "g", "client_secret", "s"}, kv...)...)
		tok, _ := r.json(t)["access_token"].(string)
		if tok == "" {
			t.Fatalf("%v: %d %s", kv, r.status, r.body)
		}
		return "Bearer " + tok
	}
	v1 := login("", "resource", "https://graph.microsoft.com/")
	id := login("/v2.0", "scope", "00000003-0000-0000-c000-000000000000/.default")
	own := login("/v2.0", "scope", w.URL()+"/.default")
	gov := login("/v2.0", "scope", "https://graph.microsoft.us/.default")
	mde := "Bearer " + w.token(testTenant, "a")
	graphs := "Bearer " + w.graphToken(testTenant, "g")
	for _, c := range []struct{ host, token, want string }{
		{"graph.microsoft.com", v1, "200"}, {"graph.microsoft.com", id, "200"}, {w.Addr(), own, "200"}, {w.Addr(), v1, "200"},
		{"graph.microsoft.com", own, "401 InvalidAuthenticationToken"}, {"graph.microsoft.com", gov, "401 InvalidAuthenticationToken"},
		{"graph.microsoft.us", v1, "401 InvalidAuthenticationToken"},
		{w.Addr(), mde, "401 InvalidAuthenticationToken"}, {w.Addr(), "", "401 InvalidAuthenticationToken"},
		{w.Addr(), "Bearer x", "401 InvalidAuthenticationToken"}, {w.Addr(), "Bearer a.b.c", "401 InvalidAuthenticationToken"},
		{w.Addr(), "Basic Zzpz", "401 InvalidAuthenticationToken"}, {w.Addr(), strings.TrimPrefix(graphs, "Bearer "), "401 InvalidAuthenticationToken"},
		// National clouds have no tiIndicators.
		{"graph.microsoft.us", gov, "400 BadRequest"},
	} {
		if got := call(c.host, c.token); got != c.want {
			t.Errorf("%s %.20s: %s, want %s", c.host, c.token, got, c.want)
		}
	}
	req := w.request("GET", "/api/indicators", nil)
	req.Header.Set("Authorization", graphs)
	if r := w.send(req); r.status != 401 {
		t.Errorf("Defender took a token for Graph: %d", r.status)
	}
	w.Clock().Advance(time.Hour)
	r := w.ti("GET", "", nil)
	if graphCode(r) != "401 InvalidAuthenticationToken" || r.message(t) != "Lifetime validation failed, the token is expired." || !strings.Contains(r.header.Get("WWW-Authenticate"), "authorization_uri=") {
		t.Errorf("%d %s %v", r.status, r.body, r.header)
	}
}

// TestGraphChecklist3_Headers: request ids, the echo of the client's, media type.
func TestGraphChecklist3_Headers(t *testing.T) {
	w := newGraphTwin(t)
	r := w.ti("GET", "", nil, "client-request-id", "5045c62f-846f-44de-8d8f-01b645563801")
	for name, want := range map[string]string{
		"client-request-id": "5045c62f-846f-44de-8d8f-01b645563801", "OData-Version": "4.0", "x-ms-ags-diagnostic": "ServerInfo", "Strict-Transport-Security": "max-age",
		"Content-Type": "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
	} {
		if !strings.Contains(r.header.Get(name), want) {
			t.Errorf("%s: %q", name, r.header.Get(name))
		}
	}
	if r := w.ti("GET", "/none", nil); r.header.Get("request-id") == "" || r.header.Get("request-id") != r.header.Get("client-request-id") || graphCode(r) != "404 ResourceNotFound" {
		t.Errorf("%s %v", r.body, r.header)
	}
}

// TestGraphChecklist3_Paths: no case in paths, v1.0 has no tiIndicators, unknown
// segments and methods.
func TestGraphChecklist3_Paths(t *testing.T) {
	w := newGraphTwin(t)
	for _, c := range []struct{ method, path, want, text string }{
		{"GET", "/beta/security/tiindicators", "200", ""}, {"GET", "/BETA/Security/TIINDICATORS/", "200", ""},
		{"POST", "/beta/security/tiindicators/SUBMITTIINDICATORS", "400 BadRequest", "Unable to read"},
		{"GET", "/v1.0/security/tiIndicators", "400 BadRequest", "Resource not found for the segment 'tiIndicators'."},
		{"GET", "/beta/security/alertz", "400 BadRequest", "Resource not found for the segment 'alertz'."},
		{"GET", "/beta/sec", "400 BadRequest", "Resource not found for the segment 'sec'."},
		{"GET", graphTiPath + "/1/more", "400 BadRequest", "Resource not found for the segment 'more'."},
		{"PUT", graphTiPath, "405 Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
		{"GET", graphTiPath + "/submitTiIndicators", "405 Request_BadRequest", ""},
		{"POST", graphTiPath + "/1", "405 Request_BadRequest", ""},
	} {
		r := w.by("g", c.method, c.path, nil, "Content-Type", "application/json")
		if graphCode(r) != c.want || c.text != "" && !strings.Contains(r.message(t), c.text) {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
	if err := w.SetSwitch("graph_ti_indicators", "removed"); err != nil {
		t.Fatal(err)
	}
	if r := w.ti("GET", "", nil); graphCode(r) != "400 BadRequest" || r.message(t) != "Resource not found for the segment 'tiIndicators'." {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestGraphChecklist3_Ownership: an app reads and changes its own rows only; the
// reader reads all and writes none; without a role nothing.
func TestGraphChecklist3_Ownership(t *testing.T) {
	w := newGraphTwin(t)
	id := w.create(sentinelTi("a.example", nil))
	edit := props{"targetProduct": "Azure Sentinel", "expirationDateTime": "2027-01-01T00:00:00Z"}
	for _, c := range []struct{ app, method, tail, want string }{
		{"h", "GET", "/" + id, "404 ResourceNotFound"}, {"h", "PATCH", "/" + id, "404 ResourceNotFound"}, {"h", "DELETE", "/" + id, "404 ResourceNotFound"},
		{"reader", "GET", "/" + id, "200"}, {"reader", "PATCH", "/" + id, "403 Forbidden"}, {"reader", "DELETE", "/" + id, "403 Forbidden"}, {"reader", "POST", "", "403 Forbidden"},
		{"a", "GET", "", "403 Forbidden"}, {"none", "POST", "", "403 Forbidden"},
	} {
		if r := w.by(c.app, c.method, graphTiPath+c.tail, edit); graphCode(r) != c.want {
			t.Errorf("%s %s %s: %d %s", c.app, c.method, c.tail, r.status, r.body)
		}
	}
	if r := w.by("h", "GET", graphTiPath, nil); !strings.Contains(string(r.body), `"value":[]`) {
		t.Errorf("%s", r.body)
	}
	for action, name := range map[string]string{"deleteTiIndicators": id, "deleteTiIndicatorsByExternalId": "ext-a.example"} {
		if r := w.by("h", "POST", graphTiPath+"/"+action, props{"value": []string{name}}); r.status != 206 || !strings.Contains(string(r.body), `"code":404`) {
			t.Errorf("%s: %d %s", action, r.status, r.body)
		}
	}
	if got := w.tis(""); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestGraphChecklist3_Queries: §2.2, every option and the refusals.
func TestGraphChecklist3_Queries(t *testing.T) {
	w := newGraphTwin(t)
	for i, name := range []string{"c", "a", "b", "a''b"} {
		port := any(80 + i)
		if i == 2 {
			port = nil
		}
		w.create(sentinelTi(strings.ReplaceAll(name, "''", "'")+".example", props{"networkPort": port, "severity": i, "confidence": 10 * i, "tags": []string{"t" + fmt.Sprint(i)},
			"expirationDateTime": fmt.Sprintf("2026-12-%02dT00:00:00Z", 10+i), "passiveOnly": i == 1}))
	}
	for query, want := range map[string]string{
		"": "c a b a'b",
		"?$filter=externalId%20eq%20%27ext-a%27%27b.example%27&$orderby=expirationDateTime%20desc&$select=id,domainName&$skip=0&$top=5": "a'b",
		"?$filter=domainName+eq+'a.example'": "a", "?$filter=expirationDateTime+lt+2026-12-12": "c a", "?$filter=severity+ge+2": "b a'b",
		"?$filter=confidence+in+(0,20)": "c b", "?$filter=tags/any(x:x+eq+'t2')": "b", "?$filter=passiveOnly": "a", "?$filter=tlpLevel+eq+'amber'+and+url+eq+null": "c a b a'b",
		"?$filter=startswith(domainName,'a')": "a a'b", "?$filter=targetProduct+ne+'Azure+Sentinel'": "", "?$filter=not(networkIPv4+eq+'192.0.2.1')": "c a b a'b",
		"?$orderby=domainName": "a'b a b c", "?$orderby=severity+desc": "a'b b a c", "?$orderby=passiveOnly+desc,domainName+desc": "a c b a'b", "?$orderby=url,expirationDateTime+desc": "a'b b a c",
		"?$orderby=networkPort": "b c a a'b", "?$orderby=networkPort+desc": "a'b a c b",
		"?$skip=2": "b a'b", "?$skip=9": "", "?$top=0": "", "?other=1": "c a b a'b",
	} {
		var got []string
		for _, m := range w.tis(query) {
			got = append(got, strings.TrimSuffix(fmt.Sprint(m["domainName"]), ".example"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{
		"?$filter=status+eq+'x'", "?$filter=severity+eq+'x'", "?$filter=a", "?$top=-1", "?$top=x", "?$skip=-1", "?$orderby=none", "?$orderby=tags", "?$orderby=url+up",
		"?$select=none", "?$expand=x", "?$top=1&$top=2", "?$skiptoken=x", "?$count=x", "?$filter=%zz",
	} {
		if r := w.ti("GET", query, nil); graphCode(r) != "400 BadRequest" {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	r := w.ti("GET", "?$select=externalId,severity&$count=true&$filter=severity+gt+2", nil)
	if want := `{"@odata.context":"` + w.URL() + `/beta/$metadata#security/tiIndicators(externalId,severity)","@odata.count":1,"value":[{"externalId":"ext-a'b.example","severity":3}]}`; string(r.body) != want {
		t.Errorf("%s", r.body)
	}
	if r := w.ti("GET", "?$filter=status+eq+'New'", nil); !strings.HasPrefix(r.message(t), "Invalid filter clause") {
		t.Errorf("%s", r.body)
	}
}

// TestGraphChecklist3_NextLink: pages meet every row once, also when rows are
// deleted meanwhile, and in another order too.
func TestGraphChecklist3_NextLink(t *testing.T) {
	w := newGraphTwin(t)
	var rows []map[string]any
	for i := range 250 {
		rows = append(rows, sentinelTi(fmt.Sprintf("d%03d.example", i), nil))
	}
	ids, err := w.SeedTi(testTenant, "g", rows)
	if err != nil {
		t.Fatal(err)
	}
	walk := func(query string, each func(page int)) []string {
		var got []string
		next := graphTiPath + query
		for page := 1; next != ""; page++ {
			r := w.by("g", "GET", next, nil)
			var out struct {
				Next  string `json:"@odata.nextLink"`
				Value []struct{ DomainName string }
			}
			if err := json.Unmarshal(r.body, &out); err != nil || r.status != 200 || page > 20 {
				t.Fatalf("%s: %d %s", next, r.status, r.body)
			}
			for _, v := range out.Value {
				got = append(got, v.DomainName)
			}
			each(page)
			next = out.Next
		}
		return got
	}
	for query, pages := range map[string]int{"": 3, "?$top=100": 3, "?$top=250": 1, "?$top=60&$orderby=domainName%20desc": 5, "?$skip=50&$top=100": 2, "?$skip=50&$top=70&$orderby=domainName": 3} {
		n := 0
		got := walk(query, func(int) { n++ })
		slices.Sort(got)
		if want := 250 - 50*strings.Count(query, "$skip"); len(got) != want || len(slices.Compact(got)) != want || n != pages {
			t.Errorf("%s: %d rows on %d pages, want %d on %d", query, len(got), n, want, pages)
		}
	}
	got := walk("?$top=100", func(page int) {
		if page == 1 {
			for _, id := range ids[:50] {
				w.ti("DELETE", "/"+id, nil)
			}
		}
	})
	if len(got) != 250 {
		t.Errorf("%d rows while 50 read ones were deleted", len(got))
	}
}

// TestGraphChecklist3_Gzip: request bodies in gzip, and the 415 that makes SDKs
// send again without.
func TestGraphChecklist3_Gzip(t *testing.T) {
	w := newGraphTwin(t)
	body, err := json.Marshal(sentinelTi("a.example", nil))
	if err != nil {
		t.Fatal(err)
	}
	if r := w.ti("POST", "", string(pack(t, body)), "Content-Encoding", "gzip"); r.status != 201 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if err := w.SetSwitch("gzip_requests", "reject"); err != nil {
		t.Fatal(err)
	}
	if r := w.ti("POST", "", string(pack(t, body)), "Content-Encoding", "gzip"); r.status != 415 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.ti("POST", "", string(body), "Content-Type", "text/plain"); graphCode(r) != "415 RequestBodyRead" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.ti("POST", "", string(body), "Content-Type", ""); graphCode(r) != "400 BadRequest" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestGraphChecklist3_Batch: §2.3.
func TestGraphChecklist3_Batch(t *testing.T) {
	w := newGraphTwin(t)
	kind := props{"Content-Type": "application/json"}
	post := func(version string, requests ...props) (reply, map[string]map[string]any) {
		r := w.by("g", "POST", version+"/$batch", props{"requests": requests})
		var out struct{ Responses []map[string]any }
		_ = json.Unmarshal(r.body, &out)
		byID := map[string]map[string]any{}
		for _, v := range out.Responses {
			byID[v["id"].(string)] = v
		}
		return r, byID
	}
	r, got := post("/beta",
		props{"id": "3", "method": "GET", "url": "/security/tiIndicators?$filter=externalId eq 'ext-a.example'", "dependsOn": []string{"1"}},
		props{"id": "1", "method": "POST", "url": "/security/tiIndicators", "headers": kind, "body": sentinelTi("a.example", nil)},
		props{"id": "2", "method": "DELETE", "url": "/security/tiIndicators/none"},
		props{"id": "4", "method": "GET", "url": "/security/tiIndicators", "dependsOn": []string{"2"}},
		props{"id": "5", "method": "PUT", "url": "security/tiIndicators"},
		props{"id": "6", "method": "POST", "url": "/$batch"},
		props{"id": "7", "method": "POST", "url": "/security/tiIndicators", "body": sentinelTi("b.example", nil)},
		props{"id": "8", "method": "POST", "url": "/security/tiIndicators/submitTiIndicators", "headers": kind, "body": props{"value": []props{sentinelTi("c.example", nil), sentinelTi("d.example", props{"action": nil})}}},
	)
	if r.status != 200 || len(got) != 8 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for id, want := range map[string]float64{"1": 201, "2": 404, "3": 200, "4": 424, "5": 405, "6": 400, "7": 400, "8": 206} {
		if got[id]["status"] != want {
			t.Errorf("%s: %v, want %v", id, got[id], want)
		}
	}
	if e := w.Journal(Query{Op: "graph-batch"}); len(e) != 1 || len(e[0].Items) != 4 {
		t.Errorf("%+v", e)
	}
	_, got = post("/v1.0", props{"id": "1", "method": "GET", "url": "/security/tiIndicators"})
	if got["1"]["status"] != 400.0 {
		t.Errorf("v1.0: %v", got)
	}
	get := func(id string, on ...string) props {
		return props{"id": id, "method": "GET", "url": "/security/tiIndicators", "dependsOn": on}
	}
	many := make([]props, 21)
	for i := range many {
		many[i] = get(fmt.Sprint(i))
	}
	for name, requests := range map[string][]props{
		"21": many, "none": {}, "same id": {get("a"), get("A")}, "circle": {get("1", "2"), get("2", "1")}, "unknown": {get("1", "9")},
		"no id": {get("")}, "absolute": {{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/beta/me"}},
	} {
		if r, _ := post("/beta", requests...); graphCode(r) != "400 BadRequest" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if err := w.SetLimits(map[string]Limit{"ti": {PerMinute: 1}}); err != nil {
		t.Fatal(err)
	}
	w.Clock().Advance(2 * time.Minute)
	r, got = post("/beta", get("1"), get("2"))
	if head, _ := got["2"]["headers"].(map[string]any); r.status != 200 || got["1"]["status"] != 200.0 || got["2"]["status"] != 429.0 || head["Retry-After"] != "60" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

type csdl struct {
	Schemas []struct {
		Enums []struct {
			Name    string `xml:",attr"`
			Members []struct {
				Name  string `xml:",attr"`
				Value int    `xml:",attr"`
			} `xml:"Member"`
		} `xml:"EnumType"`
		Entities []struct {
			Name       string `xml:",attr"`
			Properties []struct {
				Name string `xml:",attr"`
				Type string `xml:",attr"`
			} `xml:"Property"`
		} `xml:"EntityType"`
	} `xml:"DataServices>Schema"`
}

// TestGraphMetadata: every property of the metadata is taken with its type,
// refused with another, and returned; every member of an enumeration by name
// and, observed, by number.
func TestGraphMetadata(t *testing.T) {
	raw, ok := reference(t, filepath.Join("..", "msgraph", "tiindicator.csdl.xml"))
	if !ok {
		t.Skip("reference data is absent: properties not compared with the metadata")
	}
	var doc csdl
	if err := xml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	w := newGraphTwin(t)
	good := map[string]any{
		"Edm.String": "192.0.2.1", "Edm.Int32": 5, "Edm.Int64": 4294967296, "Edm.Boolean": true, "Edm.DateTimeOffset": "2027-01-02T03:04:05.1234567Z",
		"Collection(Edm.String)": []any{"x", "y"},
	}
	fit := props{"threatType": "Botnet", "targetProduct": "Azure Sentinel", "fileHashValue": strings.Repeat("ab", 16),
		"networkIPv6": "2001:db8::1", "networkSourceIPv6": "2001:db8::1", "networkDestinationIPv6": "2001:db8::1", "networkCidrBlock": "192.0.2.0/24", "networkSourceCidrBlock": "192.0.2.0/24", "networkDestinationCidrBlock": "192.0.2.0/24"}
	members := map[string][]string{}
	for _, e := range doc.Schemas[0].Enums {
		for _, m := range e.Members {
			members["graph."+e.Name] = append(members["graph."+e.Name], fmt.Sprint(m.Name, " ", m.Value))
		}
	}
	n := 0
	for _, e := range doc.Schemas[0].Entities {
		if e.Name != "tiIndicator" {
			continue
		}
		for _, p := range e.Properties {
			n++
			if enum := members[p.Type]; enum != nil {
				w.checkEnum(p.Name, enum)
				continue
			}
			want := good[p.Type]
			if v, ok := fit[p.Name]; ok {
				want = v
			}
			sent := sentinelTi("a.example", props{p.Name: want})
			if p.Name == "fileHashValue" {
				sent["fileHashType"] = "md5"
			}
			r := w.ti("POST", "", sent)
			stamped := p.Name == "azureTenantId" || p.Name == "ingestedDateTime"
			if got := r.json(t)[p.Name]; r.status != 201 || !stamped && fmt.Sprint(got) != fmt.Sprint(anyJSON(t, want)) {
				t.Errorf("%s: %d %v, sent %v", p.Name, r.status, got, want)
			}
			sent[p.Name] = props{"a": 1}
			if r := w.ti("POST", "", sent); !stamped && (graphCode(r) != "400 BadRequest" || !strings.Contains(r.message(t), p.Type)) {
				t.Errorf("%s took an object: %d %s", p.Name, r.status, r.body)
			}
		}
	}
	if n != 58 {
		t.Errorf("%d properties", n)
	}
}

func anyJSON(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// checkEnum sends every member by name and number under both profiles.
func (w graphTwin) checkEnum(name string, members []string) {
	w.t.Helper()
	edit := props{"fileHashValue": nil}
	for _, m := range append(members, "Nonsense 99") {
		word, number, _ := strings.Cut(m, " ")
		edit[name] = word
		known := word != "Nonsense"
		if r := w.ti("POST", "", sentinelTi("a.example", edit)); (r.status == 201) != known {
			w.t.Errorf("%s %s: %d %s", name, word, r.status, r.body)
		}
		edit[name] = json.Number(number)
		if r := w.ti("POST", "", sentinelTi("a.example", edit)); graphCode(r) != "400 BadRequest" {
			w.t.Errorf("%s %s: %d", name, number, r.status)
		}
		_ = w.SetSwitch("graph_profile", "observed")
		r := w.ti("POST", "", sentinelTi("a.example", edit))
		if (r.status == http.StatusCreated) != known || known && r.json(w.t)[name] != word {
			w.t.Errorf("%s %s observed: %d %s", name, number, r.status, r.body)
		}
		_ = w.SetSwitch("graph_profile", "documented")
	}
}
