// Package graph is the shape of a configuration: which node reads which, in what
// order they come, and what a new configuration does to the nodes of the old one.
// Use it where nodes are built, swapped or previewed; it runs nothing and stores
// nothing.
package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/sdk"
)

// Node is one node as the graph sees it.
type Node struct {
	Name   string
	Class  string
	Role   sdk.Role
	Inputs []string // in the order of the config, which decides "first" (SEMANTICS E8)
	Allow  []string // allow-list edges (SEMANTICS E10)
	// Protect: the node's rows are never sent anywhere (protect: lists).
	Protect bool
	// Fingerprint changes with everything that affects what the node does.
	Fingerprint string
	// Login changes with the login the node uses; another login needs a new
	// instance, not new rows.
	Login string
	// Origin is what a source reads; see sdk.SourceInfo.
	Origin string
}

// Graph is a checked set of nodes. It is immutable.
type Graph struct {
	nodes map[string]Node
	order []string
	next  map[string][]string
}

// New checks nodes and orders them: names are unique, edges lead to nodes that
// can be read, and there is no cycle.
func New(nodes []Node) (*Graph, error) {
	g := &Graph{nodes: make(map[string]Node, len(nodes)), next: map[string][]string{}}
	for _, n := range nodes {
		if _, twice := g.nodes[n.Name]; twice || n.Name == "" {
			return nil, fmt.Errorf("node %q: name empty or taken", n.Name)
		}
		g.nodes[n.Name] = n
	}
	for _, n := range nodes {
		if err := g.checkEdges(n); err != nil {
			return nil, err
		}
		for _, from := range edges(n) {
			if !slices.Contains(g.next[from], n.Name) {
				g.next[from] = append(g.next[from], n.Name)
			}
		}
	}
	if err := g.sort(); err != nil {
		return nil, err
	}
	return g, nil
}

func edges(n Node) []string { return append(slices.Clone(n.Inputs), n.Allow...) }

func (g *Graph) checkEdges(n Node) error {
	if n.Role == sdk.RoleSource && len(n.Inputs)+len(n.Allow) > 0 {
		return fmt.Errorf("node %q: a source has no inputs", n.Name)
	}
	seen := map[string]bool{}
	for _, from := range edges(n) {
		in, ok := g.nodes[from]
		switch {
		case !ok:
			return fmt.Errorf("node %q: input %q does not exist", n.Name, from)
		case in.Role == sdk.RoleFeed || in.Role == sdk.RoleTarget:
			return fmt.Errorf("node %q: input %q is a destination and gives nothing on", n.Name, from)
		case seen[from]:
			return fmt.Errorf("node %q: input %q is named twice", n.Name, from)
		}
		seen[from] = true
	}
	return nil
}

// sort orders the nodes so that what is read comes before its readers, and by
// name where that leaves a choice.
func (g *Graph) sort() error {
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	var path []string
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case done:
			return nil
		case open:
			from := slices.Index(path, name)
			return fmt.Errorf("cycle: %s", strings.Join(append(slices.Clone(path[from:]), name), " reads "))
		}
		state[name] = open
		path = append(path, name)
		for _, in := range edges(g.nodes[name]) {
			if err := visit(in); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		state[name] = done
		g.order = append(g.order, name)
		return nil
	}
	for _, name := range g.names() {
		if err := visit(name); err != nil {
			return err
		}
	}
	return nil
}

func (g *Graph) names() []string {
	names := make([]string, 0, len(g.nodes))
	for name := range g.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Order returns the names so that what is read comes before its readers.
func (g *Graph) Order() []string { return slices.Clone(g.order) }

// Node returns a node by name.
func (g *Graph) Node(name string) (Node, bool) {
	n, ok := g.nodes[name]
	return n, ok
}

// Readers returns the nodes that read name, over either kind of edge.
func (g *Graph) Readers(name string) []string { return g.next[name] }

// Ancestors returns all that name depends on, in order, over both kinds of edge;
// name itself is not in it.
func (g *Graph) Ancestors(name string) []string {
	seen := map[string]bool{}
	g.climb(name, seen)
	var out []string
	for _, n := range g.order {
		if seen[n] {
			out = append(out, n)
		}
	}
	return out
}

func (g *Graph) climb(name string, seen map[string]bool) {
	for _, in := range edges(g.nodes[name]) {
		if !seen[in] {
			seen[in] = true
			g.climb(in, seen)
		}
	}
}

// Guarding tells whether the rows of name keep others from being sent: it, or
// something that reads it, is an allow-list or protected. Such nodes have the
// strictest freeze and do not age (SEMANTICS E10).
func (g *Graph) Guarding(name string) bool {
	if g.nodes[name].Protect {
		return true
	}
	for _, reader := range g.next[name] {
		n := g.nodes[reader]
		if slices.Contains(n.Allow, name) || g.Guarding(reader) {
			return true
		}
	}
	return false
}
