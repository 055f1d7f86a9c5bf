package cover

import "strings"

// node is one label of the tree of names, read from the last label on. Only nodes
// on the way to a value exist.
type node struct {
	children map[string]*node
	domain   *holding
	urls     []*holding // on exactly this host, sorted
}

// lastLabel cuts the last label off a name.
func lastLabel(name string) (rest, label string) {
	dot := strings.LastIndexByte(name, '.')
	return name[:max(dot, 0)], name[dot+1:]
}

// grow returns the node of name, making it if need be.
func (n *node) grow(name string) *node {
	for name != "" {
		rest, label := lastLabel(name)
		next := n.children[label]
		if next == nil {
			next = &node{}
			if n.children == nil {
				n.children = map[string]*node{}
			}
			n.children[label] = next
		}
		n, name = next, rest
	}
	return n
}

// find returns the node of name, or nil.
func (n *node) find(name string) *node {
	for name != "" && n != nil {
		rest, label := lastLabel(name)
		n, name = n.children[label], rest
	}
	return n
}

// nearest returns the longest domain that is name or a parent of it.
func (n *node) nearest(name string) *holding {
	var best *holding
	for name != "" {
		rest, label := lastLabel(name)
		if n = n.children[label]; n == nil {
			break
		}
		if n.domain != nil {
			best = n.domain
		}
		name = rest
	}
	return best
}

// first returns the first value at or below n in the order of labels.
func (n *node) first() *holding {
	for n != nil {
		switch {
		case n.domain != nil:
			return n.domain
		case len(n.urls) > 0:
			return n.urls[0]
		}
		var next string
		for label := range n.children {
			if next == "" || label < next {
				next = label
			}
		}
		n = n.children[next]
	}
	return nil
}

func (n *node) empty() bool {
	return n.domain == nil && len(n.urls) == 0 && len(n.children) == 0
}

// drop changes the node of name and takes away what that leaves empty.
func (n *node) drop(name string, change func(*node)) {
	if name == "" {
		change(n)
		return
	}
	rest, label := lastLabel(name)
	child := n.children[label]
	if child == nil {
		return
	}
	child.drop(rest, change)
	if child.empty() {
		delete(n.children, label)
	}
}
