package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

// maxDocument bounds a token service's answers.
const maxDocument = 1 << 20

// check examines a connection: the way to the token service, the tenant there, and a
// token. It asks for a token of Microsoft Graph, whose API is in every tenant; what a
// class needs beyond that is the class's to check (CheckToken).
func check(ctx context.Context, cfg any, env sdk.Env, report func(sdk.Check)) {
	c := cfg.(*Connection).Rooted(env.BaseDir)
	client, err := httpx.New(httpx.Options{Clock: env.Clock, Log: env.Log, CAFile: c.CA, MaxBody: maxDocument, Retries: -1, PerSecond: unpaced, UserAgent: "Remeld"})
	if err != nil {
		report(sdk.Check{Name: "certificate authorities", State: sdk.CheckFailed, Detail: err.Error(), Fix: "correct ca of the connection"})
		return
	}
	defer client.CloseIdle()
	if c.ManagedIdentity == "" && !c.AzureCLI {
		if !client.Examine(ctx, c.AuthorityURL(), report) || !c.checkTenant(ctx, client, report) {
			report(sdk.Check{Name: "token", State: sdk.CheckSkipped, Detail: "not asked for"})
			return
		}
	}
	tokens := NewTokenSource(*c, client)
	if _, _, err := tokens.Token(ctx, c.GraphScope()); err != nil {
		report(sdk.FailedCheck("token", err))
		return
	}
	report(sdk.Check{Name: "token", State: sdk.CheckOK, Detail: fmt.Sprintf("by %s for app %s", c.kind(), c.ClientID)})
}

// tenant is what of a tenant's discovery document is looked at.
type tenant struct {
	Instance string `json:"cloud_instance_name"`
	SubScope string `json:"tenant_region_sub_scope"`
}

func (c *Connection) checkTenant(ctx context.Context, client *httpx.Client, report func(sdk.Check)) bool {
	name := c.TenantID + " at " + strings.TrimPrefix(c.AuthorityURL(), "https://")
	doc, err := readTenant(ctx, client, c.AuthorityURL()+"/"+c.TenantID+"/v2.0/.well-known/openid-configuration")
	var e *sdk.Error
	if errors.As(err, &e) && e.Failure == sdk.Refused {
		report(sdk.Check{Name: "tenant", State: sdk.CheckFailed, Detail: "there is no tenant " + name, Fix: c.fill(remedies["90002"], "")})
		return false
	}
	if err != nil {
		report(sdk.FailedCheck("tenant", err))
		return false
	}
	if other := c.misplaced(doc); other != "" {
		report(sdk.Check{Name: "tenant", State: sdk.CheckFailed, Detail: "tenant " + c.TenantID + " lives in cloud: " + other, Fix: "set cloud: " + other + " in the connection"})
		return false
	}
	report(sdk.Check{Name: "tenant", State: sdk.CheckOK, Detail: name})
	return true
}

func readTenant(ctx context.Context, client *httpx.Client, address string) (tenant, error) {
	var doc tenant
	resp, err := client.Look(ctx, address)
	if err != nil {
		return doc, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or of no use
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		return doc, fmt.Errorf("the tenant's discovery document cannot be read; something other than Entra answers at %s: %w", address, err)
	}
	return doc, nil
}

// misplaced names the cloud a tenant lives in where that is not the connection's. The
// public token service answers for the tenants of GCC High and DoD as well, and says
// so; a token service that was given by URL is taken at its word.
func (c *Connection) misplaced(doc tenant) string {
	if c.Authority != "" {
		return ""
	}
	name := c.Cloud
	if name == "" {
		name = "public"
	}
	lives := map[string]string{"GCC": "gcc", "DODCON": "gcc_high", "DOD": "dod"}[doc.SubScope]
	if lives == "" {
		lives = map[string]string{"microsoftonline.com": "public", "partner.microsoftonline.cn": "china"}[doc.Instance]
	}
	if lives == "" || lives == name || doc.Instance == "microsoftonline.com" && lives == "public" && name == "gcc" {
		return ""
	}
	return lives
}

// CheckToken asks for a new token for scope, since one from a cache would not show what
// was granted since, and looks for one of the application permissions in it. It tells
// whether calls can be tried.
func CheckToken(ctx context.Context, tokens *TokenSource, scope string, anyOf []string, report func(sdk.Check)) bool {
	tokens.Forget()
	roles, err := tokens.Roles(ctx, scope)
	var e *sdk.Error
	switch {
	case errors.As(err, &e):
		report(sdk.FailedCheck("token", err))
		return false
	case err != nil: // it is the API's to judge
		report(sdk.Check{Name: "token", State: sdk.CheckOK, Detail: "for " + scope})
		report(sdk.Check{Name: "permissions", State: sdk.CheckSkipped, Detail: "the token cannot be read"})
		return true
	}
	report(sdk.Check{Name: "token", State: sdk.CheckOK, Detail: "for " + scope})
	if len(anyOf) == 0 {
		return true
	}
	for _, want := range anyOf {
		if slices.Contains(roles, want) {
			report(sdk.Check{Name: "permissions", State: sdk.CheckOK, Detail: strings.Join(roles, ", ")})
			return true
		}
	}
	api := tokens.conn.apiOf(scope)
	report(sdk.Check{Name: "permissions", State: sdk.CheckFailed, Detail: fmt.Sprintf("the token has %s, not %s of %s", listed(roles), strings.Join(anyOf, " or "), api),
		Fix: fmt.Sprintf("add the application permission %s of %s to app %s under API permissions, then Grant admin consent", anyOf[0], api, tokens.conn.ClientID)})
	return false
}

func listed(roles []string) string {
	if len(roles) == 0 {
		return "no application permission"
	}
	return strings.Join(roles, ", ")
}
