package config

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/remeld/remeld/internal/diag"
)

// Bounds of the tree: aliases are expanded, so that every place is its own, and
// an alias bomb ends at maxNodes.
const (
	maxNodes = 200_000
	maxDepth = 100
)

// kind of a value in the tree.
type kind uint8

const (
	null kind = iota
	scalar
	list
	mapping
)

func (k kind) String() string {
	return [...]string{"nothing", "a value", "a list", "a mapping"}[k]
}

// value is a YAML node with its place, aliases expanded and references resolved.
type value struct {
	kind   kind
	pos    Pos
	tag    string // of a scalar: !!str, !!int, …
	text   string // of a scalar, references resolved
	raw    string // as written
	quoted bool
	style  yaml.Style
	refs   bool // text came from references
	broken bool // a reference failed, which is reported already
	items  []*value
	keys   []entry
}

// entry is one key of a mapping.
type entry struct {
	name string
	pos  Pos
	val  *value
}

// get returns the value of a key, nil if it is not there.
func (v *value) get(name string) *value {
	if v == nil {
		return nil
	}
	for _, e := range v.keys {
		if e.name == name {
			return e.val
		}
	}
	return nil
}

// keyPos returns the place of a key, the mapping's own if it is not there.
func (v *value) keyPos(name string) Pos {
	for _, e := range v.keys {
		if e.name == name {
			return e.pos
		}
	}
	return v.pos
}

// parse reads the documents of one file. A syntax error ends the file.
func (l *loader) parse(name string, data []byte) []*value {
	l.report.source(name, data)
	if !bytes.ContainsFunc(data, func(r rune) bool { return r > ' ' }) {
		return nil
	}
	if !l.encoding(name, data) {
		return nil
	}
	dec, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		l.syntax(name, err)
		return nil
	}
	var docs []*value
	for {
		var doc yaml.Node
		err := loadGuarded(dec, &doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			l.syntax(name, err)
			return docs
		}
		for _, n := range doc.Content {
			if v := l.convert(name, n, 0, nil); v != nil && v.kind != null {
				docs = append(docs, v)
			}
		}
	}
}

// encoding finds the first byte that text in UTF-8 does not have; the YAML library
// names no place. UTF-16 with a byte order mark is its business.
func (l *loader) encoding(name string, data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return true
	}
	pos := Pos{File: name, Line: 1, Col: 1}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			l.report.fail(pos, "save the file as UTF-8", "byte 0x%02X is not UTF-8", data[i])
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7F:
			l.report.fail(pos, "this is no text file, or it was damaged: remove the character", "a control character (0x%02X)", r)
			return false
		case r == '\n':
			pos.Line, pos.Col = pos.Line+1, 0
		}
		pos.Col++
		i += n
	}
	return true
}

// loadGuarded turns a panic of the YAML library into an error: its input is the
// user's.
func loadGuarded(dec *yaml.Loader, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the YAML cannot be read")
		}
	}()
	return dec.Load(doc)
}

func (l *loader) syntax(name string, err error) {
	var one *yaml.LoadError
	pos := Pos{File: name}
	msg, _, _ := strings.Cut(err.Error(), "\n")
	if errors.As(err, &one) {
		pos.Line, pos.Col = one.Mark.Line, one.Mark.Column
		msg = one.Message
		if one.ContextMsg != "" {
			msg = one.ContextMsg + ": " + msg
		}
	}
	help := "check the indentation and quotes here and in the line before"
	switch {
	case strings.HasPrefix(l.report.rest(pos), "\t"):
		help = "indent with blanks, not tabs"
	case strings.Contains(msg, "cannot start any token"):
		help = "put the value in quotes"
	}
	l.report.add(diag.Error, pos, help, "this is no YAML: %s", msg)
}

// convert makes the tree of n. open holds the aliases being expanded.
func (l *loader) convert(file string, n *yaml.Node, depth int, open []*yaml.Node) *value {
	v := &value{pos: Pos{File: file, Line: n.Line, Col: n.Column}}
	if l.budget--; l.budget < 0 || depth > maxDepth {
		if l.budget == -1 || depth > maxDepth {
			l.budget = -2
			l.report.add(diag.Error, v.pos, "use fewer aliases and less nesting", "the configuration is too large or too deep (over %d values or %d levels)", maxNodes, maxDepth)
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return l.alias(file, n, depth, open)
	case yaml.ScalarNode:
		l.scalar(v, n)
	case yaml.SequenceNode:
		v.kind = list
		for _, c := range n.Content {
			if item := l.convert(file, c, depth+1, open); item != nil {
				v.items = append(v.items, item)
			}
		}
	case yaml.MappingNode:
		v.kind = mapping
		l.mapping(v, file, n, depth, open)
	}
	return v
}

func (l *loader) alias(file string, n *yaml.Node, depth int, open []*yaml.Node) *value {
	for _, o := range open {
		if o == n.Alias {
			l.report.add(diag.Error, Pos{file, n.Line, n.Column}, "", "the alias *%s contains itself", n.Value)
			return nil
		}
	}
	if n.Alias == nil {
		return nil
	}
	return l.convert(file, n.Alias, depth+1, append(open[:len(open):len(open)], n.Alias))
}

func (l *loader) scalar(v *value, n *yaml.Node) {
	v.kind, v.tag, v.text, v.raw, v.style = scalar, n.ShortTag(), n.Value, n.Value, n.Style
	v.quoted = n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if v.tag == "!!null" && !v.quoted {
		v.kind = null
		return
	}
	l.resolve(v)
}

func (l *loader) mapping(v *value, file string, n *yaml.Node, depth int, open []*yaml.Node) {
	var merged []entry
	seen := map[string]int{} // line of each key
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		pos := Pos{file, k.Line, k.Column}
		if k.Kind != yaml.ScalarNode {
			l.report.add(diag.Error, pos, "", "a key must be a plain name, not a list or a mapping")
			continue
		}
		val := l.convert(file, n.Content[i+1], depth+1, open)
		if val == nil {
			continue
		}
		if k.ShortTag() == "!!merge" {
			merged = append(merged, l.merged(val)...)
			continue
		}
		if line, again := seen[k.Value]; again {
			l.report.add(diag.Error, pos, "remove one of them", "key %q is given twice, first at line %d", k.Value, line)
			continue
		}
		seen[k.Value] = pos.Line
		v.keys = append(v.keys, entry{k.Value, pos, val})
	}
	for _, e := range merged {
		if _, own := seen[e.name]; !own {
			seen[e.name] = e.pos.Line
			v.keys = append(v.keys, e)
		}
	}
}

// merged returns the keys that a << brings in.
func (l *loader) merged(v *value) []entry {
	switch v.kind {
	case mapping:
		return v.keys
	case list:
		var out []entry
		for _, item := range v.items {
			out = append(out, item.keys...)
		}
		return out
	}
	l.report.add(diag.Error, v.pos, "as <<: *name", "<< takes a mapping, not %s", v.kind)
	return nil
}
