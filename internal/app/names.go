package app

import (
	"maps"
	"slices"

	"github.com/remeld/remeld/sdk"
)

// Names are the names in a configuration by what can be done with them, each list in
// order.
type Names struct {
	Connections, Nodes, Sources, Destinations, Jobs, Routes []string
}

// NamesOf reads the names of a configuration, as far as it can be read: what is wrong
// with it is no business of a shell that completes a word.
func NamesOf(config []string, state string) *Names {
	cfg, _ := Load(config, state, nil)
	if cfg == nil {
		return &Names{}
	}
	n := &Names{Jobs: slices.Sorted(maps.Keys(cfg.Jobs)), Nodes: slices.Sorted(maps.Keys(cfg.Nodes)), Connections: slices.Sorted(maps.Keys(cfg.Connections))}
	for _, name := range n.Nodes {
		switch cfg.Nodes[name].ClassInfo.Role {
		case sdk.RoleSource:
			n.Sources = append(n.Sources, name)
		case sdk.RoleTarget:
			n.Destinations = append(n.Destinations, name)
		}
	}
	for i := range cfg.Notify {
		n.Routes = append(n.Routes, cfg.Notify[i].Name)
	}
	return n
}
