// Package entra is the sandbox's twin of the Entra ID token service for apps:
// client credentials by secret or certificate, v1 and v2 endpoints, discovery,
// signing keys, and the service's AADSTS errors. Use it to issue and to verify
// the tokens of the other twins.
package entra

import (
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is defined as a SHA-1 thumbprint
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tenant is a directory with its apps.
type Tenant struct {
	// ID is the tenant id, a GUID in real life.
	ID string `json:"id"`
	// Domains are other names the tenant answers to in a path.
	Domains []string `json:"domains,omitempty"`
	Apps    []App    `json:"apps,omitempty"`
}

// App is an app registration with its service principal in the tenant.
type App struct {
	ID           string   `json:"id"` // client id
	Name         string   `json:"name,omitempty"`
	Secrets      []Secret `json:"secrets,omitempty"`
	Certificates []string `json:"certificates,omitempty"` // PEM, public part
	// Roles are the app roles granted by the administrator, such as Ti.ReadWrite.All.
	Roles []string `json:"roles,omitempty"`
	// Assignments are the Azure roles, such as Microsoft Sentinel Contributor on a workspace.
	Assignments []Assignment `json:"assignments,omitempty"`
	Disabled    bool         `json:"disabled,omitempty"`
	// Federated are the issuers whose tokens it accepts as its own assertions.
	Federated []Federated `json:"federated,omitempty"`
	// ManagedIdentity makes it a managed identity of the machine: "system" or "user".
	ManagedIdentity string `json:"managed_identity,omitempty"`
}

// Secret is a client secret.
type Secret struct {
	Value string `json:"value"`
	// Expires is when it stops working; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Principal is who a verified token speaks for.
type Principal struct {
	Tenant   string
	App      string
	AppName  string
	Roles    []string
	Audience string
}

type certificate struct {
	cert   *x509.Certificate
	key    *rsa.PublicKey
	sha1   [sha1.Size]byte
	sha256 [sha256.Size]byte
}

type app struct {
	App
	certs []certificate
}

type tenant struct {
	Tenant
	apps map[string]*app // by lower-case id
}

func newTenant(t Tenant) (*tenant, error) {
	if t.ID == "" || strings.ContainsAny(t.ID, "/ ") {
		return nil, fmt.Errorf("tenant id %q: empty, or with a slash or space", t.ID)
	}
	out := &tenant{Tenant: t, apps: map[string]*app{}}
	for _, a := range t.Apps {
		if a.ID == "" {
			return nil, fmt.Errorf("tenant %s: an app without an id", t.ID)
		}
		c := &app{App: a}
		for _, text := range a.Certificates {
			cert, err := parseCertificate(text)
			if err != nil {
				return nil, fmt.Errorf("tenant %s, app %s: %w", t.ID, a.ID, err)
			}
			c.certs = append(c.certs, cert)
		}
		for _, f := range a.Federated {
			for _, k := range f.Keys {
				if _, err := k.key(); err != nil {
					return nil, fmt.Errorf("tenant %s, app %s: %w", t.ID, a.ID, err)
				}
			}
		}
		out.apps[strings.ToLower(a.ID)] = c
	}
	return out, nil
}

func parseCertificate(text string) (certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return certificate{}, errors.New("certificate is not PEM of type CERTIFICATE")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return certificate{}, errors.New("certificate has no RSA key; the token service takes RSA only")
	}
	return certificate{cert: c, key: key, sha1: sha1.Sum(c.Raw), sha256: sha256.Sum256(c.Raw)}, nil //nolint:gosec // see above
}
