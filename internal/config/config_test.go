package config

import (
	"flag"
	"testing/fstest"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

var update = flag.Bool("update", false, "rewrite golden files")

// The classes of these tests have the shape of real ones.
type httpConfig struct {
	URL     string            `yaml:"url" required:"true" doc:"Where the feed is."`
	Kind    indicator.Kind    `yaml:"kind" doc:"Kind of the values."`
	Line    string            `yaml:"line" doc:"Pattern with named fields."`
	MaxBody sdk.Size          `yaml:"max_body" min:"1KB" max:"4GB" doc:"Largest body."`
	Timeout time.Duration     `yaml:"timeout" min:"1s" doc:"Longest wait."`
	Headers map[string]string `yaml:"headers" doc:"Further headers."`
	Columns []column          `yaml:"columns" doc:"Columns."`
	Auth    *auth             `yaml:"auth" doc:"Login."`
	Verify  bool              `yaml:"verify_tls" doc:"Check certificates."`
	Retries int               `yaml:"retries" min:"0" max:"10" doc:"Attempts."`
	Format  string            `yaml:"format" enum:"line,csv,json" doc:"How it is read."`
}

type column struct {
	Name string `yaml:"name" required:"true"`
	As   string `yaml:"as"`
}

type auth struct {
	User     string     `yaml:"user"`
	Password sdk.Secret `yaml:"password"`
}

func (c *httpConfig) Validate() []error {
	var errs []error
	for i, col := range c.Columns {
		if col.As == "nonsense" {
			errs = append(errs, &sdk.FieldError{
				Path: "columns." + string(rune('0'+i)) + ".as", Msg: "is no attribute", Help: "name an attribute",
			})
		}
	}
	if c.Auth != nil && c.Auth.User == "" {
		errs = append(errs, &sdk.FieldError{Path: "auth.user", Msg: "is needed with a password"})
	}
	return errs
}

type listConfig struct {
	Path string `yaml:"path" required:"true"`
}

type tcConfig struct {
	Owners []string `yaml:"owners"`
	TQL    string   `yaml:"tql"`
}

type defenderConfig struct {
	Action     string                   `yaml:"action" required:"true" enum:"allow,audit,warn,block" doc:"What Defender does with a hit."`
	Expiration map[string]time.Duration `yaml:"expiration"`
	Reserve    int                      `yaml:"reserve" min:"0"`
}

type entraConfig struct {
	Tenant string     `yaml:"tenant_id" required:"true" doc:"Tenant."`
	Client string     `yaml:"client_id" required:"true"`
	Secret sdk.Secret `yaml:"client_secret" required:"true"`
}

type tcLogin struct {
	URL    string     `yaml:"url" required:"true"`
	Access sdk.Secret `yaml:"access_id" required:"true"`
	Key    sdk.Secret `yaml:"secret_key" required:"true"`
}

type noConfig struct{}

func class[C any](name string, role sdk.Role, connections []string, def C) sdk.Class {
	return sdk.Class{Name: name, Role: role, Connections: connections, NewConfig: func() any { c := def; return &c }}
}

func testClasses() []sdk.Class {
	return []sdk.Class{
		class("http", sdk.RoleSource, nil, httpConfig{MaxBody: 256 << 20, Timeout: time.Minute, Verify: true, Format: "line"}),
		class("threatconnect", sdk.RoleSource, []string{"threatconnect"}, tcConfig{}),
		class("list", sdk.RoleSource, nil, listConfig{}),
		class("aggregate", sdk.RoleProcessor, nil, noConfig{}),
		class("feed", sdk.RoleFeed, nil, noConfig{}),
		class("defender", sdk.RoleTarget, []string{"entra"}, defenderConfig{}),
	}
}

func testOptions() Options {
	env := map[string]string{
		"CONTOSO_SECRET": "s3cr3t-of-contoso", "PORT": "8080", "FEED_URL": "https://feeds.example/x.txt",
		"EMPTY": "", "WORDS": "forty-two", "RETRIES": "4",
	}
	return Options{
		Classes: testClasses(),
		ConnectionTypes: []sdk.ConnectionType{
			{Name: "entra", NewConfig: func() any { return &entraConfig{} }},
			{Name: "threatconnect", NewConfig: func() any { return &tcLogin{} }},
		},
		Env:          func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Key:          []byte("test key"),
		Warninglists: []string{"microsoft", "public-dns"},
		Prototypes: fstest.MapFS{
			"ipsum.yaml": {Data: []byte("summary: IPsum\nclass: http\ninterval: 1d\ntlp: green\ncompute: {confidence: \"min(100, lists * 12)\"}\n" +
				"keep: {listed: 'lists >= 2', old: 'confidence > 1'}\nconfig: {url: \"https://feeds.example/ipsum.txt\", kind: ip, headers: {Accept: text/plain}}\n")},
			"broken.yaml":  {Data: []byte("class: http\nconfig:\n  url: https://x.example\n  kindd: ip\n  timeout: soon\n")},
			"derived.yaml": {Data: []byte("prototype: ipsum\nconfig: {kind: ipv4}\n")},
			"endless.yaml": {Data: []byte("prototype: endless\n")},
		},
	}
}
