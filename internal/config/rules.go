package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/compute"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/internal/tql"
)

// conditions compiles keep:.
func (b *nodeBuilder) conditions(n *Node, v *value) {
	for _, e := range b.texts(v, "keep", `as keep: {sure: "confidence >= 70"}`) {
		f, err := tql.Compile(e.val.text, tql.Options{AllowExtra: true})
		if err != nil {
			b.badQuery(e.val, err)
			continue
		}
		if f.UsesClock() {
			b.report.fail(e.val.pos, "use age: for what depends on time", "the condition %q depends on the clock: a row would have to leave without a change (NOW(), TODAY() and last_seen are not possible in keep)", e.name)
			continue
		}
		for _, w := range f.Warnings() {
			b.report.add(diag.Warning, e.val.pos, "", "condition %q: %s", e.name, w)
		}
		n.Keep = append(n.Keep, Keep{Name: e.name, Filter: f, Pos: e.val.pos})
	}
}

func (b *nodeBuilder) badQuery(v *value, err error) {
	var te *tql.Error
	if !errors.As(err, &te) || v.refs {
		b.unclear(v, "condition")
		return
	}
	b.report.fail(b.inside(v, te.Offset), te.Suggestion, "%s", te.Msg)
}

// unclear reports a text that is wrong once references are filled in, without
// showing any of what they brought in.
func (b *nodeBuilder) unclear(v *value, what string) {
	b.report.fail(v.pos, "write the value in place of the reference to see what is wrong", "the %s %s is wrong once its references are filled in", what, v.shown())
}

// texts returns the entries of a mapping from names to text; others are reported.
func (b *nodeBuilder) texts(v *value, key, help string) []entry {
	if v == nil || v.kind == null {
		return nil
	}
	if v.kind != mapping {
		b.report.fail(v.pos, help, "%s takes a mapping of names, not %s", key, v.kind)
		return nil
	}
	var out []entry
	for _, e := range v.keys {
		switch {
		case e.val.kind == null || e.val.broken:
		case e.val.kind != scalar:
			b.report.fail(e.val.pos, help, "%s.%s takes text, not %s", key, e.name, e.val.kind)
		default:
			out = append(out, e)
		}
	}
	return out
}

// computed compiles compute:.
func (b *nodeBuilder) computed(n *Node, v *value) {
	for _, e := range b.texts(v, "compute", `as compute: {confidence: "min(100, lists * 12)"}`) {
		b.attributeName(e)
		p, err := compute.Compile(e.val.text)
		var ce *compute.Error
		switch {
		case errors.As(err, &ce) && !e.val.refs:
			b.report.fail(b.inside(e.val, byteOfColumn(e.val.text, ce.Col)), ce.Help, "%s", ce.Msg)
		case err != nil:
			b.unclear(e.val, "expression")
		default:
			n.Compute = append(n.Compute, ComputeRule{Attr: e.name, Program: p, Pos: e.val.pos})
		}
	}
}

// attributeName warns of what is nearly the name of an attribute: any other name
// is a free attribute.
func (b *nodeBuilder) attributeName(e entry) {
	names := indicator.AttributeNames()
	for _, n := range names {
		if n == e.name {
			return
		}
	}
	if e.name == "kind" || e.name == "value" || e.name == "extra" {
		b.report.fail(e.pos, "", "%q cannot be set", e.name)
		return
	}
	if s := diag.DidYouMean(e.name, names); s != "" {
		b.report.add(diag.Warning, e.pos, s, "%q is no attribute; it is kept as a free one", e.name)
	}
}

// constants reads attributes:.
func (b *nodeBuilder) constants(n *Node, v *value) {
	if v == nil || v.kind == null || !b.decode.wants(v, mapping, "attributes") {
		return
	}
	for _, e := range v.keys {
		if e.val.kind == null || e.val.broken {
			continue
		}
		b.attributeName(e)
		if err := n.Attributes.Set(e.name, settable(plainValue(e.val))); err != nil {
			b.report.fail(e.val.pos, "", "%v", err)
			continue
		}
		n.AttributeNames = append(n.AttributeNames, e.name)
	}
}

// settable turns a list of texts into the type attributes take.
func settable(v any) any {
	items, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return v
		}
		out = append(out, s)
	}
	return out
}

// protected checks what depends on nodes in protect:.
func (l *loader) protected(v *value, b *nodeBuilder) {
	if v == nil || v.kind != mapping {
		return
	}
	l.warninglists(v.get("warninglists"))
	l.protectedLists(l.cfg.Protect.Lists, v.get("lists"), b)
}

// warninglists checks that each name is one of a built-in list or a file's.
func (l *loader) warninglists(v *value) {
	if v == nil || l.opts.Warninglists == nil {
		return
	}
	for i, name := range l.cfg.Protect.Warninglists {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.cfg.BaseDir, path)
		}
		info, err := os.Stat(path)
		if slices.Contains(l.opts.Warninglists, name) || err == nil && info.Mode().IsRegular() {
			continue
		}
		help := diag.DidYouMean(name, l.opts.Warninglists)
		if help == "" {
			help = "built in are " + strings.Join(l.opts.Warninglists, ", ")
		}
		l.report.fail(itemPos(v, i), help, "there is no built-in warninglist %q and no such file", name)
	}
}

// protectedLists checks that the names are nodes whose rows can be read; v is where
// they stand.
func (l *loader) protectedLists(names []string, v *value, b *nodeBuilder) {
	for i, name := range names {
		at := itemPos(v, i)
		n, ok := l.cfg.Nodes[name]
		switch {
		case !ok:
			l.report.fail(at, b.nodeHelp(name), "there is no node %q to protect", name)
		case isDestination(n.ClassInfo.Role):
			l.report.fail(at, "name a source or a processor", "%q is a destination, not a list", name)
		}
	}
}
