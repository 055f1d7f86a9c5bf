package entra

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func unknownTenant(name string) *failure {
	if _, err := uuid.Parse(name); err != nil && !strings.Contains(name, ".") {
		return fail(400, 900023, "invalid_request", "Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.", name)
	}
	return fail(400, 90002, "invalid_request", "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name)
}

// token is the token endpoint, v1 and v2.
func (s *Service) token(r Route, req *wire.Request) (wire.Reply, *failure) {
	if req.Method != "POST" && (req.Method != "GET" || s.cfg.Switches().GetToken == "reject") {
		return wire.Reply{}, fail(400, 900561, "invalid_request", "The endpoint only accepts POST requests. Received a %s request.", req.Method)
	}
	form, f := readForm(req)
	if f != nil {
		return wire.Reply{}, f
	}
	t := s.tenant(r.Tenant)
	if t == nil {
		return wire.Reply{}, unknownTenant(r.Tenant)
	}
	a, f := t.client(form)
	if f != nil {
		return wire.Reply{}, f
	}
	resource, f := s.resource(r, t, form, req)
	if f != nil {
		return wire.Reply{}, f
	}
	if f := a.authenticate(r, form, req, t); f != nil {
		return wire.Reply{}, f
	}
	return s.issue(r, req, t, a, resource)
}

// Client returns the id of the tenant's app that a token request names, "" if
// it names none that is known.
func (s *Service) Client(r Route, req *wire.Request) string {
	t := s.tenant(r.Tenant)
	if r.Op != OpToken || t == nil {
		return ""
	}
	form, f := readForm(req)
	if f != nil {
		return ""
	}
	if a := t.apps[strings.ToLower(form.Get("client_id"))]; a != nil {
		return a.ID
	}
	return ""
}

// readForm reads the form body; client id and secret may stand in a Basic header.
func readForm(req *wire.Request) (url.Values, *failure) {
	kind, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	form, err := url.ParseQuery(string(req.Body))
	if err != nil || !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, fail(400, 9002313, "invalid_request", "Invalid request. Request is malformed or invalid.")
	}
	if basic, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Basic "); ok {
		raw, err := base64.StdEncoding.DecodeString(basic)
		id, secret, found := strings.Cut(string(raw), ":")
		id, err1 := url.QueryUnescape(id)
		secret, err2 := url.QueryUnescape(secret)
		if err != nil || !found || err1 != nil || err2 != nil {
			return nil, fail(400, 9002313, "invalid_request", "Invalid request. Request is malformed or invalid.")
		}
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	return form, nil
}

// client finds the app and checks the grant.
func (t *tenant) client(form url.Values) (*app, *failure) {
	grant, id := form.Get("grant_type"), form.Get("client_id")
	switch {
	case grant == "":
		return nil, missing("grant_type")
	case grant != "client_credentials":
		return nil, fail(400, 70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", clip(grant))
	case id == "":
		return nil, missing("client_id")
	}
	a := t.apps[strings.ToLower(id)]
	switch {
	case a == nil:
		return nil, fail(400, 700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", clip(id), t.ID)
	case a.Disabled:
		return a, fail(401, 7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", a.ID, a.Name)
	}
	return a, nil
}

// clip bounds what of a request is repeated in an answer.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// oidc are scopes that SDKs add and that say nothing about the resource.
var oidc = []string{"openid", "offline_access", "profile", "email"}

// resource returns the API that the token is asked for.
func (s *Service) resource(r Route, t *tenant, form url.Values, req *wire.Request) (string, *failure) {
	name := form.Get("resource")
	if r.V2 {
		var f *failure
		if name, f = scopeResource(form.Get("scope")); f != nil {
			return "", f
		}
	} else if name == "" {
		return "", missing("resource")
	}
	if s.known(name, req) {
		return name, nil
	}
	return "", fail(400, 500011, "invalid_resource", "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", clip(name), t.ID)
}

// known tells whether the API exists in the cloud whose token service is asked.
func (s *Service) known(name string, req *wire.Request) bool {
	same := func(x string) bool {
		return strings.EqualFold(strings.TrimSuffix(x, "/"), strings.TrimSuffix(name, "/"))
	}
	if slices.ContainsFunc(s.cfg.Own(req), same) {
		return true
	}
	return slices.ContainsFunc(s.cfg.Resources, same) && inCloud(req.Host, name)
}

func scopeResource(scope string) (string, *failure) {
	if strings.TrimSpace(scope) == "" {
		return "", missing("scope")
	}
	rest := slices.DeleteFunc(strings.Fields(scope), func(x string) bool { return slices.Contains(oidc, x) })
	if len(rest) != 1 {
		return "", fail(400, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", clip(scope))
	}
	name, ok := strings.CutSuffix(rest[0], "/.default")
	switch {
	case ok && name != "":
		return name, nil
	case !strings.Contains(rest[0], "/") || name == "":
		return "", fail(400, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", clip(rest[0]))
	}
	return "", fail(400, 1002012, "invalid_scope", "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", clip(rest[0]))
}

// authenticate checks the secret or the assertion.
func (a *app) authenticate(r Route, form url.Values, req *wire.Request, t *tenant) *failure {
	if form.Has("client_assertion") {
		if form.Get("client_assertion_type") != assertionType {
			return fail(400, 900144, "invalid_request", "The request body must contain the following parameter: 'client_assertion_type' with value '%s'.", assertionType)
		}
		return a.checkAssertion(form.Get("client_assertion"), req, t, r)
	}
	secret := form.Get("client_secret")
	if secret == "" {
		return fail(401, 7000216, "invalid_client", "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	}
	for _, known := range a.Secrets {
		if subtle.ConstantTimeCompare([]byte(known.Value), []byte(secret)) != 1 {
			continue
		}
		if !known.Expires.IsZero() && !req.Now.Before(known.Expires) {
			return fail(401, 7000222, "invalid_client", "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", a.ID)
		}
		return nil
	}
	return fail(401, 7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", a.ID)
}

type assertionClaims struct {
	Aud string   `json:"aud"`
	Iss string   `json:"iss"`
	Sub string   `json:"sub"`
	Jti string   `json:"jti"`
	Exp *float64 `json:"exp"`
	Nbf float64  `json:"nbf"`
}

// checkAssertion checks a certificate's client assertion: key, signature,
// issuer, subject, audience, times. Clocks may differ by five minutes.
func (a *app) checkAssertion(token string, req *wire.Request, t *tenant, r Route) *failure {
	p, err := parseJWT(token)
	if err == nil && len(a.Federated) > 0 && p.header.X5t+p.header.X5tS256 == "" {
		return a.checkFederated(p, req)
	}
	var c assertionClaims
	if err != nil || json.Unmarshal(p.claims, &c) != nil || c.Jti == "" {
		return fail(401, 50027, "invalid_client", "JWT token is invalid or malformed.")
	}
	cert, ok := a.find(p.header)
	switch {
	case !ok:
		return fail(401, 700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '%s']", clip(p.header.X5t+p.header.X5tS256))
	case p.verify(cert.key) != nil:
		return fail(401, 700027, "invalid_client", "Client assertion contains an invalid signature. [Reason - The key used is not valid for the signature.]")
	case req.Now.After(cert.cert.NotAfter):
		return fail(401, 700027, "invalid_client", "Client assertion contains an invalid signature. [Reason - The key used is expired., Found key 'Start=%s, End=%s']", cert.cert.NotBefore.UTC().Format("01/02/2006 15:04:05"), cert.cert.NotAfter.UTC().Format("01/02/2006 15:04:05"))
	case !strings.EqualFold(c.Iss, a.ID) || !strings.EqualFold(c.Sub, a.ID):
		return fail(401, 700021, "invalid_client", "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .")
	case !audienceOK(c.Aud, req, t, r):
		return fail(401, 700023, "invalid_client", "Client assertion audience claim does not match Realm issuer. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .")
	}
	return checkTimes(c, req.Now)
}

func checkTimes(c assertionClaims, now time.Time) *failure {
	const skew = 5 * time.Minute
	nbf, exp := time.Unix(int64(c.Nbf), 0).UTC(), time.Time{}
	if c.Exp != nil {
		exp = time.Unix(int64(*c.Exp), 0).UTC()
	}
	if now.Add(skew).Before(nbf) || !now.Add(-skew).Before(exp) {
		const ticks = "2006-01-02T15:04:05.0000000Z"
		return fail(401, 700024, "invalid_client", "Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .", now.Format(ticks), nbf.Format(ticks), exp.Format(ticks))
	}
	return nil
}

// audienceOK takes the token endpoints and the issuer, at this host or at the
// real one, under any name of the tenant.
func audienceOK(aud string, req *wire.Request, t *tenant, r Route) bool {
	for _, base := range []string{req.Base(), "https://login.microsoftonline.com", "https://login.microsoftonline.us"} {
		for _, name := range append([]string{t.ID, r.Tenant}, t.Domains...) {
			for _, tail := range []string{"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/"} {
				if strings.EqualFold(aud, base+"/"+name+tail) {
					return true
				}
			}
		}
	}
	return strings.EqualFold(aud, issuer(req, t.ID, false))
}

// issue signs the token and words the answer of the version.
func (s *Service) issue(r Route, req *wire.Request, t *tenant, a *app, resource string) (wire.Reply, *failure) {
	token, c, f := s.mint(r, req, t, a, resource)
	if f != nil {
		return wire.Reply{}, f
	}
	life := c.Exp - c.Iat
	if r.V2 {
		return wire.JSON(200, map[string]any{"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}), nil
	}
	return wire.JSON(200, v1answer(token, resource, c)), nil
}

// v1answer is the answer of version 1, whose numbers are texts.
func v1answer(token, resource string, c tokenClaims) map[string]any {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	life := number(c.Exp - c.Iat)
	return map[string]any{
		"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "expires_on": number(c.Exp),
		"not_before": number(c.Nbf), "resource": resource, "access_token": token,
	}
}

// mint makes the token.
func (s *Service) mint(r Route, req *wire.Request, t *tenant, a *app, resource string) (string, tokenClaims, *failure) {
	now := req.Now.Truncate(time.Second)
	exp := now.Add(s.cfg.Lifetime)
	c := tokenClaims{
		Aud: resource, Iss: issuer(req, t.ID, r.V2), Iat: now.Unix(), Nbf: now.Unix(), Exp: exp.Unix(),
		AppID: a.ID, AppName: a.Name, IDTyp: "app", Oid: a.ID, Sub: a.ID, Roles: a.Roles, Tid: t.ID,
		Uti: uuid.NewString(), Ver: "1.0", Instance: s.cfg.Instance,
	}
	if r.V2 {
		c.Ver, c.Azp = "2.0", a.ID
	}
	token, err := sign(s.key, jwtHeader{Alg: "RS256", Typ: "JWT", Kid: s.kid, X5t: s.kid}, c)
	if err != nil {
		return "", c, fail(500, 90033, "temporarily_unavailable", "A transient error has occurred. Please try again.")
	}
	return token, c, nil
}
