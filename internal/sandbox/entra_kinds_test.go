package sandbox

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/remeld/remeld/internal/sandbox/entra"
)

// foreignToken signs a token as the issuer of the federated credential would.
func foreignToken(t *testing.T, w *twin, edit func(claims assertion)) string {
	t.Helper()
	return assert(t, w, "RS256", func(h, c assertion) {
		delete(h, "x5t#S256")
		for _, k := range []string{"jti", "iss", "sub"} {
			delete(c, k)
		}
		c["iss"], c["sub"], c["aud"] = "https://issuer.example/oidc", "system:serviceaccount:soc:remeld", entra.ExchangeAudience
		c["exp"], c["nbf"] = w.Now().Add(10*time.Minute).Unix(), w.Now().Unix()
		if edit != nil {
			edit(c)
		}
	})
}

// federatedTwin has app "a" with a federated credential.
func federatedTwin(t *testing.T, live bool) *twin {
	t.Helper()
	key, _ := keyPair()
	return newTwin(t, func(o *Options) {
		o.Tenants[0].Apps[0].Federated = []entra.Federated{{
			Issuer: "https://issuer.example/oidc", Subject: "system:serviceaccount:soc:remeld", Keys: []entra.JWK{entra.NewJWK("", &key.PublicKey)},
		}}
		if live {
			o.Start, o.Frozen = time.Time{}, false
		}
	})
}

func TestFederatedAssertion(t *testing.T) {
	w := federatedTwin(t, false)
	post := func(token string) reply {
		return w.form(v2path, v2form("client_secret", "", "client_assertion", token, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")...)
	}
	if r := post(foreignToken(t, w, nil)); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := post(foreignToken(t, w, func(c assertion) { c["aud"] = []string{"other", entra.ExchangeAudience} })); r.status != 200 {
		t.Errorf("several audiences: %d %s", r.status, r.body)
	}
	for _, x := range []struct {
		status int
		kind   string
		code   float64
		edit   func(c assertion)
	}{
		{400, "invalid_request", 700211, func(c assertion) { c["iss"] = "https://issuer.example/oidc/" }},
		{400, "invalid_request", 700213, func(c assertion) { c["sub"] = "system:serviceaccount:soc:Remeld" }},
		{400, "invalid_request", 700212, func(c assertion) { c["aud"] = "api://other" }},
		{401, "invalid_client", 700024, func(c assertion) { c["exp"] = start.Add(-time.Hour).Unix() }},
		{401, "invalid_client", 700024, func(c assertion) { delete(c, "exp") }},
	} {
		checkAADSTS(t, post(foreignToken(t, w, x.edit)), x.status, x.kind, x.code)
	}
	checkAADSTS(t, post(foreignToken(t, w, nil)+"AAAA"), 401, "invalid_client", 50013)
}

func TestSDK_WorkloadIdentityCredential(t *testing.T) {
	w := federatedTwin(t, true)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(foreignToken(t, w, nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	cred, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: sdkOptions(w), TenantID: testTenant, ClientID: "a", TokenFilePath: file, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	useSDK(t, w, cred)
}

// machineTwin is a machine with both kinds of managed identity.
func machineTwin(t *testing.T) *twin {
	t.Helper()
	return newTwin(t, func(o *Options) {
		o.PlainAddr, o.Start, o.Frozen = "127.0.0.1:0", time.Time{}, false
		o.Tenants[0].Apps = append(o.Tenants[0].Apps,
			App{ID: "sys", Name: "machine", Roles: []string{"Ti.ReadWrite.All"}, ManagedIdentity: "system"},
			App{ID: "usr", Name: "identity", Roles: []string{"Ti.ReadWrite.All"}, ManagedIdentity: "user"})
	})
}

// plainly is a transport that finds the sandbox's plain listener at every address.
func plainly(w *twin) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, w.PlainURL()[len("http://"):])
	}}}
}

func TestSDK_ManagedIdentityCredential(t *testing.T) {
	for _, host := range []string{"imds", "app service"} {
		for name, id := range map[string]azidentity.ManagedIDKind{"system": nil, "user": azidentity.ClientID("usr"), "none": azidentity.ClientID("a")} {
			t.Run(host+" "+name, func(t *testing.T) {
				w := machineTwin(t)
				if host == "app service" {
					t.Setenv("IDENTITY_ENDPOINT", w.PlainURL()+"/msi/token")
					t.Setenv("IDENTITY_HEADER", entra.ManagedHeader)
				}
				cred, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{
					ID: id, ClientOptions: azcore.ClientOptions{Transport: plainly(w), Retry: policy.RetryOptions{MaxRetries: -1}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if name != "none" {
					// Claims pass by the SDK's cache, which all its clients in a process share.
					useToken(t, w, cred, policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}, Claims: "{}"})
					return
				}
				if _, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}}); err == nil {
					t.Error("a token of an app that is no managed identity")
				}
			})
		}
	}
}

// TestManagedIdentityDoors: what each endpoint wants to see before it answers. The
// SDK reads the Arc agent's key from a fixed folder only, so that dialogue is spoken
// here.
func TestManagedIdentityDoors(t *testing.T) {
	w := machineTwin(t)
	get := func(path string, header ...string) reply {
		req := w.request("GET", w.PlainURL()+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return w.send(req)
	}
	const imds = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + resource
	const arc = "/arc/metadata/identity/oauth2/token?api-version=2020-06-01&resource=" + resource
	for _, x := range []struct {
		path   string
		header []string
		status int
	}{
		{imds, []string{"Metadata", "true"}, 200},
		{imds, nil, 400},
		{imds, []string{"Metadata", "true", "X-Forwarded-For", "192.0.2.1"}, 400},
		{imds + "&client_id=unknown", []string{"Metadata", "true"}, 400},
		{imds + "unknown", []string{"Metadata", "true"}, 400},
		{"/msi/token?api-version=2019-08-01&resource=" + resource, nil, 401},
		{arc, []string{"Metadata", "true"}, 401},
		{arc, []string{"Metadata", "true", "Authorization", "Basic " + entra.ManagedArcKey}, 200},
	} {
		r := get(x.path, x.header...)
		if r.status != x.status {
			t.Errorf("%s %v: %d %s", x.path, x.header, r.status, r.body)
		}
		if x.status == 200 {
			if _, text := r.json(t)["expires_on"].(string); !text {
				t.Errorf("expires_on must be text: %s", r.body)
			}
		}
	}
	if r := get(arc, "Metadata", "true"); r.header.Get("WWW-Authenticate") != "Basic realm=/var/opt/azcmagent/tokens/sandbox.key" {
		t.Errorf("%v", r.header)
	}
}

// TestSDK_NationalClouds: through the real host names, with instance discovery; the
// token service of one cloud knows no API of another.
func TestSDK_NationalClouds(t *testing.T) {
	own := map[string]string{
		"https://login.microsoftonline.us/":         "https://graph.microsoft.us",
		"https://login.partner.microsoftonline.cn/": "https://microsoftgraph.chinacloudapi.cn",
		"https://login.chinacloudapi.cn/":           "https://management.chinacloudapi.cn",
		"https://login.microsoftonline.com/":        "https://graph.microsoft.com",
	}
	for login, api := range own {
		w := newTwin(t)
		opts := sdkOptions(w)
		opts.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: login}
		cred, err := azidentity.NewClientSecretCredential(testTenant, "a", "s", &azidentity.ClientSecretCredentialOptions{ClientOptions: opts})
		if err != nil {
			t.Fatal(err)
		}
		for _, res := range []string{"https://graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn", "https://graph.microsoft.com", api} {
			_, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{res + "/.default"}})
			same := res == api || api == "https://management.chinacloudapi.cn" && res == own["https://login.partner.microsoftonline.cn/"]
			if (err == nil) != same {
				t.Errorf("%s for %s: %v", login, res, firstLine(err))
			}
		}
	}
}

func firstLine(err error) string { return fmt.Sprintf("%.200v", err) }
