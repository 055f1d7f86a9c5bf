package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/remeld/remeld/connector/all" // the classes a configuration can name
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
)

// ConfigError is everything that is wrong with a configuration.
type ConfigError struct{ Findings diag.List }

func (e *ConfigError) Error() string {
	var b strings.Builder
	errs, _ := e.Findings.Count()
	if errs == 1 {
		b.WriteString("the configuration has an error\n")
	} else {
		fmt.Fprintf(&b, "the configuration has %d errors\n", errs)
	}
	_ = e.Findings.Print(&b, false) // a Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}

// Code lets the command line tell a configuration error from others.
func (e *ConfigError) Code() string { return "config" }

// Load reads a configuration without opening anything. The findings may hold
// warnings beside a good configuration.
func Load(paths []string, state string, key []byte) (*config.Config, diag.List) {
	return config.Load(paths, loadOptions(state, key))
}

func loadOptions(state string, key []byte) config.Options {
	return config.Options{SecretDir: filepath.Join(state, "secrets"), Warninglists: prototypes.Known(), Prototypes: prototypes.Nodes(), Key: key}
}

func (a *App) load() (*config.Config, error) {
	cfg, found := Load(a.opts.Config, a.opts.State, a.keys.hash)
	if found.HasErrors() {
		return nil, &ConfigError{Findings: found}
	}
	a.warn(found)
	return cfg, nil
}

// warn logs what a load found, once: the same files are read several times.
func (a *App) warn(found diag.List) {
	var warned []string
	for _, d := range found {
		text := d.Error()
		if !slices.Contains(a.warned, text) {
			a.log.Warn("configuration", "finding", text)
		}
		warned = append(warned, text)
	}
	a.warned = warned
}

// readFile reads a file of the configuration, relative to its folder.
func readFile(base, name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(base, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxListFile))
}

// maxListFile bounds a warninglist named by path; the largest published one is a
// few MB.
const maxListFile = 64 << 20

// Validate checks a configuration without opening the store: everything that
// loading finds, and whether every node can be built. nodes is how many there are.
func Validate(opts Options) (found diag.List, nodes int, err error) {
	cfg, found := Load(opts.Config, opts.State, nil)
	if found.HasErrors() {
		return found, 0, nil
	}
	work, err := os.MkdirTemp("", "remeld-validate-")
	if err != nil {
		return found, 0, fmt.Errorf("make a scratch directory: %w", err)
	}
	defer os.RemoveAll(work)
	b := &builder{cfg: cfg, log: opts.Log, clock: opts.Clock, work: work, owner: "validate"}
	return append(found, b.check()...), len(cfg.Nodes), nil
}

// deprecated warns of targets whose API is retired, at the node's class.
func deprecated(b *built) diag.List {
	var found diag.List
	for _, t := range b.targets {
		text := t.target.Info().Deprecated
		if text == "" || len(found) > 0 { // it is the class's, not a tenant's
			continue
		}
		at, ok := t.node.Keys["class"]
		if !ok {
			at = t.node.Pos
		}
		found = append(found, diag.Diagnostic{Severity: diag.Warning, File: at.File, Line: at.Line, Col: at.Col,
			Msg: fmt.Sprintf("node %s sends to an API that is retired: %s", t.node.Name, text)})
	}
	return found
}

// check builds everything once and throws it away.
func (b *builder) check() diag.List {
	var found diag.List
	fail := func(at config.Pos, err error) {
		found = append(found, diag.Diagnostic{Severity: diag.Error, File: at.File, Line: at.Line, Col: at.Col, Msg: err.Error()})
	}
	if _, err := readWarninglists(b.cfg); err != nil {
		fail(config.Pos{}, err)
	}
	found = append(found, b.loginFindings()...)
	for _, name := range b.cfg.Order {
		n := b.cfg.Nodes[name]
		spec, err := b.spec(n)
		switch {
		case err != nil:
		case spec.Build != nil:
			_, err = spec.Build()
		case n.ClassInfo.Role == sdk.RoleTarget:
			tmp := &built{}
			err = b.targets(n, tmp)
			found = append(found, deprecated(tmp)...)
			tmp.close()
		}
		if err != nil {
			fail(n.Pos, err)
		}
	}
	return found
}
