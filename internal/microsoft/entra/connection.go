// Package entra gets tokens from Microsoft Entra ID for the app registrations
// under connections:, and turns its AADSTS errors into words that say what to do.
// Use it wherever a Microsoft API is called; nothing else talks to a token
// endpoint.
package entra

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"

	"github.com/remeld/remeld/sdk"
)

// Type is the connection type's name in the configuration.
const Type = "entra"

// Connection is one app registration in one tenant.
type Connection struct {
	TenantID            string     `yaml:"tenant_id" required:"true" doc:"Directory (tenant) ID of the Entra tenant."`
	ClientID            string     `yaml:"client_id" required:"true" doc:"Application (client) ID of the app registration."`
	ClientSecret        sdk.Secret `yaml:"client_secret" doc:"The client secret's value (not its ID); give a reference such as ${env:NAME}."`
	Certificate         string     `yaml:"certificate" doc:"Path of a PEM or PFX file with certificate and private key; instead of client_secret."`
	CertificatePassword sdk.Secret `yaml:"certificate_password" doc:"Password of the PFX file."`
	Authority           string     `yaml:"authority" doc:"Base URL of the token service; the public cloud's where absent. For the sandbox: the URL it prints."`
	Defender            string     `yaml:"defender" doc:"Base URL of the Defender for Endpoint API; https://api.security.microsoft.com where absent."`
	Graph               string     `yaml:"graph" doc:"Base URL of Microsoft Graph; https://graph.microsoft.com where absent."`
	Sentinel            string     `yaml:"sentinel" doc:"Base URL of Sentinel's upload API; https://api.ti.sentinel.azure.com where absent."`
	Management          string     `yaml:"management" doc:"Base URL of the Azure management plane; https://management.azure.com where absent."`
	CA                  string     `yaml:"ca" doc:"Path of a PEM file with certificate authorities to trust besides the system's (the sandbox writes one)."`
}

// The public cloud's hosts.
const (
	defaultAuthority  = "https://login.microsoftonline.com"
	defaultDefender   = "https://api.security.microsoft.com"
	defaultGraph      = "https://graph.microsoft.com"
	defaultSentinel   = "https://api.ti.sentinel.azure.com"
	defaultManagement = "https://management.azure.com"
)

// DefenderURL returns the base of the Defender API without a trailing slash.
func (c *Connection) DefenderURL() string { return base(c.Defender, defaultDefender) }

// GraphURL returns the base of Microsoft Graph without a trailing slash.
func (c *Connection) GraphURL() string { return base(c.Graph, defaultGraph) }

// GraphScope is what a token for Microsoft Graph is asked for, whatever the host.
func (c *Connection) GraphScope() string { return defaultGraph + "/.default" }

// SentinelURL returns the base of Sentinel's upload API without a trailing slash.
func (c *Connection) SentinelURL() string { return base(c.Sentinel, defaultSentinel) }

// ManagementURL returns the base of the Azure management plane without a trailing
// slash.
func (c *Connection) ManagementURL() string { return base(c.Management, defaultManagement) }

// ManagementScope is what a token for the management plane and for Sentinel's upload
// API is asked for, whatever the host.
func (c *Connection) ManagementScope() string { return defaultManagement + "/.default" }

// AuthorityURL returns the base of the token service without a trailing slash.
func (c *Connection) AuthorityURL() string { return base(c.Authority, defaultAuthority) }

func base(given, otherwise string) string {
	if given == "" {
		given = otherwise
	}
	for len(given) > 0 && given[len(given)-1] == '/' {
		given = given[:len(given)-1]
	}
	return given
}

// Rooted returns the connection with its file paths taken from dir where they are
// relative, as all paths of a configuration are.
func (c *Connection) Rooted(dir string) *Connection {
	r := *c
	for _, path := range []*string{&r.Certificate, &r.CA} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	return &r
}

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
	switch {
	case c.ClientSecret == "" && c.Certificate == "":
		add("", "no credential: neither client_secret nor certificate is given", "set client_secret: ${env:NAME} or certificate: PATH")
	case c.ClientSecret != "" && c.Certificate != "":
		add("certificate", "both client_secret and certificate are given", "keep one")
	case c.CertificatePassword != "" && c.Certificate == "":
		add("certificate_password", "a password without a certificate", "set certificate: PATH")
	}
	for path, text := range map[string]string{"authority": c.Authority, "defender": c.Defender, "graph": c.Graph, "sentinel": c.Sentinel, "management": c.Management} {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			add(path, fmt.Sprintf("%q is not an https URL", text), "tokens are never sent over plain http")
		}
	}
	return errs
}

func init() {
	sdk.RegisterConnection(sdk.ConnectionType{
		Name:      Type,
		Summary:   "an app registration in a Microsoft Entra tenant",
		NewConfig: func() any { return &Connection{} },
	})
}
