// Package threatconnect is a client of ThreatConnect's REST API, version 3: signed
// requests, tokens with renewal, listings that are safe on changing data, and the few
// writes that tell an instance what became of its indicators. Use it from the threatconnect source; deciding what an indicator means is
// the source's business.
package threatconnect

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/remeld/remeld/sdk"
)

// Type is the connection type's name in the configuration.
const Type = "threatconnect"

// Connection is one API user of one ThreatConnect instance.
type Connection struct {
	URL       string     `yaml:"url" required:"true" doc:"Base URL of the API, with its path: https://app.threatconnect.com/api."`
	AccessID  string     `yaml:"access_id" doc:"Access ID of the API user, for signed requests."`
	SecretKey sdk.Secret `yaml:"secret_key" doc:"Secret key of the API user; give a reference such as ${secret:NAME}."`
	Token     sdk.Secret `yaml:"token" doc:"API token, instead of access_id and secret_key. A temporary one (API:…) is renewed while it is valid."`
	CA        string     `yaml:"ca" doc:"Path of a PEM file with certificate authorities to trust besides the system's (the sandbox writes one)."`
}

// Validate reports everything that is wrong with the connection.
func (c *Connection) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
	case err == nil && u.User != nil: // not repeated: it is printed with the connection's errors
		add("url", "holds a user name or a password", "take it out, and give access_id and secret_key, or token")
	case err != nil || u.Scheme != "https" || u.Host == "":
		add("url", fmt.Sprintf("%q is not an https URL", c.URL), "ThreatConnect answers on https only: https://app.threatconnect.com/api")
	case u.RawQuery != "" || u.Fragment != "":
		add("url", fmt.Sprintf("%q has a query or a fragment", c.URL), "give the base path only: https://app.threatconnect.com/api")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/v2") || strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/v3"):
		add("url", fmt.Sprintf("%q ends with the API's version", c.URL), "leave the version out: "+c.URL[:strings.LastIndex(c.URL, "/v")])
	}
	signed := c.AccessID != "" || c.SecretKey != ""
	switch {
	case c.Token == "" && !signed:
		add("", "no credential: neither access_id with secret_key nor token is given", "make an API user under Settings > Org Settings > Membership and copy its Access ID and Secret Key")
	case c.Token != "" && signed:
		add("token", "both a token and a signing key are given", "keep one")
	case c.Token == "" && c.AccessID == "":
		add("access_id", "a secret_key without its access_id", "set access_id")
	case c.Token == "" && c.SecretKey == "":
		add("secret_key", "an access_id without its secret_key", "set secret_key: ${secret:NAME}")
	}
	return errs
}

// Rooted returns the connection with its file paths taken from dir where they are
// relative, as all paths of a configuration are.
func (c *Connection) Rooted(dir string) *Connection {
	r := *c
	if r.CA != "" && !filepath.IsAbs(r.CA) {
		r.CA = filepath.Join(dir, r.CA)
	}
	return &r
}

// base is the URL without a trailing slash.
func (c *Connection) base() string { return strings.TrimRight(c.URL, "/") }

func init() {
	sdk.RegisterConnection(sdk.ConnectionType{
		Name:      Type,
		Summary:   "an API user of a ThreatConnect instance",
		NewConfig: func() any { return &Connection{} },
		Check:     check,
	})
}
