package config

import (
	"io/fs"
	"path"
	"strings"

	"github.com/remeld/remeld/internal/diag"
)

// prototypePrefix starts the file name of findings inside the library.
const prototypePrefix = "prototype:"

// maxChain bounds prototypes of prototypes.
const maxChain = 8

// withPrototype returns the node's tree laid over that of its prototype; a
// prototype may name another one.
func (l *loader) withPrototype(v *value, where string) *value {
	merged := v
	for seen := []string{}; ; {
		ref := merged.get("prototype")
		if ref == nil || ref.kind != scalar || ref.broken {
			return withName(merged, v)
		}
		seen = append(seen, ref.text)
		if len(seen) > maxChain {
			l.report.fail(ref.pos, "", "%s: prototypes lead on for ever: %s", where, strings.Join(seen, " -> "))
			return withName(merged, v)
		}
		base := l.prototype(ref)
		merged = overlay(base, without(merged, "prototype"))
	}
}

// withName puts the prototype key that the node gave back in.
func withName(merged, v *value) *value {
	out := without(merged, "prototype")
	if p := v.get("prototype"); p != nil {
		out.keys = append(out.keys, entry{"prototype", v.keyPos("prototype"), p})
	}
	return out
}

func without(v *value, key string) *value {
	out := *v
	out.keys = nil
	for _, e := range v.keys {
		if e.name != key {
			out.keys = append(out.keys, e)
		}
	}
	return &out
}

// prototype reads one prototype from the library; nil if there is none.
func (l *loader) prototype(ref *value) *value {
	name := ref.text
	file := name + ".yaml"
	if l.opts.Prototypes == nil || !fs.ValidPath(file) {
		l.report.fail(ref.pos, l.prototypeHelp(name), "there is no prototype %s", ref.shown())
		return nil
	}
	data, err := fs.ReadFile(l.opts.Prototypes, file)
	if err != nil {
		l.report.fail(ref.pos, l.prototypeHelp(name), "there is no prototype %s", ref.shown())
		return nil
	}
	docs := l.parse(prototypePrefix+file, data)
	if len(docs) != 1 || docs[0].kind != mapping {
		l.report.fail(ref.pos, "", "the prototype %s is not one partial node", ref.shown())
		return nil
	}
	return without(docs[0], "summary") // a line for the library's list
}

func (l *loader) prototypeHelp(name string) string {
	if l.opts.Prototypes == nil {
		return "there is no library of prototypes here"
	}
	var names []string
	_ = fs.WalkDir(l.opts.Prototypes, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(p) == ".yaml" {
			names = append(names, strings.TrimSuffix(p, ".yaml"))
		}
		return nil // what cannot be listed cannot be suggested
	})
	return diag.DidYouMean(name, names)
}

// overlay lays over onto base: mappings merge key by key, everything else is
// replaced; an empty value takes a key of base away.
func overlay(base, over *value) *value {
	if base == nil || base.kind != mapping || over.kind != mapping {
		return over
	}
	out := *over
	out.keys = nil
	for _, e := range base.keys {
		top := over.get(e.name)
		switch {
		case top == nil:
			out.keys = append(out.keys, e)
		case top.kind == null:
		default:
			out.keys = append(out.keys, entry{e.name, over.keyPos(e.name), overlay(e.val, top)})
		}
	}
	for _, e := range over.keys {
		if base.get(e.name) == nil {
			out.keys = append(out.keys, e)
		}
	}
	return &out
}
