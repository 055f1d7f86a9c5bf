// Package entra gets tokens from Microsoft Entra ID for the logins under
// connections:, and turns its AADSTS errors into words that say what to do. Use it
// wherever a Microsoft API is called; nothing else talks to a token endpoint, and
// nothing else knows which hosts make up a cloud.
package entra

import (
	"path/filepath"
	"strings"

	"github.com/remeld/remeld/sdk"
)

// Type is the connection type's name in the configuration.
const Type = "entra"

// Connection is one identity in one tenant: an app registration or a managed
// identity.
type Connection struct {
	TenantID string `yaml:"tenant_id" required:"true" doc:"Directory (tenant) ID of the Entra tenant."`
	ClientID string `yaml:"client_id" required:"true" doc:"Application (client) ID of the app registration; of a managed identity, the Application ID that Enterprise applications shows for it."`
	Cloud    string `yaml:"cloud" enum:"public,gcc,gcc_high,dod,china" doc:"Microsoft's cloud the tenant lives in; it sets every host and the audiences of tokens."`

	ClientSecret        sdk.Secret `yaml:"client_secret" doc:"Credential: the client secret's value (not its ID); give a reference such as ${env:NAME}."`
	Certificate         string     `yaml:"certificate" doc:"Credential: path of a PEM or PFX file with certificate and RSA private key."`
	CertificatePassword sdk.Secret `yaml:"certificate_password" doc:"Password of the PFX file."`
	FederatedTokenFile  string     `yaml:"federated_token_file" doc:"Credential: path of a file with a token of another issuer that the app trusts (workload identity federation), read again as it is rotated. In Kubernetes: ${env:AZURE_FEDERATED_TOKEN_FILE}."`
	ManagedIdentity     string     `yaml:"managed_identity" enum:"system,user" doc:"Credential: the managed identity of the Azure machine this runs on: its system-assigned one, or the user-assigned one of client_id."`
	AzureCLI            bool       `yaml:"azure_cli" doc:"Credential: the service principal that az is signed in as on this machine (az login --service-principal)."`

	Region           string `yaml:"region" enum:"us,us3,eu,eu3,uk,au,swa,ina,aea" doc:"Defender host near the tenant's data, as in eu.api.security.microsoft.com; public cloud only."`
	Authority        string `yaml:"authority" doc:"Base URL of the token service in place of the cloud's. For the sandbox: the URL it prints."`
	Defender         string `yaml:"defender" doc:"Base URL of the Defender for Endpoint API in place of the cloud's."`
	DefenderAudience string `yaml:"defender_audience" doc:"Audience of tokens for the Defender API in place of the cloud's."`
	Graph            string `yaml:"graph" doc:"Base URL of Microsoft Graph in place of the cloud's."`
	Sentinel         string `yaml:"sentinel" doc:"Base URL of Sentinel's upload API in place of the cloud's."`
	Management       string `yaml:"management" doc:"Base URL of the Azure management plane in place of the cloud's."`
	CA               string `yaml:"ca" doc:"Path of a PEM file with certificate authorities to trust besides the system's (the sandbox writes one)."`
}

func defaults() *Connection { return &Connection{Cloud: "public"} }

// AuthorityURL returns the base of the token service without a trailing slash.
func (c *Connection) AuthorityURL() string { return base(c.Authority, c.cloud().login) }

// DefenderURL returns the base of the Defender API without a trailing slash, "" in a
// cloud that has none (see Offers).
func (c *Connection) DefenderURL() string {
	host := c.cloud().defender
	if c.Region != "" {
		host = c.Region + "." + host
	}
	return base(c.Defender, host)
}

// DefenderScope is what a token for the Defender API is asked for, whatever the host
// of the calls.
func (c *Connection) DefenderScope() string {
	k := c.cloud()
	return scope(c.DefenderAudience, k.defenderAudience, base("", k.defender))
}

// GraphURL returns the base of Microsoft Graph without a trailing slash.
func (c *Connection) GraphURL() string { return base(c.Graph, c.cloud().graph) }

// GraphScope is what a token for Microsoft Graph is asked for, whatever the host.
func (c *Connection) GraphScope() string { return scope("https://" + c.cloud().graph) }

// SentinelURL returns the base of Sentinel's upload API without a trailing slash, ""
// in a cloud that has none (see Offers).
func (c *Connection) SentinelURL() string { return base(c.Sentinel, c.cloud().sentinel) }

// ManagementURL returns the base of the Azure management plane without a trailing
// slash.
func (c *Connection) ManagementURL() string { return base(c.Management, c.cloud().management) }

// ManagementScope is what a token for the management plane and for Sentinel's upload
// API is asked for, whatever the host.
func (c *Connection) ManagementScope() string { return scope("https://" + c.cloud().management) }

func base(given, host string) string {
	if given == "" && host != "" {
		given = "https://" + host
	}
	return strings.TrimRight(given, "/")
}

// scope is the first audience that is said.
func scope(audiences ...string) string {
	for _, a := range audiences {
		if a != "" {
			return strings.TrimRight(a, "/") + "/.default"
		}
	}
	return ""
}

// Rooted returns the connection with its file paths taken from dir where they are
// relative, as all paths of a configuration are.
func (c *Connection) Rooted(dir string) *Connection {
	r := *c
	for _, path := range []*string{&r.Certificate, &r.FederatedTokenFile, &r.CA} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	return &r
}

func init() {
	sdk.RegisterConnection(sdk.ConnectionType{
		Name:      Type,
		Summary:   "an app registration or managed identity in a Microsoft Entra tenant",
		NewConfig: func() any { return defaults() },
		Offers:    func(cfg any, service string) *sdk.FieldError { return cfg.(*Connection).Offers(service) },
		Ends:      ends,
		Files:     files,
		Check:     check,
	})
}
