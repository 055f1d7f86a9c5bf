package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

// TokenSource hands out bearer tokens for one connection. Safe for concurrent
// use; tokens are cached until shortly before they expire.
type TokenSource struct {
	conn  Connection
	http  Doer
	local Doer // for the machine's own identity endpoint

	mu   sync.Mutex
	cred azcore.TokenCredential
	used map[string]string // scope -> token last handed out since Forget
	anew bool              // the next token of a managed identity must not come from a cache
}

// Doer sends one request once; httpx.Client is one.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// NewTokenSource prepares a source; it makes no call. client carries proxy and
// certificate authorities.
func NewTokenSource(conn Connection, client Doer) *TokenSource {
	return &TokenSource{conn: conn, http: client, local: httpx.Local(), used: map[string]string{}}
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
	opts := policy.TokenRequestOptions{Scopes: []string{scope}}
	if t.anew && t.conn.ManagedIdentity != "" {
		opts.Claims = "{}" // passes by the SDK's cache, which is the process's
	}
	got, err := t.cred.GetToken(ctx, opts)
	if err != nil {
		return "", t.conn.explain(ctx, scope, err)
	}
	t.anew = false
	if err := t.conn.speaksForUs(got.Token); err != nil {
		return "", err
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
	c, err := claimsOf(token)
	return c.Roles, err
}

// claims are what of a token is looked at. Tokens are the API's to read; a client that
// looks must be ready to see nothing.
type claims struct {
	App   string   `json:"appid"`
	Azp   string   `json:"azp"`   // the same in tokens of version 2
	Scope string   `json:"scp"`   // of a person's token
	UPN   string   `json:"upn"`   // of a person's token
	Roles []string `json:"roles"` // of an app's token
}

func claimsOf(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("the token is not a JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, fmt.Errorf("read the token's claims: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("read the token's claims: %w", err)
	}
	return c, nil
}

// speaksForUs: rows are recognised as ours by the app that created them (SEMANTICS
// D2), so a token of another identity than client_id must not be used. Managed
// identities and az choose the identity themselves.
func (c *Connection) speaksForUs(token string) error {
	if c.ManagedIdentity == "" && !c.AzureCLI {
		return nil
	}
	got, err := claimsOf(token)
	if err != nil {
		return nil //nolint:nilerr // a token that cannot be read is the API's to judge
	}
	app := got.App
	if app == "" {
		app = got.Azp
	}
	switch {
	case got.Scope != "" || got.UPN != "":
		return &sdk.Error{Failure: sdk.Unauthorized, Message: "az is signed in as a person, whose own rows could not be told from those of remeld; " +
			"sign in as the app: az login --service-principal --username " + c.ClientID + " --tenant " + c.TenantID}
	case app != "" && !strings.EqualFold(app, c.ClientID):
		return &sdk.Error{Failure: sdk.Unauthorized, Message: fmt.Sprintf(
			"the %s gives tokens of app %s, but client_id is %s; correct client_id or the identity", c.kind(), app, c.ClientID)}
	}
	return nil
}

// Forget drops cached tokens, after a service refused one. The next token of a scope is
// fresh even where it is the same again: az and the endpoints of machines have caches of
// their own, and a token that they still give is as new as one can be had.
func (t *TokenSource) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cred, t.anew = nil, true
	clear(t.used)
}

// explain turns a token failure into what it means. The SDK's own text repeats
// the whole exchange, so only the service's code and the meaning are kept.
func (c *Connection) explain(ctx context.Context, scope string, err error) error {
	if ctx.Err() != nil {
		return &sdk.Error{Failure: sdk.NotSent, Message: "the request for a token was given up", Err: ctx.Err()}
	}
	var transport *sdk.Error
	code := aadsts(err)
	switch {
	case code != "":
		return c.meaning(scope, code, err)
	case errors.As(err, &transport):
		return &sdk.Error{Failure: sdk.NotSent, Message: fmt.Sprintf("no token from %s for app %s: %s", c.AuthorityURL(), c.ClientID, transport.Error())}
	}
	if local := c.locally(err); local != nil {
		return local
	}
	return &sdk.Error{Failure: sdk.NotSent, Message: fmt.Sprintf("no token from %s for app %s: %s", c.AuthorityURL(), c.ClientID, brief(err))}
}
