package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

const v1path, v2path = "/" + testTenant + "/oauth2/token", "/" + testTenant + "/oauth2/v2.0/token"

// v2form returns the fields of a good v2 request with changes; "" removes one.
func v2form(kv ...string) []string {
	m := map[string]string{"grant_type": "client_credentials", "client_id": "a", "client_secret": "s", "scope": resource + "/.default"}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	var out []string
	for k, v := range m {
		if v != "" {
			out = append(out, k, v)
		}
	}
	return out
}

func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestChecklist01_VersionsWriteExpiryAsTextOrNumber(t *testing.T) {
	w := newTwin(t)
	v1 := w.form(v1path, "grant_type", "client_credentials", "client_id", "a", "client_secret", "s", "resource", resource).json(t)
	if v1["expires_in"] != "3599" || v1["resource"] != resource || v1["expires_on"] != "1795330799" {
		t.Errorf("v1: %v", v1)
	}
	v2 := w.form(v2path, v2form()...).json(t)
	if v2["expires_in"] != 3599.0 || v2["resource"] != nil || v2["token_type"] != "Bearer" {
		t.Errorf("v2: %v", v2)
	}
	c := claims(t, v2["access_token"].(string))
	for k, want := range map[string]any{"aud": resource, "tid": testTenant, "appid": "a", "azp": "a", "iss": w.URL() + "/" + testTenant + "/v2.0", "exp": float64(start.Unix() + 3599)} {
		if c[k] != want {
			t.Errorf("claim %s = %v, want %v", k, c[k], want)
		}
	}
	c = claims(t, v1["access_token"].(string))
	if c["iss"] != "https://sts.windows.net/"+testTenant+"/" || c["ver"] != "1.0" {
		t.Errorf("v1 claims: %v", c)
	}
}

func TestChecklist02_ScopeListOfSDKs(t *testing.T) {
	w := newTwin(t)
	if r := w.form(v2path, v2form("scope", resource+"/.default openid offline_access profile")...); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	// Unknown form fields of SDKs change nothing.
	if r := w.form(v2path+"?client-request-id=5045c62f-846f-44de-8d8f-01b645563801", v2form("claims", `{"access_token":{}}`, "client_info", "1")...); r.status != 200 || r.header.Get("client-request-id") != "5045c62f-846f-44de-8d8f-01b645563801" {
		t.Errorf("%d %s %v", r.status, r.body, r.header)
	}
}

func TestChecklist03_ResourcesThatExist(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Resources = []string{"http://127.0.0.1:35080"} })
	for _, res := range []string{
		resource, "https://api.security.microsoft.com", "https://api.securitycenter.windows.com", "https://eu.api.security.microsoft.com",
		"https://securitycenter.onmicrosoft.com/windowsatpservice", "http://127.0.0.1:35080", w.URL(),
	} {
		if r := w.form(v2path, v2form("scope", res+"/.default")...); r.status != 200 {
			t.Errorf("%s: %d %s", res, r.status, r.body)
		}
	}
	r := w.form(v2path, v2form("scope", "https://nobody.example/.default")...)
	checkAADSTS(t, r, 400, "invalid_resource", 500011)
}

// checkAADSTS checks every part of the error body.
func checkAADSTS(t *testing.T, r reply, status int, kind string, code float64) {
	t.Helper()
	m := r.json(t)
	codes, _ := m["error_codes"].([]any)
	text, _ := m["error_description"].(string)
	if r.status != status || m["error"] != kind || len(codes) != 1 || codes[0] != code {
		t.Fatalf("got %d %s, want %d %s %v", r.status, r.body, status, kind, code)
	}
	if !strings.Contains(text, "AADSTS") || !strings.Contains(text, "Trace ID: "+m["trace_id"].(string)) || !strings.Contains(text, "Timestamp: ") ||
		m["correlation_id"] == "" || m["timestamp"] != start.Format("2006-01-02 15:04:05Z") || !strings.Contains(m["error_uri"].(string), "/error?code=") {
		t.Errorf("incomplete error: %s", r.body)
	}
}

func TestChecklist04_OpenIDConfiguration(t *testing.T) {
	w := newTwin(t)
	for path, tail := range map[string]string{"/v2.0/.well-known/openid-configuration": "/oauth2/v2.0/token", "/.well-known/openid-configuration": "/oauth2/token"} {
		m := w.send(w.request("GET", "/contoso.example"+path+"?", nil)).json(t)
		if m["token_endpoint"] != w.URL()+"/"+testTenant+tail {
			t.Errorf("%s: token endpoint %v", path, m["token_endpoint"])
		}
		tok := w.form(strings.TrimPrefix(m["token_endpoint"].(string), w.URL()), append(v2form(), "resource", resource)...).json(t)["access_token"].(string)
		if iss := claims(t, tok)["iss"]; iss != m["issuer"] {
			t.Errorf("%s: issuer %v, token has %v", path, m["issuer"], iss)
		}
		keys := w.send(w.request("GET", strings.TrimPrefix(m["jwks_uri"].(string), w.URL()), nil)).json(t)["keys"].([]any)
		verifyWithJWKS(t, tok, keys[0].(map[string]any))
	}
	// Under a real host name the document names that host.
	m := w.send(w.request("GET", "https://login.microsoftonline.com/"+testTenant+"/v2.0/.well-known/openid-configuration", nil)).json(t)
	if m["issuer"] != "https://login.microsoftonline.com/"+testTenant+"/v2.0" {
		t.Errorf("issuer %v", m["issuer"])
	}
	r := w.send(w.request("GET", "/unknown.example/v2.0/.well-known/openid-configuration", nil))
	checkAADSTS(t, r, 400, "invalid_tenant", 90002)
}

func TestChecklist05_InstanceDiscovery(t *testing.T) {
	w := newTwin(t)
	get := func(endpoint string) reply {
		return w.send(w.request("GET", "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint="+endpoint, nil))
	}
	m := get("https://login.microsoftonline.com/" + testTenant + "/oauth2/v2.0/authorize").json(t)
	if m["tenant_discovery_endpoint"] != "https://login.microsoftonline.com/"+testTenant+"/v2.0/.well-known/openid-configuration" {
		t.Errorf("%v", m)
	}
	checkAADSTS(t, get("https://evil.example/x"), 400, "invalid_instance", 50049)
}

func TestChecklist06_Refusals(t *testing.T) {
	w := newTwin(t)
	post := func(kv ...string) reply { return w.form(v2path, v2form(kv...)...) }
	checkAADSTS(t, post("client_secret", "wrong"), 401, "invalid_client", 7000215)
	checkAADSTS(t, post("client_id", "nobody"), 400, "unauthorized_client", 700016)
	checkAADSTS(t, post("client_id", "off"), 401, "unauthorized_client", 7000112)
	checkAADSTS(t, post("client_secret", ""), 401, "invalid_client", 7000216)
	checkAADSTS(t, post("client_id", ""), 400, "invalid_request", 900144)
	checkAADSTS(t, post("grant_type", ""), 400, "invalid_request", 900144)
	checkAADSTS(t, post("scope", ""), 400, "invalid_request", 900144)
	checkAADSTS(t, post("grant_type", "password"), 400, "unsupported_grant_type", 70003)
	checkAADSTS(t, post("scope", "nonsense"), 400, "invalid_scope", 70011)
	checkAADSTS(t, post("scope", resource+"/.default https://x.example/.default"), 400, "invalid_scope", 70011)
	checkAADSTS(t, post("scope", resource+"/Ti.ReadWrite"), 400, "invalid_scope", 1002012)
	checkAADSTS(t, w.form("/33333333-3333-3333-3333-333333333333/oauth2/v2.0/token", v2form()...), 400, "invalid_request", 90002)
	checkAADSTS(t, w.form("/nodots/oauth2/v2.0/token", v2form()...), 400, "invalid_request", 900023)
	checkAADSTS(t, w.form(v1path, "grant_type", "client_credentials", "client_id", "a", "client_secret", "s"), 400, "invalid_request", 900144)
	checkAADSTS(t, w.send(w.request("POST", v2path, `{"client_id":"a"}`)), 400, "invalid_request", 9002313)
	if r := post("client_id", "late"); r.status != 200 {
		t.Errorf("secret before its end: %d", r.status)
	}
	checkAADSTS(t, w.send(w.request("PUT", v2path, "")), 400, "invalid_request", 900561)
	if err := w.SetSwitch("get_token", "reject"); err != nil {
		t.Fatal(err)
	}
	req := w.request("GET", v1path, "resource="+resource+"&client_id=a&client_secret=s&grant_type=client_credentials")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	checkAADSTS(t, w.send(req), 400, "invalid_request", 900561)
}

func TestChecklist06_ExpiredSecret(t *testing.T) {
	w := newTwin(t)
	w.Clock().Advance(time.Hour)
	r := w.form(v2path, v2form("client_id", "late")...)
	if m := r.json(t); r.status != 401 || m["error"] != "invalid_client" || !strings.Contains(m["error_description"].(string), "AADSTS7000222") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist06_BasicHeader(t *testing.T) {
	w := newTwin(t)
	req := w.request("POST", v2path, "grant_type=client_credentials&scope="+resource+"/.default")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("a", "s")
	if r := w.send(req); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist07_RolesDecide(t *testing.T) {
	w := newTwin(t)
	roles, _ := claims(t, w.token(testTenant, "a"))["roles"].([]any)
	if !slices.Contains(roles, any("Ti.ReadWrite.All")) {
		t.Errorf("roles %v", roles)
	}
	if r := w.as("none", "GET", "/api/indicators", nil); r.code() != "403 Forbidden" {
		t.Errorf("no role: %d %s", r.status, r.body)
	}
	if r := w.as("b", "GET", "/api/exposureScore/ByMachineGroups", nil); r.code() != "403 Forbidden" {
		t.Errorf("groups without Score.Read.All: %d %s", r.status, r.body)
	}
	r := w.call("GET", "/api/exposureScore/ByMachineGroups", nil)
	if v, _ := r.json(t)["value"].([]any); len(v) != 1 || v[0].(map[string]any)["rbacGroupName"] != "servers" {
		t.Errorf("groups: %s", r.body)
	}
}

func TestChecklist08_ExpiredTokenIs401(t *testing.T) {
	w := newTwin(t)
	if r := w.call("GET", "/api/indicators", nil); r.status != 200 {
		t.Fatalf("%d", r.status)
	}
	w.Clock().Advance(3599 * time.Second)
	r := w.call("GET", "/api/indicators", nil)
	if r.code() != "401 Unauthorized" || r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, auth := range []string{"", "Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer " + w.token(testTenant, "a") + "x"} {
		req := w.request("GET", "/api/indicators", nil)
		req.Header.Set("Authorization", auth)
		if r := w.send(req); r.code() != "401 Unauthorized" {
			t.Errorf("%q: %d %s", auth, r.status, r.body)
		}
	}
}

func TestChecklist08_TokenOfAnotherSandbox(t *testing.T) {
	a, b := newTwin(t), newTwin(t)
	a.tokens[testTenant+"/a"] = b.token(testTenant, "a")
	if r := a.call("GET", "/api/indicators", nil); r.code() != "401 Unauthorized" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist09_WrongAudienceIs401(t *testing.T) {
	// The token service knows two addresses; the API of another accepts neither.
	w := newTwin(t)
	tok := w.form(v2path, v2form("scope", w.URL()+"/.default")...).json(t)["access_token"].(string)
	req := w.request("GET", "https://api.security.microsoft.com/api/indicators", nil)
	req.Header.Set("Authorization", "Bearer "+tok)
	if r := w.send(req); r.code() != "401 Unauthorized" {
		t.Errorf("%d %s", r.status, r.body)
	}
	req = w.request("GET", "/api/indicators", nil)
	req.Header.Set("Authorization", "Bearer "+tok)
	if r := w.send(req); r.status != 200 {
		t.Errorf("own address: %d %s", r.status, r.body)
	}
}
