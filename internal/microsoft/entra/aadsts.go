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

// aadsts finds the service's error code in an SDK error, "" if there is none.
func aadsts(err error) string {
	if m := aadstsCode.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// remedies says, for each fatal AADSTS code, what is wrong and what to do. %[1]s
// is the app id, %[2]s the tenant id. Codes: Microsoft Entra authentication and
// authorization error codes.
var remedies = map[string]string{
	"7000215": "the client secret of app %[1]s is wrong; use the secret's Value from \"Certificates & secrets\", not its ID",
	"7000222": "the client secret of app %[1]s has expired; make a new one under \"Certificates & secrets\" and put it in place",
	"700016":  "app %[1]s does not exist in tenant %[2]s; check client_id and tenant_id",
	"90002":   "tenant %[2]s does not exist; check tenant_id and whether it belongs to this cloud",
	"900023":  "tenant %[2]s is not a valid tenant id or domain; check tenant_id",
	"500011":  "the API's service principal is not in tenant %[2]s; add the WindowsDefenderATP permission Ti.ReadWrite.All to app %[1]s and grant admin consent",
	"70011":   "the scope asked for is not valid in tenant %[2]s",
	"700027":  "the certificate of app %[1]s is not the one registered; upload its public part under \"Certificates & secrets\"",
	"700024":  "the signed assertion is outside its validity; check this machine's clock",
	"7000112": "app %[1]s is disabled in tenant %[2]s; enable it under Enterprise applications",
	"53003":   "a conditional access policy blocks app %[1]s",
	"50034":   "the account does not exist in tenant %[2]s",
	"700030":  "the certificate of app %[1]s is invalid or not yet valid",
	"7000229": "app %[1]s has no service principal in tenant %[2]s; grant admin consent",
	"900144":  "the token request lacked a field; check the connection's settings",
	"50020":   "the account is not from tenant %[2]s",
	"70021":   "no federated credential of app %[1]s matches",
	"7000218": "app %[1]s sent no credential; set client_secret or certificate",
	"90013":   "the token request was not understood",
	"50049":   "tenant %[2]s is unknown or not valid",
	"1002016": "the token service refuses this TLS version",
	"65001":   "app %[1]s has no consent; grant admin consent in the portal",
	"50105":   "app %[1]s is not assigned to a role it needs",
	"501051":  "app %[1]s is not assigned to a role for the API",
	"650057":  "the API is not among the permissions of app %[1]s",
	"70002":   "the credentials of app %[1]s are not valid",
	"50012":   "the signature of the assertion of app %[1]s is not valid",
	"50013":   "the assertion of app %[1]s is not valid",
	"7000221": "the certificate of app %[1]s has been revoked or is not usable",
	"53000":   "a conditional access policy blocks app %[1]s",
	"500014":  "the API's service principal is disabled in tenant %[2]s",
	"90019":   "no tenant was named; check tenant_id",
	"50001":   "the resource is not in tenant %[2]s",
}

// transient AADSTS codes come from the service's own trouble and pass by
// themselves.
var transient = map[string]bool{"50196": true, "90033": true, "50058": true, "90024": true, "90055": true, "50000": true, "81016": true}

func meaning(conn Connection, code string) error {
	full := "AADSTS" + code
	if transient[code] {
		return &sdk.Error{Failure: sdk.NotSent, Code: full, Message: "the token service is in trouble; it will be asked again"}
	}
	words, ok := remedies[code]
	if !ok {
		words = "Entra refused app %[1]s of tenant %[2]s; look the code up in the Entra sign-in logs"
	}
	return &sdk.Error{Failure: sdk.Unauthorized, Code: full, Message: sprint(words, conn)}
}

func sprint(words string, conn Connection) string {
	return strings.NewReplacer("%[1]s", conn.ClientID, "%[2]s", conn.TenantID).Replace(words)
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
