package entra

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/remeld/remeld/sdk"
)

var aadstsCode = regexp.MustCompile(`AADSTS(\d{5,8})`)

// notAssigned is how identity endpoints refuse an identity the machine does not have.
var notAssigned = regexp.MustCompile(`(?i)identity not found|failed to authenticate a system assigned identity|isn't assigned to this resource`)

// aadsts finds the service's error code in an SDK error, "" if there is none.
func aadsts(err error) string {
	if m := aadstsCode.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// secrets is where in the portal credentials of an app are.
const secrets = `"Certificates & secrets"`

// remedies says, for each AADSTS code that ends only when somebody changes something,
// what is wrong and what to do. {app}, {tenant}, {api}, {cloud} and {authority} are
// filled in. Codes: Microsoft Entra authentication and authorization error codes.
var remedies = map[string]string{
	// The credential.
	"7000215": "the client secret of app {app} is wrong; use the secret's Value from " + secrets + ", not its ID",
	"7000222": "the client secret of app {app} has expired; make a new one under " + secrets + " and put it in place",
	"7000216": "app {app} sent no credential; set client_secret or certificate",
	"7000218": "app {app} sent no credential; set client_secret or certificate",
	"700027":  "the certificate of app {app} is not the one registered; upload its public part under " + secrets,
	"7000221": "the certificate of app {app} has been revoked or is not usable; register another under " + secrets,
	"700030":  "the certificate of app {app} is invalid or not yet valid",
	"700021":  "the signed assertion names another app than {app}; check client_id",
	"700023":  "the signed assertion is for another token service; check cloud and authority",
	"50012":   "the signature of the assertion of app {app} is not valid",
	"50013":   "the assertion of app {app} is not valid: its signature cannot be checked with its issuer's keys",
	"50027":   "the assertion of app {app} is no valid JWT; check what writes federated_token_file",
	"70002":   "the credentials of app {app} are not valid",
	"70021":   "no federated credential of app {app} matches the token; compare issuer, subject and audience under " + secrets + " > Federated credentials",
	"700211":  "no federated credential of app {app} has the issuer of the token; compare it under " + secrets + " > Federated credentials",
	"700212":  "no federated credential of app {app} has the audience of the token; it is api://AzureADTokenExchange unless the credential says otherwise",
	"700213":  "no federated credential of app {app} has the subject of the token; compare it letter by letter under " + secrets + " > Federated credentials",
	// The tenant and the app in it.
	"90002":   "tenant {tenant} does not exist at {authority}; check tenant_id and whether it lives in another cloud (cloud: {cloud})",
	"50049":   "tenant {tenant} is unknown or not valid at {authority}; check tenant_id and cloud: {cloud}",
	"900023":  "tenant {tenant} is not a valid tenant id or domain; check tenant_id",
	"900382":  "tenant {tenant} lives in another cloud; set cloud: to it, this is {cloud}",
	"900432":  "tenant {tenant} lives in another cloud; set cloud: to it, this is {cloud}",
	"90019":   "no tenant was named; check tenant_id",
	"700016":  "app {app} does not exist in tenant {tenant}; check client_id and tenant_id",
	"7000112": "app {app} is disabled in tenant {tenant}; enable it under Enterprise applications",
	"7000229": "app {app} has no service principal in tenant {tenant}; grant admin consent",
	"53003":   "a conditional access policy blocks app {app}",
	"53000":   "a conditional access policy blocks app {app}",
	"50034":   "the account does not exist in tenant {tenant}",
	"50020":   "the account is not from tenant {tenant}",
	// The API.
	"500011":  "the API {api} is not in tenant {tenant}; add its application permission to app {app} under API permissions and grant admin consent; check cloud: {cloud}",
	"50001":   "the API {api} is not in tenant {tenant}; check cloud: {cloud}",
	"500014":  "the API {api} is disabled in tenant {tenant}; enable its service principal under Enterprise applications",
	"70011":   "the scope asked for is not valid in tenant {tenant}",
	"1002012": "the scope asked for is not valid for an app",
	"65001":   "app {app} has no consent; grant admin consent in the portal",
	"50105":   "app {app} is not assigned to a role it needs",
	"501051":  "app {app} is not assigned to a role for the API {api}",
	"650057":  "the API {api} is not among the permissions of app {app}",
	// The request.
	"900144":  "the token request lacked a field; check the connection's settings",
	"90013":   "the token request was not understood",
	"90014":   "the token request lacked a field; check the connection's settings",
	"9002313": "the token request was not understood",
	"70003":   "the token service refuses the kind of request",
	"1002016": "the token service refuses this TLS version",
}

// passing says, for each code that ends by itself, what a person should know; "" is
// the service's own trouble. A wrong clock and a token file that is about to be
// rotated pass without an edit of the configuration, so they must not stop for good.
var passing = map[string]string{
	"700024": "the signed assertion is outside its validity; check this machine's clock and, of a federated token, that its file is rotated",
	"50166":  "Entra cannot fetch the keys of the federated token's issuer; check that its OIDC configuration is reachable from the internet",
	"90033":  "", "90055": "", "90012": "", "90024": "", "50068": "", "50196": "", "50058": "", "50000": "", "81016": "",
}

// meaning is what a code of the service means for the connection.
func (c *Connection) meaning(scope, code string, err error) error {
	full := "AADSTS" + code
	if words, known := passing[code]; known {
		if words == "" {
			words = "the token service is in trouble; it will be asked again"
		}
		return &sdk.Error{Failure: sdk.NotSent, Code: full, Message: words}
	}
	words, known := remedies[code]
	switch {
	case code == "700027" && strings.Contains(err.Error(), "key used is expired"):
		words = "the certificate of app {app} has expired; make a new one, upload its public part under " + secrets + " and put it in place"
	case !known && busy(err):
		return &sdk.Error{Failure: sdk.NotSent, Code: full, Message: "the token service cannot answer now (" + brief(err) + "); it will be asked again"}
	case !known:
		words = "Entra refused app {app} of tenant {tenant}; look the code up in the Entra sign-in logs"
	}
	return &sdk.Error{Failure: sdk.Unauthorized, Code: full, Message: c.fill(words, scope)}
}

func (c *Connection) fill(words, scope string) string {
	name := c.Cloud
	if name == "" {
		name = "public"
	}
	return strings.NewReplacer("{app}", c.ClientID, "{tenant}", c.TenantID, "{api}", c.apiOf(scope), "{cloud}", name,
		"{authority}", c.AuthorityURL()).Replace(words)
}

// apiOf names the API of a scope as the portal lists it.
func (c *Connection) apiOf(scope string) string {
	switch scope {
	case c.DefenderScope():
		return "WindowsDefenderATP"
	case c.GraphScope():
		return "Microsoft Graph"
	case c.ManagementScope():
		return "Azure Service Management"
	}
	return strings.TrimSuffix(scope, "/.default")
}

// busy tells an answer that says "not now" by its HTTP status.
func busy(err error) bool {
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse == nil {
		return false
	}
	return failed.RawResponse.StatusCode >= 500 || failed.RawResponse.StatusCode == http.StatusTooManyRequests
}

// maxBrief bounds how much of an SDK error is shown.
const maxBrief = 400

// brief is an answer's HTTP status where there was an answer, so that no part of a
// token exchange reaches a message; else the transport's own words in one line.
func brief(err error) string {
	var failed *azidentity.AuthenticationFailedError
	if errors.As(err, &failed) && failed.RawResponse != nil {
		return fmt.Sprintf("HTTP %d %s", failed.RawResponse.StatusCode, http.StatusText(failed.RawResponse.StatusCode))
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if _, after, ok := strings.Cut(text, "server response error: "); ok {
		text = after
	}
	if len(text) > maxBrief {
		text = strings.ToValidUTF8(text[:maxBrief], "") + "…"
	}
	return text
}
