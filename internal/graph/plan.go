package graph

import "slices"

// Action is what a new configuration does to a node (SEMANTICS E11).
type Action string

// The actions.
const (
	Keep    Action = "keep"    // goes on as it is
	Rebuild Action = "rebuild" // same rows, new instance: another login
	Replay  Action = "replay"  // its rows are computed again and the differences written
	Replace Action = "replace" // a source reads something else: old rows stay until its first complete poll
	Add     Action = "add"
	Remove  Action = "remove"
)

// Step is the action for one node and why.
type Step struct {
	Name   string
	Action Action
	Reason string
}

// Plan compares two configurations, old may be nil. Steps come in the order of
// next, removals last and readers before what they read.
func Plan(old, next *Graph) []Step {
	var steps []Step
	for _, name := range next.order {
		n := next.nodes[name]
		var o Node
		known := false
		if old != nil {
			o, known = old.nodes[name]
		}
		if !known {
			steps = append(steps, Step{name, Add, "new"})
			continue
		}
		action, reason := compare(o, n, old.Guarding(name) != next.Guarding(name))
		steps = append(steps, Step{name, action, reason})
	}
	if old == nil {
		return steps
	}
	for _, name := range slices.Backward(old.order) {
		if _, stays := next.nodes[name]; !stays {
			steps = append(steps, Step{name, Remove, "not in the configuration any more"})
		}
	}
	return steps
}

func compare(o, n Node, guarding bool) (Action, string) {
	switch {
	case o.Role != n.Role:
		return Replace, "another role"
	case o.Class != n.Class:
		return Replace, "another class"
	case o.Origin != n.Origin:
		return Replace, "reads something else"
	case !slices.Equal(o.Inputs, n.Inputs):
		return Replay, "other inputs"
	case !slices.Equal(o.Allow, n.Allow):
		return Replay, "other allow-lists"
	case o.Fingerprint != n.Fingerprint:
		return Replay, "other settings"
	case o.Login != n.Login:
		return Rebuild, "another login"
	case guarding:
		return Rebuild, "its use as an allow-list changed"
	}
	return Keep, ""
}
