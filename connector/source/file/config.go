// Package file is the source class file: bodies in files of this machine, one,
// many by a pattern, or standard input, read in the formats of package format.
//
// Use it for what another program writes to disk. A list kept by hand is better
// in class list, which tells mistakes by line and column.
package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "embed"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/remeld/remeld/connector/format"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// stdin is the path of standard input.
const stdin = "-"

// Config is what stands under config: of a node of class file.
type Config struct {
	Path           string `yaml:"path" required:"true" doc:"A file, a pattern (* ? [a-z] {a,b}, and ** for any depth of folders), or - for standard input. A relative path starts at the configuration's folder."`
	format.Options `yaml:",inline"`
	Shape          sdk.Shape `yaml:"shape" doc:"What the files mean: snapshot (they list every member; what is missing is withdrawn), changes (they list what changed) or events (they mention what was seen)."`
	MaxSize        sdk.Size  `yaml:"max_size" doc:"Largest file after unpacking gzip or zstd."`
}

func defaults() Config {
	return Config{Options: format.Defaults(), Shape: sdk.Snapshot, MaxSize: 256 << 20}
}

// Validate returns everything wrong with the config as *sdk.FieldError.
func (c *Config) Validate() []error {
	errs := c.Options.Validate()
	add := func(path, msg, help string) { errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help}) }
	if !doublestar.ValidatePathPattern(c.Path) {
		add("path", "not a valid pattern", "close every [ and {, or write \\[ for the character itself")
	}
	if strings.Contains(c.Path, "://") {
		add("path", "a URL is no path", "use class http")
	}
	switch c.Shape {
	case sdk.Snapshot, sdk.Changes, sdk.Events:
	default:
		add("shape", fmt.Sprintf("no shape is called %q", string(c.Shape)), "snapshot, changes or events")
	}
	if c.MaxSize <= 0 {
		add("max_size", "must be more than nothing", "leave it out for the default")
	}
	return errs
}

func init() {
	sdk.RegisterSource(sdk.Spec[Config, sdk.Source]{
		Name: "file", Summary: "Files of this machine, by path or pattern, or standard input", Doc: doc, Default: defaults,
		New: func(c Config, env sdk.Env) (sdk.Source, error) { return newSource(c, env) },
	})
}

func newSource(c Config, env sdk.Env) (*source, error) {
	parser, err := format.New(c.Options)
	if err != nil {
		return nil, err
	}
	if c.Path != stdin && !filepath.IsAbs(c.Path) {
		c.Path = filepath.Join(env.BaseDir, c.Path)
	}
	return &source{c: c, env: env, parser: parser, in: os.Stdin}, nil
}

// Info says what the node is to the engine.
func (s *source) Info() sdk.SourceInfo {
	return sdk.SourceInfo{
		Shape: s.c.Shape, Interval: 5 * time.Minute,
		Fingerprint: s.c.Options.Fingerprint() + " " + string(s.c.Shape), Origin: s.c.Path,
	}
}
