package app

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
)

// protection is protect: as delivery takes it. The own lists are nodes, so their
// content moves; version tells when.
type protection struct {
	rules   *protect.Rules
	tenant  map[string]*protect.Rules // by connection, where it protects more
	version map[string]uint64         // table version of each list node
}

// rankName tells the lists that say what is popular, not what is harmless, by the
// name MISP gives them ("Top 10K websites from Tranco"): code-hosting sites are on
// them, so they say nothing of a URL with a path.
var rankName = regexp.MustCompile(`(?i)\btop\b`)

// readWarninglists reads the lists that protect: names.
func readWarninglists(cfg *config.Config) ([]protect.Warninglist, error) {
	var out []protect.Warninglist
	for _, given := range cfg.Protect.Warninglists {
		names := prototypes.Expand(given)
		if names == nil {
			names = []string{given} // a path
		}
		for _, name := range names {
			list, err := readWarninglist(cfg.BaseDir, name)
			if err != nil {
				return nil, fmt.Errorf("protect.warninglists: %w", err)
			}
			out = append(out, protect.Warninglist{Name: strings.TrimSuffix(filepath.Base(name), ".json"), List: list, Rank: rankName.MatchString(list.Name)})
		}
	}
	return out, nil
}

// newProtection joins the warninglists with the tables of the list nodes.
func newProtection(ctx context.Context, cfg *config.Config, lists []protect.Warninglist, table tables) (*protection, error) {
	p := &protection{version: map[string]uint64{}, tenant: map[string]*protect.Rules{}, rules: &protect.Rules{
		Warninglists: lists,
		WidestV4:     cfg.Protect.MaxCIDR.IPv4, WidestV6: cfg.Protect.MaxCIDR.IPv6,
		NoSpecialPurpose: !cfg.Protect.SpecialPurpose, NoPublicSuffixes: !cfg.Protect.PublicSuffixes,
	}}
	var err error
	if p.rules.Own, err = p.own(ctx, cfg.Protect.Lists, table); err != nil {
		return nil, err
	}
	for name, c := range cfg.Connections {
		own, err := p.own(ctx, c.Protect, table)
		if err != nil {
			return nil, err
		}
		more := *p.rules
		more.Own = slices.Concat(p.rules.Own, own)
		p.tenant[name] = &more
	}
	return p, nil
}

// own reads the tables of list nodes and notes their versions.
func (p *protection) own(ctx context.Context, names []string, table tables) ([]protect.Own, error) {
	var out []protect.Own
	for _, name := range names {
		t, err := table(name)
		if err != nil {
			return nil, err
		}
		p.version[name] = t.Version()
		entries, err := entriesOf(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("read the protected list %s: %w", name, err)
		}
		out = append(out, protect.NewOwn(name, entries))
	}
	return out, nil
}

// protectedBy names the list nodes that protect the tenants of a destination.
func (a *App) protectedBy(node string) []string {
	cfg, _ := a.inForce()
	names := slices.Clone(cfg.Protect.Lists)
	if n := cfg.Nodes[node]; n != nil {
		for _, to := range n.To {
			if c := cfg.Connections[to]; c != nil {
				names = append(names, c.Protect...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// at is what protects the tenant of a connection.
func (p *protection) at(connection string) *protect.Rules {
	if r := p.tenant[connection]; r != nil {
		return r
	}
	return p.rules
}

// stale tells whether one of the lists changed since.
func (p *protection) stale(table tables) (bool, error) {
	for name, version := range p.version {
		t, err := table(name)
		if err != nil || t.Version() != version {
			return true, err
		}
	}
	return false, nil
}

func entriesOf(ctx context.Context, t sdk.Table) ([]indicator.Indicator, error) {
	var out []indicator.Indicator
	err := t.Scan(ctx, func(r sdk.Row) error {
		i, err := indicator.FromKey(r.Key)
		if err != nil {
			return err
		}
		out = append(out, i)
		return nil
	})
	return out, err
}

// readWarninglist finds a list by the name of a built-in one or by path.
func readWarninglist(base, name string) (*warninglist.List, error) {
	data, ok := prototypes.Warninglist(name)
	if !ok {
		var err error
		if data, err = readFile(base, name); err != nil {
			return nil, fmt.Errorf("%q is no built-in list (%v) and no readable file: %w", name, prototypes.Known(), err)
		}
	}
	list, err := warninglist.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("warninglist %s: %w", name, err)
	}
	return list, nil
}
