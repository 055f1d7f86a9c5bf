package entra

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/remeld/remeld/sdk"
)

// TokenSource hands out bearer tokens for one connection. Safe for concurrent
// use; tokens are cached until shortly before they expire.
type TokenSource struct {
	conn Connection
	http Doer

	mu   sync.Mutex
	cred azcore.TokenCredential
	used map[string]string // scope -> token last handed out
}

// Doer sends one request once; httpx.Client is one.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// NewTokenSource prepares a source; it makes no call. client carries proxy and
// certificate authorities.
func NewTokenSource(conn Connection, client Doer) *TokenSource {
	return &TokenSource{conn: conn, http: client, used: map[string]string{}}
}

// Token returns a token for scope ("https://…/.default"). fresh tells that it was
// not handed out before, so that a refusal of it cannot be blamed on its age. The
// error is an *sdk.Error that names the setting to change.
func (t *TokenSource) Token(ctx context.Context, scope string) (token string, fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token, err = t.get(ctx, scope); err != nil {
		return "", false, err
	}
	fresh = t.used[scope] != token
	t.used[scope] = token
	return token, fresh, nil
}

// get returns the cached or a new token without handing it out. t.mu is held.
func (t *TokenSource) get(ctx context.Context, scope string) (string, error) {
	if t.cred == nil {
		cred, err := t.credential()
		if err != nil {
			return "", err
		}
		t.cred = cred
	}
	got, err := t.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return "", explain(ctx, t.conn, err)
	}
	return got.Token, nil
}

// Roles returns the application permissions in the token for scope.
func (t *TokenSource) Roles(ctx context.Context, scope string) ([]string, error) {
	t.mu.Lock()
	token, err := t.get(ctx, scope)
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token is not a JWT")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("read the token's claims: %w", err)
	}
	var c struct {
		Roles []string `json:"roles"`
	}
	if err := json.Unmarshal(claims, &c); err != nil {
		return nil, fmt.Errorf("read the token's claims: %w", err)
	}
	return c.Roles, nil
}

// Forget drops cached tokens, after a service refused one.
func (t *TokenSource) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cred = nil
}

func (t *TokenSource) credential() (azcore.TokenCredential, error) {
	opts := azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: t.conn.AuthorityURL() + "/"},
		Transport: t.http,
		// One try: the caller has the one retry layer (SEMANTICS D12).
		Retry: policy.RetryOptions{MaxRetries: -1},
	}
	private := t.conn.Authority != ""
	if t.conn.Certificate != "" {
		return t.certificate(opts, private)
	}
	cred, err := azidentity.NewClientSecretCredential(t.conn.TenantID, t.conn.ClientID, t.conn.ClientSecret.Reveal(),
		&azidentity.ClientSecretCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: private})
	if err != nil {
		return nil, &sdk.Error{Failure: sdk.Unauthorized, Message: "the Entra connection cannot be used", Err: err}
	}
	return cred, nil
}

func (t *TokenSource) certificate(opts azcore.ClientOptions, private bool) (azcore.TokenCredential, error) {
	fail := func(what string, err error) error {
		return &sdk.Error{Failure: sdk.Unauthorized, Message: what + " " + t.conn.Certificate, Err: err}
	}
	data, err := os.ReadFile(t.conn.Certificate)
	if err != nil {
		return nil, fail("cannot read the certificate", err)
	}
	var certs []*x509.Certificate
	var key crypto.PrivateKey
	certs, key, err = azidentity.ParseCertificates(data, []byte(t.conn.CertificatePassword.Reveal()))
	if err != nil {
		return nil, fail("cannot parse the certificate (PEM or PFX with its private key is wanted)", err)
	}
	cred, err := azidentity.NewClientCertificateCredential(t.conn.TenantID, t.conn.ClientID, certs, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: private})
	if err != nil {
		return nil, fail("cannot use the certificate", err)
	}
	return cred, nil
}

// explain turns a token failure into what it means. The SDK's own text repeats
// the whole exchange, so only the service's code and the meaning are kept.
func explain(ctx context.Context, conn Connection, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code := aadsts(err); code != "" {
		return meaning(conn, code)
	}
	text := brief(err)
	var transport *sdk.Error
	if errors.As(err, &transport) {
		text = transport.Error()
	}
	return &sdk.Error{Failure: sdk.NotSent, Message: fmt.Sprintf("no token from %s for app %s: %s", conn.AuthorityURL(), conn.ClientID, text)}
}
