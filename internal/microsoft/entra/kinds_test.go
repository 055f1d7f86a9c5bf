package entra

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/internal/sandbox"
	twin "github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/sdk"
)

type wall struct{}

func (wall) Now() time.Time                                   { return time.Now() }
func (wall) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

const (
	tenantID = "5a4db0c5-0000-4000-8000-00000000d340"
	appID    = "5a4db0c5-0000-4000-8000-0000000000a1"
	systemID = "5a4db0c5-0000-4000-8000-0000000000b1"
	userID   = "5a4db0c5-0000-4000-8000-0000000000b2"
	issuer   = "https://issuer.example/oidc"
	subject  = "system:serviceaccount:soc:remeld"
)

var privateKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// began makes certificates of the same end the same: RSA signatures have no chance in
// them.
var began = time.Now()

// selfSigned returns the certificate, PEM, that ends at the time.
func selfSigned(t *testing.T, end time.Time) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: end.AddDate(-1, 0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &privateKey().PublicKey, privateKey())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(privateKey())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// federatedToken is signed by the issuer that the app trusts.
func federatedToken(t *testing.T, sub string, end time.Time) []byte {
	t.Helper()
	enc := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := enc(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." +
		enc(map[string]any{"iss": issuer, "sub": sub, "aud": twin.ExchangeAudience, "exp": end.Unix(), "nbf": end.Add(-time.Hour).Unix()})
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, privateKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text + "." + base64.RawURLEncoding.EncodeToString(sig))
}

// room is a sandbox whose tenant has an app with every kind of credential.
type room struct {
	*sandbox.Sandbox
	log bytes.Buffer
}

func open(t *testing.T) *room {
	t.Helper()
	roles := []string{"Ti.ReadWrite.All"}
	sb, err := sandbox.Start(t.Context(), sandbox.Options{Dir: t.TempDir(), PlainAddr: "127.0.0.1:0", Tenants: []sandbox.Tenant{{ID: tenantID, Apps: []sandbox.App{
		{
			ID: appID, Roles: roles, Secrets: []sandbox.Secret{{Value: "fake-secret-4711"}},
			Certificates: []string{string(selfSigned(t, began.AddDate(0, 0, 90))), string(selfSigned(t, began.AddDate(0, 0, -1)))},
			Federated:    []twin.Federated{{Issuer: issuer, Subject: subject, Keys: []twin.JWK{twin.NewJWK("", &privateKey().PublicKey)}}},
		},
		{ID: systemID, Roles: roles, ManagedIdentity: "system"}, {ID: userID, Roles: roles, ManagedIdentity: "user"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	return &room{Sandbox: sb}
}

// tokens is a source for a connection to the room. The machine's identity endpoint is
// the room's, whatever address it has.
func (r *room) tokens(t *testing.T, change func(*Connection)) *TokenSource {
	t.Helper()
	conn := Connection{TenantID: tenantID, ClientID: appID, Authority: r.URL(), CA: r.CAFile()}
	change(&conn)
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := httpx.New(httpx.Options{Clock: wall{}, Log: log, CAFile: conn.CA, Retries: -1, PerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdle)
	src := NewTokenSource(conn, client)
	plain := strings.TrimPrefix(r.PlainURL(), "http://")
	src.local = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, plain)
	}}}
	return src
}

// stubAz puts a command az on PATH that prints what script says.
func stubAz(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "az"), []byte("#!/bin/sh\necho x >> "+dir+"/called\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a command must be executable
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("AZ_CALLED", filepath.Join(dir, "called"))
}

func azAnswer(token string) string {
	return fmt.Sprintf(`echo '{"accessToken":%q,"expires_on":%d,"tokenType":"Bearer"}'`, token, time.Now().Add(time.Hour).Unix())
}

// unsigned is a token as far as a client looks at it.
func unsigned(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// TestEveryKindOfCredentialGetsAToken: the SDK itself against the sandbox.
func TestEveryKindOfCredentialGetsAToken(t *testing.T) {
	good := append(selfSigned(t, began.AddDate(0, 0, 90)), keyPEM(t)...)
	kinds := map[string]func(*Connection){
		"secret":      func(c *Connection) { c.ClientSecret = "fake-secret-4711" },
		"certificate": func(c *Connection) { c.Certificate = write(t, "app.pem", good) },
		"key before certificate": func(c *Connection) {
			c.Certificate = write(t, "app.pem", append(keyPEM(t), selfSigned(t, began.AddDate(0, 0, 90))...))
		},
		"federated": func(c *Connection) {
			c.FederatedTokenFile = write(t, "token", federatedToken(t, subject, time.Now().Add(time.Hour)))
		},
		"managed, system": func(c *Connection) { c.ManagedIdentity, c.ClientID = "system", systemID },
		"managed, user":   func(c *Connection) { c.ManagedIdentity, c.ClientID = "user", userID },
		"azure cli":       func(c *Connection) { c.AzureCLI = true },
	}
	for name, change := range kinds {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			if name == "azure cli" {
				stubAz(t, azAnswer(unsigned(`{"appid":"`+appID+`","roles":["Ti.ReadWrite.All"]}`)))
			}
			src := r.tokens(t, change)
			src.anew = true // managed identities share a cache between all tests
			token, fresh, err := src.Token(t.Context(), src.conn.DefenderScope())
			if err != nil || token == "" || !fresh {
				t.Fatalf("%q %v %v", token, fresh, err)
			}
			if again, fresh, err := src.Token(t.Context(), src.conn.DefenderScope()); err != nil || again != token || fresh {
				t.Errorf("the second token is another (%v), or fresh %v: %v", again != token, fresh, err)
			}
			if roles, err := src.Roles(t.Context(), src.conn.DefenderScope()); err != nil || len(roles) != 1 {
				t.Errorf("%v %v", roles, err)
			}
			if name == "azure cli" {
				if called, err := os.ReadFile(os.Getenv("AZ_CALLED")); err != nil || len(called) != 2 {
					t.Errorf("az was called %d times: %v", len(called)/2, err)
				}
				return
			}
			src.Forget()
			if anew, fresh, err := src.Token(t.Context(), src.conn.DefenderScope()); err != nil || anew == token || !fresh {
				t.Errorf("after Forget: same %v, fresh %v, %v", anew == token, fresh, err)
			}
		})
	}
}

// TestARefusedTokenIsAskedForAnewOnce: az, as the endpoints of machines, has a cache of
// its own and may give the very token that was refused. It counts as fresh then, or its
// refusal would be taken for its age, call after call, for ever.
func TestARefusedTokenIsAskedForAnewOnce(t *testing.T) {
	r := open(t)
	stubAz(t, azAnswer(unsigned(`{"appid":"`+appID+`"}`)))
	src := r.tokens(t, func(c *Connection) { c.AzureCLI = true })
	scopes := []string{src.conn.DefenderScope(), src.conn.GraphScope()}
	for round, want := range []bool{true, false, true, false} {
		if round == 2 {
			src.Forget()
		}
		for _, scope := range scopes {
			if _, fresh, err := src.Token(t.Context(), scope); err != nil || fresh != want {
				t.Errorf("round %d: fresh %v, %v", round, fresh, err)
			}
		}
	}
}

// TestACancelledRequestForATokenSentNothing: the call it was for never left.
func TestACancelledRequestForATokenSentNothing(t *testing.T) {
	r := open(t)
	src := r.tokens(t, func(c *Connection) { c.ClientSecret = "fake-secret-4711" })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := src.Token(ctx, src.conn.GraphScope()); sdk.FailureOf(err) != sdk.NotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("%s: %v", sdk.FailureOf(err), err)
	}
}

// TestEveryKindFailsInOneClearMessage: what is wrong, whether it stops or waits, and
// nothing secret anywhere, at debug level.
func TestEveryKindFailsInOneClearMessage(t *testing.T) {
	expired := append(selfSigned(t, began.AddDate(0, 0, -1)), keyPEM(t)...)
	token := federatedToken(t, "system:serviceaccount:soc:other", time.Now().Add(time.Hour))
	stale := federatedToken(t, subject, time.Now().Add(-time.Hour))
	tests := map[string]struct {
		change  func(*Connection)
		az      string
		failure sdk.Failure
		words   string
	}{
		"wrong secret":       {func(c *Connection) { c.ClientSecret = "fake-wrong-0815" }, "", sdk.Unauthorized, "use the secret's Value"},
		"expired":            {func(c *Connection) { c.Certificate = write(t, "app.pem", expired) }, "", sdk.Unauthorized, "has expired"},
		"no file":            {func(c *Connection) { c.Certificate = "/nowhere/app.pem" }, "", sdk.Unauthorized, "no such file"},
		"no key":             {func(c *Connection) { c.Certificate = write(t, "app.pem", selfSigned(t, time.Now())) }, "", sdk.Unauthorized, "private key"},
		"garbage":            {func(c *Connection) { c.Certificate = write(t, "app.pem", []byte("garbage")) }, "", sdk.Unauthorized, "neither PEM nor a PFX"},
		"other subject":      {func(c *Connection) { c.FederatedTokenFile = write(t, "token", token) }, "", sdk.Unauthorized, "subject of the token"},
		"stale token":        {func(c *Connection) { c.FederatedTokenFile = write(t, "token", stale) }, "", sdk.NotSent, "its file is rotated"},
		"no token file":      {func(c *Connection) { c.FederatedTokenFile = "/nowhere/token" }, "", sdk.NotSent, "federated_token_file"},
		"unknown identity":   {func(c *Connection) { c.ManagedIdentity, c.ClientID = "user", appID }, "", sdk.Unauthorized, "no such managed identity"},
		"other identity":     {func(c *Connection) { c.ManagedIdentity, c.ClientID = "system", userID }, "", sdk.Unauthorized, "gives tokens of app " + systemID},
		"az: not signed in":  {func(c *Connection) { c.AzureCLI = true }, "echo 'Please run az login' >&2; exit 1", sdk.NotSent, "az login --service-principal"},
		"az: a person":       {func(c *Connection) { c.AzureCLI = true }, azAnswer(unsigned(`{"appid":"` + appID + `","upn":"a@b.example"}`)), sdk.Unauthorized, "signed in as a person"},
		"az: another app":    {func(c *Connection) { c.AzureCLI = true }, azAnswer(unsigned(`{"appid":"` + userID + `"}`)), sdk.Unauthorized, "correct client_id"},
		"API of other cloud": {func(c *Connection) { c.ClientSecret, c.DefenderAudience = "fake-secret-4711", "https://nobody.example" }, "", sdk.Unauthorized, "WindowsDefenderATP is not in tenant"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			if test.az != "" {
				stubAz(t, test.az)
			}
			src := r.tokens(t, test.change)
			src.anew = true
			_, _, err := src.Token(t.Context(), src.conn.DefenderScope())
			if err == nil || sdk.FailureOf(err) != test.failure || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %s: %v", sdk.FailureOf(err), err)
			}
			if text := fmt.Sprintf("%v %+v %s", err, err, r.log.String()); strings.Contains(text, "fake-") || strings.Contains(text, "eyJ") || strings.Contains(text, "-----") {
				t.Errorf("a secret or token shows in %s", text)
			}
		})
	}
}

// TestNoMachineIdentity: nobody answers at the machine's own address.
func TestNoMachineIdentity(t *testing.T) {
	r := open(t)
	src := r.tokens(t, func(c *Connection) { c.ManagedIdentity = "system" })
	src.local = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}}}
	src.anew = true
	_, _, err := src.Token(t.Context(), src.conn.GraphScope())
	if sdk.FailureOf(err) != sdk.NotSent || !strings.Contains(err.Error(), "no managed identity endpoint answers") {
		t.Errorf("%s: %v", sdk.FailureOf(err), err)
	}
}

// TestTransientCodesWait: the codes that pass by themselves must not stop a destination.
func TestTransientCodesWait(t *testing.T) {
	for code, want := range map[string]sdk.Failure{
		"AADSTS90033": sdk.NotSent, "AADSTS90055": sdk.NotSent, "AADSTS700024": sdk.NotSent, "AADSTS50166": sdk.NotSent,
		"AADSTS7000215": sdk.Unauthorized, "AADSTS700213": sdk.Unauthorized, "AADSTS999999": sdk.Unauthorized,
	} {
		c := &Connection{TenantID: tenantID, ClientID: appID, ClientSecret: "fake"}
		if err := c.explain(t.Context(), c.GraphScope(), fmt.Errorf("server said %s: text", code)); sdk.FailureOf(err) != want || strings.Contains(err.Error(), "{") {
			t.Errorf("%s: %s %v", code, sdk.FailureOf(err), err)
		}
	}
	r := open(t)
	for status, want := range map[int]sdk.Failure{503: sdk.NotSent, 429: sdk.NotSent, 400: sdk.Unauthorized} {
		r.ClearFaults()
		if _, err := r.AddFault(sandbox.Rule{Op: "token", Action: sandbox.Action{Status: status, Body: `{"error":"x","error_description":"AADSTS999999: text"}`}}); err != nil {
			t.Fatal(err)
		}
		src := r.tokens(t, func(c *Connection) { c.ClientSecret = "fake-secret-4711" })
		if _, _, err := src.Token(t.Context(), src.conn.GraphScope()); sdk.FailureOf(err) != want {
			t.Errorf("an unknown code with HTTP %d: %s %v", status, sdk.FailureOf(err), err)
		}
	}
}

// TestPFX needs a tool that writes one.
func TestPFX(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl to write a PFX file with")
	}
	source := write(t, "app.pem", append(selfSigned(t, began.AddDate(0, 0, 90)), keyPEM(t)...))
	pack := func(args ...string) string {
		out := filepath.Join(t.TempDir(), "app.pfx")
		args = append([]string{"pkcs12", "-export", "-in", source, "-out", out, "-passout", "pass:fake-pfx-password"}, args...)
		if text, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput(); err != nil {
			t.Skipf("openssl does not write this kind: %v %s", err, text)
		}
		return out
	}
	old := pack("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1")
	for _, file := range []string{
		old, pack("-certpbe", "AES-256-CBC", "-keypbe", "AES-256-CBC", "-macalg", "sha256"), // as OpenSSL 3 and Windows 2022 write it
		pack("-certpbe", "AES-128-CBC", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha256"),
	} {
		pair, err := (&Connection{Certificate: file, CertificatePassword: "fake-pfx-password"}).readKeyPair()
		if err != nil || len(pair.certs) != 1 || pair.key == nil {
			t.Errorf("%d certificates, %v", len(pair.certs), err)
		}
	}
	cut, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	for words, c := range map[string]*Connection{
		"does not open the PFX": {Certificate: old, CertificatePassword: "fake-wrong"},
		"convert it":            {Certificate: write(t, "cut.pfx", cut[:len(cut)/2]), CertificatePassword: "fake-pfx-password"},
	} {
		if _, err := c.readKeyPair(); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "fake-") {
			t.Errorf("%v, want %q", err, words)
		}
	}
}

func TestEndsReadsTheCertificate(t *testing.T) {
	end := time.Now().AddDate(0, 0, 5).UTC().Truncate(time.Second)
	path := write(t, "app.pem", append(keyPEM(t), selfSigned(t, end)...))
	got, err := ends(&Connection{Certificate: filepath.Base(path)}, filepath.Dir(path))
	if err != nil || !got.Equal(end) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := ends(&Connection{ClientSecret: "x"}, ""); err != nil || !got.IsZero() {
		t.Errorf("%v %v", got, err)
	}
}
