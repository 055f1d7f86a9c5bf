package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// keyOrder is how the keys of a node are written for people; others follow by name.
var keyOrder = []string{"class", "connection", "inputs", "to"}

// treeOf makes the tree of a plain value at a place. Texts are what they are: nothing
// in them is a reference.
func treeOf(x any, at Pos) *value {
	word := func(tag, text string) *value {
		return &value{kind: scalar, pos: at, tag: tag, text: text, raw: text}
	}
	switch x := x.(type) {
	case string:
		v := word("!!str", x)
		v.quoted = true
		return v
	case bool:
		return word("!!bool", strconv.FormatBool(x))
	case int:
		return word("!!int", strconv.Itoa(x))
	case float64:
		return word("!!float", strconv.FormatFloat(x, 'f', -1, 64))
	case time.Duration:
		return word("!!str", FormatDuration(x))
	case time.Time:
		return word("!!str", x.UTC().Format(time.RFC3339))
	case []string:
		v := &value{kind: list, pos: at}
		for _, item := range x {
			v.items = append(v.items, treeOf(item, at))
		}
		return v
	case map[string]any:
		v := &value{kind: mapping, pos: at}
		for _, k := range sortedKeys(x) {
			v.keys = append(v.keys, entry{k, at, treeOf(x[k], at)})
		}
		return v
	}
	panic(fmt.Sprintf("config: a form gave a %T", x)) // a fault of the form, found by its tests
}

func sortedKeys(m map[string]any) []string {
	place := func(k string) int {
		if i := slices.Index(keyOrder, k); i >= 0 {
			return i
		}
		return len(keyOrder)
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		if a < b {
			return -1
		}
		return 1
	})
}

// job is the effective form of a job; its nodes stand under nodes.
func (x exporter) job(j *Job) map[string]any {
	return map[string]any{
		"form": j.Form, "schedule": j.Spec.String(), "catch_up": j.CatchUp, "queue": j.Queue, "timeout": FormatDuration(j.Timeout),
		"sources": j.Sources, "targets": j.Targets, "idle": j.Idle, "level": j.Level, "config": x.of(j.config),
	}
}

// YAML writes the nodes that the job's form stands for, as they would stand in a
// configuration; nothing for a job without a form.
func (j *Job) YAML() ([]byte, error) {
	nodes := &yaml.Node{Kind: yaml.MappingNode}
	for _, n := range j.nodes {
		nodes.Content = append(nodes.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: n.Name}, yamlOf(treeOf(n.Keys, j.Pos)))
	}
	if len(nodes.Content) == 0 {
		return nil, nil
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "nodes"}, nodes}}
	return yaml.Marshal(root)
}

func yamlOf(v *value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: v.text, Tag: v.tag}
	switch v.kind {
	case list:
		n = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v.items {
			n.Content = append(n.Content, yamlOf(item))
		}
	case mapping:
		n = &yaml.Node{Kind: yaml.MappingNode}
		for _, e := range v.keys {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: e.name}, yamlOf(e.val))
		}
	}
	return n
}
