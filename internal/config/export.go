package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// exporter turns config structs into plain maps by their yaml names. With masks
// secrets are hidden; without they are in it, which is for keyed hashes alone.
type exporter struct {
	masks *masker
	// drop leaves secrets out altogether.
	drop bool
}

func (x exporter) value(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.CanInterface() {
		if out, ok := x.known(v.Interface()); ok {
			return out
		}
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer && v.Addr().CanInterface() {
		if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
			out, _ := x.known(m)
			return out
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return x.value(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for _, f := range structFields(v.Type()) {
			if f.typ != treeType {
				out[f.name] = x.value(v.FieldByIndex(f.index))
			}
		}
		return out
	case reflect.Slice, reflect.Array:
		out := make([]any, 0, v.Len())
		for i := range v.Len() {
			out = append(out, x.value(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[fmt.Sprint(it.Key())] = x.value(it.Value())
		}
		return out
	case reflect.String:
		return x.text(v.String())
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return nil
	}
	return v.Interface()
}

// known writes the types that have a form of their own.
func (x exporter) known(v any) (any, bool) {
	switch v := v.(type) {
	case sdk.Secret:
		switch {
		case x.drop:
			return nil, true
		case x.masks != nil:
			return v.String(), true
		}
		return v.Reveal(), true
	case time.Duration:
		return FormatDuration(v), true
	case time.Time:
		if v.IsZero() {
			return nil, true
		}
		return v.UTC().Format(time.RFC3339), true
	case indicator.TLP:
		return v.String(), true
	case indicator.Kind:
		if v == indicator.Unknown {
			return "", true
		}
		return v.String(), true
	case encoding.TextMarshaler:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, true
		}
		text, err := v.MarshalText()
		return x.text(string(text)), err == nil
	}
	return nil, false
}

func (x exporter) text(s string) string {
	if x.masks == nil {
		return s
	}
	return x.masks.hide(s)
}

func (x exporter) of(v any) any { return x.value(reflect.ValueOf(v)) }

// node is the effective form of a node: everything that affects what it does.
func (x exporter) node(n *Node) map[string]any {
	out, _ := x.of(n.Settings).(map[string]any)
	for _, f := range structFields(reflect.TypeFor[Settings]()) {
		if !f.forRole(n.ClassInfo.Role) {
			delete(out, f.name)
		}
	}
	out["class"] = n.Class
	out["config"] = x.of(n.Config)
	for name, list := range map[string][]string{"inputs": n.Inputs, "allow": n.Allow} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	if len(n.To) > 0 {
		out["to"] = x.tenants(n)
	}
	if n.Connection != "" {
		out["connection"] = n.Connection
	}
	x.rules(n, out)
	return out
}

// tenants are the names of a target's connections; where something differs for a
// tenant, all that holds for it.
func (x exporter) tenants(n *Node) []any {
	var out []any
	for i, name := range n.To {
		if i >= len(n.Tenants) || !n.Tenants[i].Differs {
			out = append(out, name)
			continue
		}
		t := &n.Tenants[i]
		keep := map[string]any{}
		for _, k := range t.Keep[len(n.Keep):] {
			keep[k.Name] = x.text(k.Filter.String())
		}
		out = append(out, map[string]any{"connection": name, "config": x.of(t.Config), "keep": keep, "max_tlp": x.of(t.MaxTLP),
			"min_confidence": t.MinConfidence, "mode": t.Mode})
	}
	return out
}

func (x exporter) rules(n *Node, out map[string]any) {
	keep, computed, constants := map[string]any{}, map[string]any{}, map[string]any{}
	for _, k := range n.Keep {
		keep[k.Name] = x.text(k.Filter.String())
	}
	for _, c := range n.Compute {
		computed[c.Attr] = x.text(c.Program.String())
	}
	for _, name := range n.AttributeNames {
		v, _ := n.Attributes.Get(name)
		constants[name] = x.of(v)
	}
	for name, m := range map[string]map[string]any{"keep": keep, "compute": computed, "attributes": constants} {
		if len(m) > 0 {
			out[name] = m
		}
	}
}

func (x exporter) config(c *Config) map[string]any {
	nodes, connections := map[string]any{}, map[string]any{}
	for name, n := range c.Nodes {
		nodes[name] = x.node(n)
	}
	for name, conn := range c.Connections {
		connections[name] = x.connection(conn)
	}
	return map[string]any{
		"instance": c.Instance, "protect": x.of(c.Protect), "web": x.of(c.Web),
		"nodes": nodes, "connections": connections,
	}
}

func (x exporter) connection(c *Connection) map[string]any {
	out, ok := x.of(c.Config).(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	out["type"] = c.Type
	if !c.Expires.IsZero() {
		out["expires"] = x.of(c.Expires)
	}
	if len(c.Protect) > 0 {
		out["protect"] = x.of(c.Protect)
	}
	return out
}

// MarshalJSON writes the effective configuration, defaults filled in, secrets and
// everything that references brought in hidden.
func (c *Config) MarshalJSON() ([]byte, error) {
	masks := c.masks
	if masks == nil {
		masks = &masker{}
	}
	return json.Marshal(exporter{masks: masks}.config(c))
}
