package entra

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/remeld/remeld/sdk"
)

var (
	guid   = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	domain = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
)

// Validate reports everything that is wrong with the connection.
func (c *Connection) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	if c.TenantID != "" && !guid.MatchString(c.TenantID) && !domain.MatchString(c.TenantID) {
		add("tenant_id", fmt.Sprintf("%q is neither a GUID nor a domain", c.TenantID), "copy \"Directory (tenant) ID\" from the app's Overview page")
	}
	if c.ClientID != "" && !guid.MatchString(c.ClientID) {
		add("client_id", fmt.Sprintf("%q is not a GUID", c.ClientID), "copy \"Application (client) ID\" from the app's Overview page")
	}
	c.oneCredential(add)
	if c.Region != "" && c.Cloud != "public" && c.Cloud != "" {
		add("region", "regional hosts exist in the public cloud only, this is cloud: "+c.Cloud, "remove it")
	}
	if c.Region != "" && c.Defender != "" {
		add("region", "both region and defender say where the Defender API is", "keep one")
	}
	for _, a := range append(c.addresses(), address{"defender_audience", c.DefenderAudience}) {
		if u, err := url.Parse(a.given); a.given != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			add(a.path, fmt.Sprintf("%q is not an https URL", a.given), "tokens are never sent over plain http")
		}
	}
	c.strays(add)
	return errs
}

// credentialHelp names every kind, with where it is right.
const credentialHelp = "give one: client_secret: ${env:NAME}, certificate: PATH, federated_token_file: PATH (Kubernetes, other clouds, CI), " +
	"managed_identity: system or user (on an Azure machine), azure_cli: true (a workstation)"

// credentials are the keys that are given, each of which is a credential of its own.
func (c *Connection) credentials() []string {
	var given []string
	for _, k := range []struct {
		key string
		has bool
	}{
		{"client_secret", c.ClientSecret != ""}, {"certificate", c.Certificate != ""}, {"federated_token_file", c.FederatedTokenFile != ""},
		{"managed_identity", c.ManagedIdentity != ""}, {"azure_cli", c.AzureCLI},
	} {
		if k.has {
			given = append(given, k.key)
		}
	}
	return given
}

func (c *Connection) oneCredential(add func(path, msg, help string)) {
	given := c.credentials()
	switch {
	case len(given) == 0:
		add("", "no credential is given", credentialHelp)
	case len(given) > 1:
		add(given[1], "more than one credential: "+strings.Join(given, " and "), "keep one")
	}
	if c.CertificatePassword != "" && c.Certificate == "" {
		add("certificate_password", "a password without a certificate", "set certificate: PATH")
	}
}
