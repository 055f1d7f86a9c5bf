// Package feed is the destination class "feed": it serves a node's table over HTTP
// in the formats, and with the parameters, of MineMeld's output feeds, so that
// firewalls and proxies that polled MineMeld need another host name and nothing
// else. Use it for external dynamic lists and for any client that fetches text,
// CSV, JSON or STIX.
//
// Authentication, TLS and the path are internal/web's business.
package feed

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// defaultCache is the disk space for rendered bodies.
const defaultCache sdk.Size = 1 << 30

// Config is what a node of class feed takes under config:.
type Config struct {
	Values    bool     `yaml:"values" doc:"Show what is known of an indicator (confidence, sources...) in json, csv, stix2, mwg, bluecoat and carbonblack. false is MineMeld's store_value: false."`
	Cache     sdk.Size `yaml:"cache" doc:"Disk space for rendered bodies, one for each combination of parameters asked for."`
	Icon      string   `yaml:"icon" doc:"File (PNG) of the icon in v=carbonblack."`
	IconSmall string   `yaml:"icon_small" doc:"File (PNG) of the small icon in v=carbonblack."`
}

func defaults() Config { return Config{Values: true, Cache: defaultCache} }

// Validate reports a cache that could hold nothing.
func (c *Config) Validate() []error {
	if c.Cache < 1<<20 {
		return []error{&sdk.FieldError{Path: "cache", Msg: fmt.Sprintf("%d bytes is less than 1MiB", c.Cache), Help: "leave it out for 1GiB"}}
	}
	return nil
}

// node is a feed with its config resolved.
type node struct {
	cfg             Config
	env             sdk.Env
	icon, iconSmall string
}

var _ sdk.Feed = (*node)(nil)

func build(c Config, env sdk.Env) (sdk.Feed, error) {
	if env.Dir == "" {
		return nil, errors.New("a feed needs a directory for rendered bodies")
	}
	n := &node{cfg: c, env: env}
	left, _ := filepath.Glob(filepath.Join(env.Dir, "body-*")) // of a run before this one
	for _, path := range left {
		_ = os.Remove(path)
	}
	for _, icon := range []struct {
		path string
		into *string
	}{{c.Icon, &n.icon}, {c.IconSmall, &n.iconSmall}} {
		if icon.path == "" {
			continue
		}
		path := icon.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(env.BaseDir, path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the feed's icon: %w", err)
		}
		*icon.into = base64.StdEncoding.EncodeToString(raw)
	}
	return n, nil
}

// Handler implements sdk.Feed. Each handler has its own cache of bodies and may be
// used from many goroutines.
func (n *node) Handler(t sdk.Table) http.Handler {
	return n.handler(tableSource{t})
}

func (n *node) handler(s source) *handler {
	return &handler{node: n, table: s, cache: newCache(n.env.Dir, int64(n.cfg.Cache)), renders: make(chan struct{}, 2)}
}

func init() {
	sdk.RegisterFeed(sdk.Spec[Config, sdk.Feed]{
		Name:    "feed",
		Summary: "Serve indicators over HTTP in MineMeld's formats: EDL text, CSV, JSON, STIX and more",
		Doc:     doc,
		Default: defaults,
		New:     build,
	})
}
