package config

import (
	"encoding"
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// Tenant is one tenant that a target is aimed at, with everything resolved.
type Tenant struct {
	Connection    string
	Config        any    // what ClassInfo.NewConfig returned, filled
	Keep          []Keep // the node's conditions, then the tenant's own
	MaxTLP        indicator.TLP
	MinConfidence int
	Mode          string
	// Differs: something is given for this tenant alone.
	Differs bool
	Pos     Pos
}

// tenantKeys are one item of to: as it stands in a file: the name of a connection, or
// a mapping with what differs for its tenant.
type tenantKeys struct {
	Connection    string        `yaml:"connection" required:"true" doc:"Login under connections:."`
	Config        *value        `yaml:"config" doc:"Keys of the class that differ for this tenant; the others are the node's."`
	Keep          *value        `yaml:"keep" doc:"Further conditions in TQL that hold for this tenant alone."`
	MaxTLP        indicator.TLP `yaml:"max_tlp" doc:"Ceiling of this tenant, if it is not the node's."`
	MinConfidence *int          `yaml:"min_confidence" min:"0" max:"100" doc:"Least confidence to block at this tenant, if it is not the node's."`
	Mode          string        `yaml:"mode" enum:"plan,auto" doc:"Mode at this tenant, if it is not the node's."`
}

var _ encoding.TextUnmarshaler = (*tenantKeys)(nil)

// UnmarshalText reads the short form, a name alone.
func (t *tenantKeys) UnmarshalText(text []byte) error {
	t.Connection = string(text)
	return nil
}

// tenants resolves to:. What the node's config has wrong is reported once, not for each
// tenant: only on a sound one is a tenant's laid.
func (b *nodeBuilder) tenants(n *Node, keys *nodeKeys, tree *value, sound bool) {
	if n.ClassInfo.Role != sdk.RoleTarget {
		return
	}
	for i := range keys.To {
		t := &keys.To[i]
		pos := itemPos(tree.get("to"), i)
		out := Tenant{Connection: t.Connection, Config: n.Config, Keep: slices.Clone(n.Keep), MaxTLP: n.MaxTLP, MinConfidence: n.MinConfidence, Mode: n.Mode, Pos: pos}
		if t.Config != nil && t.Config.kind != null && sound {
			out.Config, out.Differs = b.tenantConfig(n, keys.Config, t), true
		}
		if t.Keep != nil && t.Keep.kind != null {
			out.Keep, out.Differs = append(out.Keep, b.tenantConditions(n, t.Keep)...), true
		}
		if t.MaxTLP != indicator.Unlabelled {
			out.MaxTLP, out.Differs = t.MaxTLP, true
		}
		if t.MaxTLP == indicator.Red {
			b.report.fail(itemOf(tree.get("to"), i).keyPos("max_tlp"), "amber+strict is the highest", "max_tlp of %s at %s cannot be red: what is red leaves nowhere", n.Name, t.Connection)
		}
		if t.MinConfidence != nil {
			out.MinConfidence, out.Differs = *t.MinConfidence, true
		}
		if t.Mode != "" {
			out.Mode, out.Differs = t.Mode, true
		}
		n.Tenants = append(n.Tenants, out)
	}
}

func (b *nodeBuilder) tenantConfig(n *Node, node *value, t *tenantKeys) any {
	if !b.decode.wants(t.Config, mapping, "config") {
		return n.Config
	}
	if node == nil || node.kind != mapping {
		node = &value{kind: mapping, pos: t.Config.pos}
	}
	out := n.ClassInfo.NewConfig()
	b.configStruct(overlay(node, t.Config), out, fmt.Sprintf("config of class %s for %s", n.Class, t.Connection))
	return out
}

// tenantConditions compiles the conditions of one tenant. One cannot replace the
// node's: what that drops is not in the node's table.
func (b *nodeBuilder) tenantConditions(n *Node, v *value) []Keep {
	own := &Node{Name: n.Name}
	b.conditions(own, v)
	for _, k := range own.Keep {
		if slices.ContainsFunc(n.Keep, func(have Keep) bool { return have.Name == k.Name }) {
			b.report.fail(v.keyPos(k.Name), "give it another name: conditions of a tenant are asked beside the node's", "%q is a condition of node %s already", k.Name, n.Name)
		}
	}
	return own.Keep
}

// logins checks connection: and to:.
func (b *nodeBuilder) logins(n *Node, tree *value) {
	if n.ClassInfo.Name == "" {
		return
	}
	if n.Connection != "" && n.ClassInfo.Role != sdk.RoleTarget {
		b.login(n, n.Connection, tree.get("connection").pos)
	}
	if n.ClassInfo.Role != sdk.RoleTarget {
		return
	}
	if len(n.To) == 0 && len(n.ClassInfo.Connections) > 0 {
		b.report.fail(n.Pos, "name one or several connections, as to: [contoso]", "node %s sends to nobody: \"to\" is missing", n.Name)
	}
	for i, name := range n.To {
		item := itemOf(tree.get("to"), i)
		if c := item.get("connection"); c != nil {
			item = c
		}
		if name == "" {
			continue // reported already
		}
		if slices.Contains(n.To[:i], name) {
			b.report.fail(item.pos, "remove one of them", "connection %q is named twice", name)
			continue
		}
		b.login(n, name, item.pos)
	}
}

func (b *nodeBuilder) login(n *Node, name string, at Pos) {
	c, known := b.cfg.Connections[name]
	if !known {
		names := make([]string, 0, len(b.cfg.Connections))
		for c := range b.cfg.Connections {
			names = append(names, c)
		}
		help := diag.DidYouMean(name, names)
		if help == "" {
			help = "add it under connections:"
		}
		b.report.fail(at, help, "there is no connection %q", name)
		return
	}
	types := n.ClassInfo.Connections
	switch {
	case len(types) == 0:
		b.report.fail(at, "remove it", "class %s takes no connection", n.Class)
	case c != nil && !slices.Contains(types, c.Type):
		b.report.fail(at, "it takes "+strings.Join(types, " or "), "class %s cannot use %q, a connection of type %s", n.Class, name, c.Type)
	case c != nil:
		b.offered(n, c, at)
	}
}

// offered reports a login that cannot reach what the class calls.
func (b *nodeBuilder) offered(n *Node, c *Connection, at Pos) {
	offers := b.types[c.Type].Offers
	if offers == nil || n.ClassInfo.Service == "" {
		return
	}
	if lacks := offers(c.Config, n.ClassInfo.Service); lacks != nil {
		b.report.fail(at, lacks.Help, "class %s cannot use %q: %s", n.Class, c.Name, lacks.Msg)
	}
}

// itemPos is the place of item i of a list, or of the single value that stands
// for it.
func itemPos(v *value, i int) Pos { return itemOf(v, i).pos }

func itemOf(v *value, i int) *value {
	if v.kind == list && i < len(v.items) {
		return v.items[i]
	}
	return v
}
