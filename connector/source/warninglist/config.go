// Package warninglist is the source class warninglist_list: the entries of a MISP
// warninglist as rows, for allow edges and for protection.
//
// Use it to take a warninglist as an allow-list (allow: on a node), where the
// engine covers by containment. To match values against lists as MISP does, with
// substrings and patterns, use the processor class warninglist.
package warninglist

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "embed"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// Config is what stands under config: of a node of class warninglist_list.
type Config struct {
	List    string   `yaml:"list" doc:"The name of a built-in list."`
	Path    string   `yaml:"path" doc:"A file in the form of a MISP warninglist. A relative path starts at the configuration's folder."`
	URL     string   `yaml:"url" doc:"Where such a file is on a web server."`
	Proxy   string   `yaml:"proxy" doc:"A proxy's URL, or direct. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment."`
	CAFile  string   `yaml:"ca_file" doc:"PEM file of authorities to trust beside the system's."`
	MaxSize sdk.Size `yaml:"max_size" doc:"Largest file."`
}

func defaults() Config { return Config{MaxSize: 64 << 20} }

// Validate returns everything wrong with the config as *sdk.FieldError.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) { errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help}) }
	var given []string
	for _, k := range []struct{ name, value string }{{"list", c.List}, {"path", c.Path}, {"url", c.URL}} {
		if k.value != "" {
			given = append(given, k.name)
		}
	}
	switch {
	case len(given) == 0:
		add("list", "no list: one of list, path and url is needed", "built in are "+strings.Join(prototypes.Names(), ", "))
	case len(given) > 1:
		add(given[1], strings.Join(given, " and ")+" are given, but a node has one list", "make a node for each")
	}
	if c.List != "" && prototypes.Expand(c.List) == nil {
		add("list", fmt.Sprintf("no built-in list is called %q", c.List), "built in are "+strings.Join(prototypes.Names(), ", "))
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil) {
		add("url", "not of the form https://host/path", "")
	}
	if c.MaxSize <= 0 {
		add("max_size", "must be more than nothing", "leave it out for the default")
	}
	return errs
}

func init() {
	sdk.RegisterSource(sdk.Spec[Config, sdk.Source]{
		Name: "warninglist_list", Summary: "The entries of a MISP warninglist, as an allow-list", Doc: doc, Default: defaults,
		New: func(c Config, env sdk.Env) (sdk.Source, error) { return newSource(c, env) },
	})
}

func newSource(c Config, env sdk.Env) (*source, error) {
	s := &source{c: c, env: env}
	if c.Path != "" && !filepath.IsAbs(c.Path) {
		s.c.Path = filepath.Join(env.BaseDir, c.Path)
	}
	if c.URL == "" {
		return s, nil
	}
	ca := c.CAFile
	if ca != "" && !filepath.IsAbs(ca) {
		ca = filepath.Join(env.BaseDir, ca)
	}
	var err error
	s.client, err = httpx.New(httpx.Options{Clock: env.Clock, Log: env.Log, MaxBody: int64(c.MaxSize), Proxy: c.Proxy, CAFile: ca})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(env.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the scratch folder of node %s: %w", env.Node, err)
	}
	return s, nil
}

// Info says what the node is to the engine.
func (s *source) Info() sdk.SourceInfo {
	origin := "built in: " + s.c.List
	interval := 24 * time.Hour
	switch {
	case s.c.Path != "":
		origin, interval = s.c.Path, time.Minute
	case s.c.URL != "":
		origin = httpx.RedactURL(s.c.URL)
	}
	return sdk.SourceInfo{Shape: sdk.Snapshot, Interval: interval, Fingerprint: "warninglist 1", Origin: origin}
}
