package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/remeld/remeld/connector/all" // the classes a configuration can name
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/diag"
)

// ConfigError is everything that is wrong with a configuration.
type ConfigError struct{ Findings diag.List }

func (e *ConfigError) Error() string {
	var b strings.Builder
	errs, _ := e.Findings.Count()
	fmt.Fprintf(&b, "the configuration has %d errors\n", errs)
	_ = e.Findings.Print(&b, false) // a Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}

// Code lets the command line tell a configuration error from others.
func (e *ConfigError) Code() string { return "config" }

// Load reads a configuration without opening anything. The findings may hold
// warnings beside a good configuration.
func Load(paths []string, state string, key []byte) (*config.Config, diag.List) {
	return config.Load(paths, config.Options{
		SecretDir: filepath.Join(state, "secrets"),
		Key:       key,
	})
}

func (a *App) load() (*config.Config, error) {
	cfg, found := Load(a.opts.Config, a.opts.State, a.keys.hash)
	if found.HasErrors() {
		return nil, &ConfigError{Findings: found}
	}
	for _, d := range found {
		a.log.Warn("configuration", "finding", d.Error())
	}
	return cfg, nil
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
