// Package warninglist is the processor class warninglist: it takes out, or marks,
// what well-known lists name as harmless or too widely used to act on.
//
// Use it between sources and destinations. What must never be sent to a tenant
// whatever a graph says belongs under protect: in the configuration, which reads
// the same lists.
package warninglist

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "embed"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// The actions.
const (
	drop = "drop"
	tag  = "tag"
)

// Config is what a node of class warninglist takes under config:.
type Config struct {
	Lists  []string `yaml:"lists" required:"true" doc:"Names of built-in lists, or paths of files in the form of MISP warninglists. A relative path starts at the configuration's folder."`
	Action string   `yaml:"action" enum:"drop,tag" doc:"What happens to what a list names: drop (with the list as reason) or tag (passed on with the tag warninglist:LIST)."`
	Kinds  []string `yaml:"kinds" doc:"Only indicators of these kinds or families; default those each list is about."`
}

func defaults() Config { return Config{Action: drop} }

// Validate returns everything wrong with the config as *sdk.FieldError. Whether
// a path can be read is found when the node is built.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) { errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help}) }
	for i, l := range c.Lists {
		if l == "" || !isPath(l) && prototypes.Expand(l) == nil {
			add(fmt.Sprintf("lists.%d", i), fmt.Sprintf("no built-in list is called %q", l),
				"built in are "+strings.Join(prototypes.Names(), ", ")+"; a path ends in .json")
		}
	}
	if c.Action != drop && c.Action != tag {
		add("action", fmt.Sprintf("no action is called %q", c.Action), "drop or tag")
	}
	for i, k := range c.Kinds {
		if _, ok := indicator.ParseKind(k); !ok {
			add(fmt.Sprintf("kinds.%d", i), fmt.Sprintf("no kind is called %q", k), "ip, domain, url, hash and others; see the reference")
		}
	}
	return errs
}

func isPath(s string) bool { return strings.ContainsAny(s, `/\`) || strings.HasSuffix(s, ".json") }

func init() {
	sdk.RegisterProcessor(sdk.Spec[Config, sdk.Processor]{
		Name: "warninglist", Summary: "Drops or tags what warninglists name as harmless", Doc: doc, Default: defaults,
		New: func(c Config, env sdk.Env) (sdk.Processor, error) { return newProcessor(c, env) },
	})
}

func newProcessor(c Config, env sdk.Env) (*processor, error) {
	p := &processor{tag: c.Action == tag}
	for _, name := range c.Kinds {
		k, _ := indicator.ParseKind(name) // Validate has seen it
		p.kinds = append(p.kinds, k)
	}
	for _, l := range c.Lists {
		names, read := []string{l}, os.ReadFile
		if isPath(l) {
			if !filepath.IsAbs(l) {
				names[0] = filepath.Join(env.BaseDir, l)
			}
		} else {
			names, read = prototypes.Expand(l), builtin
		}
		for _, name := range names {
			if err := p.load(name, read); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func builtin(name string) ([]byte, error) {
	raw, ok := prototypes.Warninglist(name)
	if !ok {
		return nil, fmt.Errorf("no built-in warninglist is called %q", name)
	}
	return raw, nil
}

func (p *processor) load(name string, read func(string) ([]byte, error)) error {
	raw, err := read(name)
	if err != nil {
		return fmt.Errorf("read warninglist: %w", err)
	}
	l, err := warninglist.Parse(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	short := strings.TrimSuffix(filepath.Base(name), ".json")
	p.lists = append(p.lists, named{short, l})
	return nil
}
