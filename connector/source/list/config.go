// Package list is the source class list: a YAML file that people edit, re-read
// when it changes.
//
// Use it for what is kept by hand: own assets to protect, values to block at
// once. A mistake in it is told by file, line and column, and the rows of the last
// good version stay.
package list

import (
	"path/filepath"
	"time"

	_ "embed"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// Config is what stands under config: of a node of class list.
type Config struct {
	Path string `yaml:"path" required:"true" doc:"The YAML file. A relative path starts at the configuration's folder."`
	Kind string `yaml:"kind" doc:"What entries without a kind of their own are: a kind or a family. Left out, each value's kind is told by its look."`
}

// Validate returns everything wrong with the config as *sdk.FieldError.
func (c *Config) Validate() []error {
	if _, ok := indicator.ParseKind(c.Kind); c.Kind != "" && !ok {
		return []error{&sdk.FieldError{Path: "kind", Msg: "no kind is called \"" + c.Kind + "\"", Help: "ip, ipv4, domain, url, email, hash, sha256 and others; see the reference"}}
	}
	return nil
}

func init() {
	sdk.RegisterSource(sdk.Spec[Config, sdk.Source]{
		Name: "list", Summary: "A YAML list kept by hand", Doc: doc,
		New: func(c Config, env sdk.Env) (sdk.Source, error) { return newSource(c, env), nil },
	})
}

type source struct {
	path string
	kind indicator.Kind
}

func newSource(c Config, env sdk.Env) *source {
	if !filepath.IsAbs(c.Path) {
		c.Path = filepath.Join(env.BaseDir, c.Path)
	}
	kind, _ := indicator.ParseKind(c.Kind) // Validate has seen it; "" is Unknown
	return &source{c.Path, kind}
}

// Info asks to be polled often: a poll of an unchanged list reads one small file.
func (s *source) Info() sdk.SourceInfo {
	return sdk.SourceInfo{
		Shape: sdk.Snapshot, Interval: 15 * time.Second,
		Fingerprint: "list 1 " + s.kind.String(), Origin: s.path,
	}
}
