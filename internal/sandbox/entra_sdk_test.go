package sandbox

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

func verifyWithJWKS(t *testing.T, token string, jwk map[string]any) {
	t.Helper()
	n, err1 := base64.RawURLEncoding.DecodeString(jwk["n"].(string))
	e, err2 := base64.RawURLEncoding.DecodeString(jwk["e"].(string))
	p := strings.Split(token, ".")
	sig, err3 := base64.RawURLEncoding.DecodeString(p[2])
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	sum := sha256.Sum256([]byte(p[0] + "." + p[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig); err != nil {
		t.Errorf("the published key does not verify the token: %v", err)
	}
}

// keyPair is made once: RSA keys are slow.
var keyPair = sync.OnceValues(func() (*rsa.PrivateKey, *x509.Certificate) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: start.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return key, cert
})

// certTwin has app "a" with the certificate; its clock follows the real one,
// for the SDK's assertions carry real time.
func certTwin(t *testing.T, live bool) *twin {
	t.Helper()
	_, cert := keyPair()
	return newTwin(t, func(o *Options) {
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
		o.Tenants[0].Apps[0].Certificates = []string{text}
		if live {
			o.Start, o.Frozen = time.Time{}, false
		}
	})
}

func sdkOptions(w *twin) azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: w.URL() + "/"},
		Transport: w.client,
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

func TestSDK_ClientSecretCredential(t *testing.T) {
	w := newTwin(t)
	cred, err := azidentity.NewClientSecretCredential(testTenant, "a", "s", &azidentity.ClientSecretCredentialOptions{ClientOptions: sdkOptions(w), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	useSDK(t, w, cred)
}

func TestSDK_ClientCertificateCredential(t *testing.T) {
	w := certTwin(t, true)
	key, cert := keyPair()
	cred, err := azidentity.NewClientCertificateCredential(testTenant, "a", []*x509.Certificate{cert}, key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: sdkOptions(w), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	useSDK(t, w, cred)
}

func useSDK(t *testing.T, w *twin, cred azcore.TokenCredential) {
	t.Helper()
	useToken(t, w, cred, policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
}

func useToken(t *testing.T, w *twin, cred azcore.TokenCredential, opts policy.TokenRequestOptions) {
	t.Helper()
	tok, err := cred.GetToken(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	req := w.request(http.MethodGet, "/api/indicators", nil)
	req.Header.Set("Authorization", "Bearer "+tok.Token)
	if r := w.send(req); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestSDK_WrongSecretSaysWhy(t *testing.T) {
	w := newTwin(t)
	cred, err := azidentity.NewClientSecretCredential(testTenant, "a", "wrong", &azidentity.ClientSecretCredentialOptions{ClientOptions: sdkOptions(w), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("%v", err)
	}
}

// TestSDK_InstanceDiscovery goes through the real host names by redirection.
func TestSDK_InstanceDiscovery(t *testing.T) {
	w := newTwin(t)
	opts := sdkOptions(w)
	opts.Cloud = cloud.AzurePublic
	cred, err := azidentity.NewClientSecretCredential(testTenant, "a", "s", &azidentity.ClientSecretCredentialOptions{ClientOptions: opts})
	if err != nil {
		t.Fatal(err)
	}
	useSDK(t, w, cred)
}

type assertion map[string]any

// assert signs a client assertion; edit changes header and claims.
func assert(t *testing.T, w *twin, alg string, edit func(header, claims assertion)) string {
	t.Helper()
	key, cert := keyPair()
	sum := sha256.Sum256(cert.Raw)
	h := assertion{"alg": alg, "typ": "JWT", "x5t#S256": base64.StdEncoding.EncodeToString(sum[:])}
	c := assertion{"aud": w.URL() + v2path, "iss": "a", "sub": "a", "jti": "1", "nbf": start.Unix(), "exp": start.Add(10 * time.Minute).Unix()}
	if edit != nil {
		edit(h, c)
	}
	enc := func(m assertion) string {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := enc(h) + "." + enc(c)
	digest := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if alg == "RS256" {
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestAssertion(t *testing.T) {
	w := certTwin(t, false)
	_, cert := keyPair()
	post := func(token string) reply {
		return w.form(v2path, v2form("client_secret", "", "client_assertion", token, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")...)
	}
	good := map[string]string{
		"PS256": assert(t, w, "PS256", nil),
		"RS256 x5t": assert(t, w, "RS256", func(h, _ assertion) {
			delete(h, "x5t#S256")
			h["x5t"] = sha1Thumb(cert.Raw)
		}),
		"issuer as audience": assert(t, w, "PS256", func(_, c assertion) { c["aud"] = w.URL() + "/" + testTenant + "/v2.0" }),
	}
	for name, token := range good {
		if r := post(token); r.status != 200 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	bad := []struct {
		code float64
		tok  string
	}{
		{700027, assert(t, w, "PS256", func(h, _ assertion) { h["x5t#S256"] = "AAAA" })},
		{700027, assert(t, w, "PS256", nil) + "AAAA"},
		{700027, assert(t, w, "PS256", func(h, _ assertion) { h["alg"] = "none" })},
		{700021, assert(t, w, "PS256", func(_, c assertion) { c["sub"] = "b" })},
		{700023, assert(t, w, "PS256", func(_, c assertion) { c["aud"] = "https://evil.example/" })},
		{700024, assert(t, w, "PS256", func(_, c assertion) { c["exp"] = start.Add(-time.Hour).Unix() })},
		{700024, assert(t, w, "PS256", func(_, c assertion) { c["nbf"] = start.Add(time.Hour).Unix() })},
		{700024, assert(t, w, "PS256", func(_, c assertion) { delete(c, "exp") })},
		{50027, assert(t, w, "PS256", func(_, c assertion) { delete(c, "jti") })},
		{50027, "garbage"},
	}
	for _, x := range bad {
		checkAADSTS(t, post(x.tok), 401, "invalid_client", x.code)
	}
}
