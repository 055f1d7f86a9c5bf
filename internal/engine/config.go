package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Apply puts a configuration in force: nodes that did not change keep running, the
// others are built new before anything is swapped. An error leaves everything as
// it was (SEMANTICS E11). with is written in the same commit: what else says which
// configuration is in force.
func (e *Engine) Apply(ctx context.Context, specs []NodeSpec, with ...store.Write) error {
	e.apply.Lock()
	defer e.apply.Unlock()
	next, steps, err := e.build(ctx, specs)
	if err != nil {
		return err
	}
	old := e.set.Load()
	stopped := e.stopNodes(old, steps)
	if err := e.adopt(ctx, next, steps, with); err != nil {
		err = errors.Join(err, e.reclaim(ctx, stopped))
		e.startNodes(stopped)
		return err
	}
	e.set.Store(next)
	e.startNodes(next.sorted())
	return nil
}

// reclaim makes nodes the writers of their names again after a failed Apply.
func (e *Engine) reclaim(ctx context.Context, nodes []*node) error {
	for _, n := range nodes {
		var err error
		if n.fence, err = e.Store.Acquire(ctx, "node/"+n.name()); err != nil {
			return fmt.Errorf("become the writer of node %s again: %w", n.name(), err)
		}
	}
	return nil
}

// sorted returns the nodes, inputs before readers.
func (s *nodeSet) sorted() []*node {
	var out []*node
	for _, name := range s.graph.Order() {
		out = append(out, s.nodes[name])
	}
	return out
}

// build makes the new set beside the one in force. Unchanged nodes are shared.
func (e *Engine) build(ctx context.Context, specs []NodeSpec) (*nodeSet, []graph.Step, error) {
	built := map[string]any{}
	infos := map[string]sdk.SourceInfo{}
	old := e.set.Load()
	gnodes := make([]graph.Node, len(specs))
	for i, s := range specs {
		instance, info, err := s.instance(old)
		if err != nil {
			return nil, nil, fmt.Errorf("build node %s: %w", s.Name, err)
		}
		if err := s.checkClock(); err != nil {
			return nil, nil, err
		}
		built[s.Name], infos[s.Name] = instance, info
		s.Origin = info.Origin
		gnodes[i] = s.Node
	}
	g, err := graph.New(gnodes)
	if err != nil {
		return nil, nil, err
	}
	past, err := e.past(ctx)
	if err != nil {
		return nil, nil, err
	}
	steps := graph.Plan(past, g)
	next := &nodeSet{graph: g, nodes: map[string]*node{}}
	action := map[string]graph.Action{}
	for _, s := range steps {
		action[s.Name] = s.Action
	}
	for _, s := range specs {
		if o := old.nodes[s.Name]; o != nil && action[s.Name] == graph.Keep {
			next.nodes[s.Name] = o
			continue
		}
		s.Origin = infos[s.Name].Origin
		next.nodes[s.Name] = e.newNode(s, built[s.Name], infos[s.Name], g.Guarding(s.Name))
	}
	return next, steps, nil
}

// checkClock refuses conditions whose outcome moves without a change: nothing
// would tell the readers (SEMANTICS E12). At a target they hold at plan time.
func (s *NodeSpec) checkClock() error {
	for _, k := range s.Keep {
		if s.Role != sdk.RoleTarget && k.Filter.UsesClock() {
			return fmt.Errorf("node %s: condition %q depends on the time of day or on last seen: use age rules instead", s.Name, k.Name)
		}
	}
	return nil
}

// instance builds what the specification describes, or takes the running one if
// nothing it depends on changed.
func (s *NodeSpec) instance(old *nodeSet) (any, sdk.SourceInfo, error) {
	if o := old.nodes[s.Name]; o != nil && o.spec.Fingerprint == s.Fingerprint && o.spec.Login == s.Login &&
		o.spec.Class == s.Class && o.spec.Role == s.Role {
		if o.source != nil {
			return o.source, o.info, nil
		}
		return o.proc, sdk.SourceInfo{}, nil
	}
	if s.Build == nil {
		if s.Role == sdk.RoleSource {
			return nil, sdk.SourceInfo{}, fmt.Errorf("a source needs Build")
		}
		return nil, sdk.SourceInfo{}, nil
	}
	v, err := s.Build()
	if err != nil {
		return nil, sdk.SourceInfo{}, err
	}
	if src, ok := v.(sdk.Source); ok && s.Role == sdk.RoleSource {
		return src, src.Info(), nil
	}
	if s.Role == sdk.RoleSource {
		return nil, sdk.SourceInfo{}, fmt.Errorf("%T is no source", v)
	}
	return v, sdk.SourceInfo{}, nil
}

func (e *Engine) newNode(s NodeSpec, instance any, info sdk.SourceInfo, guarding bool) *node {
	n := &node{
		eng: e, spec: s, info: info, guarding: guarding, wake: make(chan struct{}, 1),
		log: e.Log.With("node", s.Name, "class", s.Class),
	}
	n.source, _ = instance.(sdk.Source)
	n.proc, _ = instance.(sdk.Processor)
	n.set = s.Source.resolve(info, guarding)
	n.enrich = &enricher{spec: &n.spec}
	if n.isSource() {
		n.enrich.source, n.enrich.tlp = s.Name, n.set.TLP
	} else {
		n.enrich.tlp = indicator.Unlabelled
	}
	return n
}

// past is the graph the store's tables belong to: that of the last Apply, also of
// an earlier process.
func (e *Engine) past(ctx context.Context) (*graph.Graph, error) {
	v, err := e.Store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	var nodes []graph.Node
	prefix := docKey("")
	to := append(slices.Clone(prefix[:len(prefix)-1]), prefix[len(prefix)-1]+1)
	var names []string
	err = v.Scan(ctx, docSpace, store.Range{From: prefix, To: to}, func(key, _ []byte) error {
		names = append(names, string(key[len(prefix):]))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the nodes of the store: %w", err)
	}
	for _, name := range names {
		st, err := loadState(ctx, v, name)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, graph.Node{
			Name: name, Class: st.Class, Role: sdk.Role(st.Role), Inputs: st.Inputs, Allow: st.Allow,
			Protect: st.Protect, Fingerprint: st.Fingerprint, Login: st.Login, Origin: st.Origin,
		})
	}
	return graph.New(nodes)
}

// adopt writes what the plan means for the store, in one commit with the given writes,
// and gives the new nodes their state, dictionary and fence.
func (e *Engine) adopt(ctx context.Context, next *nodeSet, steps []graph.Step, with []store.Write) error {
	if err := e.claim(ctx, next, steps); err != nil {
		return err
	}
	v, err := e.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	c := &store.Commit{Writes: slices.Clone(with)}
	states := map[string]*state{}
	for _, s := range steps {
		if s.Action == graph.Remove {
			if err := e.forget(ctx, v, c, s.Name); err != nil {
				return err
			}
			continue
		}
		n := next.nodes[s.Name]
		if s.Action == graph.Keep && n.st.Load() != nil {
			continue
		}
		st, err := n.stateAfter(ctx, v, c, s.Action)
		if err != nil {
			return err
		}
		w, err := st.write(s.Name)
		if err != nil {
			return err
		}
		c.Writes = append(c.Writes, w)
		states[s.Name] = st
	}
	// Before the commit: after it nothing may fail, or the old nodes would go on.
	if err := e.tellReplaced(ctx, next, steps); err != nil {
		return err
	}
	if _, err := e.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("commit the configuration: %w", err)
	}
	for name, st := range states {
		next.nodes[name].st.Store(st)
	}
	return nil
}

// claim becomes the writer of every node that is new, changed or removed. It comes
// before their state is read: a poll by hand may be under way.
func (e *Engine) claim(ctx context.Context, next *nodeSet, steps []graph.Step) error {
	for _, s := range steps {
		n := next.nodes[s.Name]
		if n != nil && s.Action == graph.Keep && n.st.Load() != nil {
			continue
		}
		fence, err := e.Store.Acquire(ctx, "node/"+s.Name)
		if err != nil {
			return fmt.Errorf("become the writer of node %s: %w", s.Name, err)
		}
		if n != nil {
			n.fence = fence
		}
	}
	return nil
}

// tellReplaced ends what was wrong with what a source read before.
func (e *Engine) tellReplaced(ctx context.Context, next *nodeSet, steps []graph.Step) error {
	for _, s := range steps {
		if s.Action != graph.Replace {
			continue
		}
		if err := next.nodes[s.Name].clear(ctx, nodeConditions...); err != nil {
			return err
		}
	}
	return nil
}

// nodeConditions are the kinds a node raises; they go with it.
var nodeConditions = []string{
	"source_failing", "secret_refused", "role_missing", "source_frozen", "max_stale", "node_failing", "pieces_bound",
}

// forget drops all a removed node had.
func (e *Engine) forget(ctx context.Context, v store.View, c *store.Commit, name string) error {
	for _, space := range spaces(name) {
		c.Clear = append(c.Clear, store.SpaceRange{Space: space})
	}
	head, _, err := v.Head(ctx, "n/"+name)
	if err != nil {
		return err
	}
	c.Trims = append(c.Trims, store.Trim{Log: "n/" + name, UpTo: head})
	c.Writes = append(c.Writes, store.Write{Space: docSpace, Key: docKey(name), Delete: true})
	for _, kind := range nodeConditions {
		if err := e.Conditions.Clear(ctx, name, kind); err != nil {
			return err
		}
	}
	return nil
}

// stateAfter returns the state a node starts with under an action.
func (n *node) stateAfter(ctx context.Context, v store.View, c *store.Commit, action graph.Action) (*state, error) {
	st, err := loadState(ctx, v, n.name())
	if err != nil {
		return nil, err
	}
	if st == nil || st.Role != string(n.spec.Role) {
		if st != nil {
			if err := n.eng.forget(ctx, v, c, n.name()); err != nil {
				return nil, err
			}
			c.Writes = c.Writes[:len(c.Writes)-1] // the state is written anew
			if err := n.breakLog(ctx, v, c); err != nil {
				return nil, err
			}
		}
		st, action = &state{}, graph.Add
	}
	if err := n.loadDict(ctx, v); err != nil {
		return nil, err
	}
	st = st.clone()
	st.Poll.Applying = nil // an interrupted poll is discarded: the next one finds the rest
	n.describe(st, action)
	return st, nil
}

// breakLog lets the log end behind an entry nobody can read any more: whoever
// tails it reads the table, which is another one now.
func (n *node) breakLog(ctx context.Context, v store.View, c *store.Commit) error {
	head, _, err := v.Head(ctx, n.logName())
	if err != nil {
		return err
	}
	c.Appends = append(c.Appends, store.Append{Log: n.logName(), Keys: [][]byte{docKey(n.name())}})
	c.Trims = append(c.Trims, store.Trim{Log: n.logName(), UpTo: head + 1})
	return nil
}

// describe writes what the node is now into its state, and what has to be done
// because it was something else.
func (n *node) describe(st *state, action graph.Action) {
	if !n.isSource() && (action == graph.Add || action == graph.Replay || action == graph.Replace) {
		rb := &rebuild{Why: "the configuration changed"}
		for _, was := range st.Allow {
			if !slices.Contains(n.spec.Allow, was) && st.Rows > 0 {
				rb.Lifted = was
				st.Step.Lifting = append(st.Step.Lifting, was)
			}
		}
		for name := range st.Step.Cursors {
			if !slices.Contains(n.spec.Inputs, name) && !slices.Contains(n.spec.Allow, name) {
				delete(st.Step.Cursors, name)
			}
		}
		maps.DeleteFunc(st.Step.AllowReady, func(edge string, _ bool) bool { return !slices.Contains(n.spec.Allow, edge) })
		if rb.Lifted == "" && st.Step.Rebuild != nil {
			rb.Lifted = st.Step.Rebuild.Lifted
		}
		st.Step.Rebuild = rb
	}
	if n.isSource() {
		switch action {
		case graph.Replace:
			st.Poll.Judged, st.Poll.Frozen, st.Poll.Baseline, st.Poll.Next = false, nil, nil, nil
			st.Poll.AcceptID, st.Poll.Failures, st.Poll.RetryAt = "", 0, 0
			st.Poll.Rejudge, st.Poll.Moved = true, true
		case graph.Replay, graph.Rebuild:
			st.Poll.Rejudge, st.Poll.StaleDone = st.Rows > 0, false
			st.Poll.LastEnd, st.Poll.Failures, st.Poll.RetryAt = 0, 0, 0
		}
	}
	st.Role, st.Class, st.Origin = string(n.spec.Role), n.spec.Class, n.spec.Origin
	st.Fingerprint, st.Login, st.Guarding, st.Protect = n.spec.Fingerprint, n.spec.Login, n.guarding, n.spec.Protect
	st.Inputs, st.Allow = n.spec.Inputs, n.spec.Allow
}
