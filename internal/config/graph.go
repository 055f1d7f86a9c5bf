package config

import (
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

func isDestination(r sdk.Role) bool { return r == sdk.RoleFeed || r == sdk.RoleTarget }

// nodeHelp suggests a node's name.
func (b *nodeBuilder) nodeHelp(name string) string {
	if s := diag.DidYouMean(name, b.names); s != "" {
		return s
	}
	if len(b.names) > 20 {
		return "add it under nodes:"
	}
	return "nodes are " + strings.Join(b.names, ", ")
}

// edges checks inputs: and allow: of a node.
func (b *nodeBuilder) edges(n *Node, tree *value) {
	role := n.ClassInfo.Role
	if role == sdk.RoleSource || n.ClassInfo.Name == "" {
		return // a source with inputs is refused by its role already
	}
	if len(n.Inputs) == 0 && tree.get("inputs") == nil {
		b.report.fail(n.Pos, "name the nodes it reads, as inputs: [feed1]", "node %s has no inputs: a %s needs at least one", n.Name, role)
	} else if len(n.Inputs) == 0 && tree.get("inputs").kind != scalar {
		b.report.fail(n.Keys["inputs"], "name the nodes it reads", "node %s has no inputs: a %s needs at least one", n.Name, role)
	}
	b.edgeList("inputs", n.Inputs, tree.get("inputs"))
	b.edgeList("allow", n.Allow, tree.get("allow"))
	for i, name := range n.Allow {
		if slices.Contains(n.Inputs, name) {
			b.report.fail(itemPos(tree.get("allow"), i), "remove one of them", "%q is both an input and an allow-list", name)
		}
	}
}

func (b *nodeBuilder) edgeList(key string, names []string, v *value) {
	for i, name := range names {
		if name == "" {
			continue // its failure is reported already
		}
		at := itemPos(v, i)
		from, ok := b.cfg.Nodes[name]
		switch {
		case slices.Contains(names[:i], name):
			b.report.fail(at, "remove one of them", "%q is named twice in %s", name, key)
		case !ok && !slices.Contains(b.names, name):
			b.report.fail(at, b.nodeHelp(name), "there is no node %q", name)
		case ok && isDestination(from.ClassInfo.Role):
			b.report.fail(at, "name a source or a processor", "%q is a destination: nothing can be read from it", name)
		}
	}
}

// order fills Config.Order and reports cycles.
func (b *nodeBuilder) order(nodes *value) {
	s := sorter{cfg: b.cfg, state: map[string]int{}}
	for _, e := range nodes.keys {
		s.visit(e.name)
	}
	b.cfg.Order = s.done
	for _, c := range s.cycles {
		last := c[len(c)-1] // reads c[0], which closes the circle
		n, tree := b.cfg.Nodes[last], b.trees[last]
		at := n.Pos
		for _, key := range []string{"inputs", "allow"} {
			names := map[string][]string{"inputs": n.Inputs, "allow": n.Allow}[key]
			if i := slices.Index(names, c[0]); i >= 0 {
				at = itemPos(tree.get(key), i)
			}
		}
		b.report.fail(at, "remove one of these edges", "the nodes feed themselves: %s", circle(c))
	}
}

// circle prints a cycle in the direction of the data, from its first name in the
// alphabet: a -> b -> a.
func circle(c []string) string {
	c = slices.Clone(c)
	slices.Reverse(c)
	first := slices.Index(c, slices.Min(c))
	c = append(c[first:], c[:first]...)
	return strings.Join(append(c, c[0]), " -> ")
}

// sorter orders depth first; each edge back into the open path is a cycle.
type sorter struct {
	cfg    *Config
	state  map[string]int // 1 open, 2 done
	path   []string
	done   []string
	cycles [][]string
}

func (s *sorter) visit(name string) {
	n := s.cfg.Nodes[name]
	if n == nil || s.state[name] == 2 {
		return
	}
	if s.state[name] == 1 {
		s.cycles = append(s.cycles, slices.Clone(s.path[slices.Index(s.path, name):]))
		return
	}
	s.state[name] = 1
	s.path = append(s.path, name)
	for _, from := range slices.Concat(n.Inputs, n.Allow) {
		s.visit(from)
	}
	s.path = s.path[:len(s.path)-1]
	s.state[name] = 2
	s.done = append(s.done, name)
}
