package list

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// maxProblems bounds how many mistakes are told at once.
const maxProblems = 20

// parser collects entries and mistakes.
type parser struct {
	file     string
	kind     indicator.Kind
	entries  []indicator.Record
	problems []string
}

// parse reads a list; the error tells every mistake as file:line:col.
func parse(file string, text []byte, kind indicator.Kind) ([]indicator.Record, error) {
	p := &parser{file: file, kind: kind}
	doc, err := document(text)
	if err != nil {
		return nil, p.syntax(err)
	}
	switch {
	case len(doc.Content) == 0: // comments only
	case doc.Content[0].Kind == yaml.SequenceNode:
		for _, n := range doc.Content[0].Content {
			p.entry(n)
		}
	case isNull(doc.Content[0]):
	default:
		p.problem(doc.Content[0], "not a list: begin each entry with a hyphen, such as \"- 192.0.2.1\"")
	}
	if len(p.problems) > 0 {
		return nil, p.err()
	}
	return p.entries, nil
}

// document reads the one document of a file, an empty node if there is none.
func document(text []byte) (doc yaml.Node, err error) {
	in, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return doc, err
	}
	if err := in.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return doc, err
	}
	var second yaml.Node
	if err := in.Load(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = yaml.NewLoadError(yaml.ComposerStage, "a second document begins here; a list is one", yaml.Mark{Line: second.Line, Column: second.Column}, nil)
		}
		return doc, err
	}
	return doc, nil
}

// syntax keeps the library's place and puts the file before it.
func (p *parser) syntax(err error) error {
	var at *yaml.LoadError
	if errors.As(err, &at) {
		p.problems = append(p.problems, fmt.Sprintf("%s:%d:%d: not YAML: %s", p.file, max(1, at.Mark.Line), max(1, at.Mark.Column), at.Message))
	} else {
		p.problems = append(p.problems, fmt.Sprintf("%s: not YAML: %v", p.file, err))
	}
	return p.err()
}

func (p *parser) err() error {
	shown := p.problems[:min(len(p.problems), maxProblems)]
	msg := strings.Join(shown, "\n")
	if more := len(p.problems) - len(shown); more > 0 {
		msg += fmt.Sprintf("\nand %d more", more)
	}
	return &sdk.Error{Failure: sdk.Permanent, Message: msg + "\nthe list as it was before stays in force until this is corrected"}
}

func (p *parser) problem(n *yaml.Node, format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf("%s:%d:%d: %s", p.file, n.Line, n.Column, fmt.Sprintf(format, args...)))
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// entry reads one entry: a plain value, or a mapping with value and attributes.
func (p *parser) entry(n *yaml.Node) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.ScalarNode:
		p.value(n, p.kind, indicator.Attributes{})
	case yaml.MappingNode:
		p.mapping(n)
	default:
		p.problem(n, "an entry is a value, or a mapping with value: and its attributes")
	}
}

func (p *parser) value(n *yaml.Node, kind indicator.Kind, attrs indicator.Attributes) {
	i, err := indicator.Parse(kind, n.Value)
	if err != nil {
		if again, rerr := indicator.Parse(kind, indicator.Refang(n.Value)); rerr == nil {
			i, err = again, nil
		}
	}
	if err != nil {
		var why *indicator.Refusal
		if errors.As(err, &why) {
			p.problem(n, "%q is no %s (%s: %s)", n.Value, wanted(kind), why.Reason, why.Detail)
		}
		return
	}
	p.entries = append(p.entries, indicator.Record{Indicator: i, Attrs: attrs})
}

func wanted(kind indicator.Kind) string {
	if kind == indicator.Unknown {
		return "indicator"
	}
	return kind.String()
}

// mapping reads value, kind, comment and attributes.
func (p *parser) mapping(n *yaml.Node) {
	before := len(p.problems)
	var value *yaml.Node
	var attrs indicator.Attributes
	kind := p.kind
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			p.problem(key, "%q is given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		switch key.Value {
		case "value":
			value = v
		case "kind":
			k, ok := indicator.ParseKind(v.Value)
			if !ok {
				p.problem(v, "no kind is called %q", v.Value)
			}
			kind = k
		case "comment":
			p.set(v, &attrs, "comment")
		default:
			p.attribute(key, v, &attrs)
		}
	}
	switch {
	case value == nil:
		p.problem(n, "the entry has no value:")
	case value.Kind != yaml.ScalarNode:
		p.problem(value, "value: takes one value; write an entry for each")
	case len(p.problems) == before:
		p.value(value, kind, attrs)
	}
}

func (p *parser) attribute(key, v *yaml.Node, attrs *indicator.Attributes) {
	if key.Value != "extra" && !slices.Contains(indicator.AttributeNames(), key.Value) {
		p.problem(key, "no attribute is called %q: there are %s; put your own under extra:",
			key.Value, strings.Join(indicator.AttributeNames(), ", "))
		return
	}
	if key.Value == "sources" {
		p.problem(key, "sources is filled in with the node's name")
		return
	}
	p.set(v, attrs, key.Value)
}

func (p *parser) set(v *yaml.Node, attrs *indicator.Attributes, name string) {
	var value any
	if err := v.Decode(&value); err != nil {
		p.problem(v, "%v", err)
		return
	}
	if err := attrs.Set(name, value); err != nil {
		p.problem(v, "%v", err)
	}
}
