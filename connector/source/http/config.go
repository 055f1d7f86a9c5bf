// Package http is the source class http: one feed body behind a URL, fetched as
// often as its interval says and read in any of the formats of package format.
//
// Use it for every feed that is a file on a web server. A service with pages,
// cursors or its own query language has a class of its own.
package http

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "embed"

	"github.com/remeld/remeld/connector/format"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// Config is what stands under config: of a node of class http.
type Config struct {
	URL            string `yaml:"url" required:"true" doc:"Where the body is. Secrets go under auth, headers or params, never in here."`
	format.Options `yaml:",inline"`
	Shape          sdk.Shape             `yaml:"shape" doc:"What a body means: snapshot (it lists every member; what is missing is withdrawn), changes (it lists what changed) or events (it mentions what was seen)."`
	Auth           Auth                  `yaml:"auth" doc:"The login: username and password, or a bearer token."`
	Headers        map[string]sdk.Secret `yaml:"headers" doc:"Headers sent to the URL's own server, such as X-Api-Key."`
	Params         map[string]sdk.Secret `yaml:"params" doc:"Parameters added to the URL's query; never shown."`
	UserAgent      string                `yaml:"user_agent" doc:"The User-Agent header."`
	Proxy          string                `yaml:"proxy" doc:"A proxy's URL, or direct. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment."`
	CAFile         string                `yaml:"ca_file" doc:"PEM file of authorities to trust beside the system's."`
	CertFile       string                `yaml:"cert_file" doc:"PEM file of a client certificate."`
	KeyFile        string                `yaml:"key_file" doc:"PEM file of its key."`
	MaxSize        sdk.Size              `yaml:"max_size" doc:"Largest body, as sent and as unpacked."`
	Timeout        time.Duration         `yaml:"timeout" doc:"For connecting, and for the answer to begin."`
	IdleTimeout    time.Duration         `yaml:"idle_timeout" doc:"Between two pieces of the body."`
}

// Auth is a login.
type Auth struct {
	Username string     `yaml:"username" doc:"User of basic authentication."`
	Password sdk.Secret `yaml:"password" doc:"Its password."`
	Bearer   sdk.Secret `yaml:"bearer" doc:"A bearer token."`
}

func defaults() Config {
	return Config{
		Options: format.Defaults(), Shape: sdk.Snapshot, UserAgent: "remeld",
		MaxSize: httpx.DefaultMaxBody, Timeout: httpx.DefaultTimeout, IdleTimeout: httpx.DefaultIdle,
	}
}

// Validate returns everything wrong with the config as *sdk.FieldError.
func (c *Config) Validate() []error {
	errs := c.Options.Validate()
	add := func(path, msg, help string) { errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help}) }
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		add("url", "no URL", "url: https://feeds.example/list.txt")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		add("url", "not of the form https://host/path", "for a file on this machine use class file")
	case u.User != nil:
		add("url", "a login in the URL would be shown in logs", "put it under auth: {username: ..., password: ...}")
	}
	switch c.Shape {
	case sdk.Snapshot, sdk.Changes, sdk.Events:
	default:
		add("shape", fmt.Sprintf("no shape is called %q", string(c.Shape)), "snapshot, changes or events")
	}
	if c.Auth.Bearer != "" && (c.Auth.Username != "" || c.Auth.Password != "") {
		add("auth", "two logins: a bearer token and a user", "keep one")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		add("cert_file", "a client certificate needs both cert_file and key_file", "")
	}
	for path, bad := range map[string]bool{"max_size": c.MaxSize <= 0, "timeout": c.Timeout <= 0, "idle_timeout": c.IdleTimeout <= 0} {
		if bad {
			add(path, "must be more than nothing", "leave it out for the default")
		}
	}
	return errs
}

// client builds the node's client.
func (c *Config) client(env sdk.Env) (*httpx.Client, error) {
	return httpx.New(httpx.Options{
		Clock: env.Clock, Log: env.Log, UserAgent: c.UserAgent, Timeout: c.Timeout, Idle: c.IdleTimeout,
		MaxBody: int64(c.MaxSize), Proxy: c.Proxy, CAFile: under(env.BaseDir, c.CAFile),
		CertFile: under(env.BaseDir, c.CertFile), KeyFile: under(env.BaseDir, c.KeyFile),
		Auth:   httpx.Auth{Username: c.Auth.Username, Password: c.Auth.Password, Bearer: c.Auth.Bearer},
		Header: c.Headers, Params: c.Params,
	})
}

// under starts a relative path at the folder of the configuration.
func under(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

func init() {
	sdk.RegisterSource(sdk.Spec[Config, sdk.Source]{
		Name: "http", Summary: "A feed behind a URL: lines, CSV, JSON or prose", Doc: doc, Default: defaults,
		New: func(c Config, env sdk.Env) (sdk.Source, error) { return newSource(c, env) },
	})
}

func newSource(c Config, env sdk.Env) (*source, error) {
	parser, err := format.New(c.Options)
	if err != nil {
		return nil, err
	}
	client, err := c.client(env)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(env.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the scratch folder of node %s: %w", env.Node, err)
	}
	return &source{c: c, env: env, parser: parser, client: client}, nil
}
