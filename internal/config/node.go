package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// nodeKeys are the engine keys of a node as they stand in a file.
type nodeKeys struct {
	Class      string       `yaml:"class" doc:"What the node is: a source, a processor or a destination."`
	Prototype  string       `yaml:"prototype" doc:"Ready-made node of the library to start from; keys given here win."`
	Inputs     []string     `yaml:"inputs" roles:"processor,feed,target" doc:"Nodes whose rows come in, in order."`
	Allow      []string     `yaml:"allow" roles:"processor,feed,target" doc:"Nodes whose rows, and all they cover, are let out of this one (allow-lists)."`
	Connection string       `yaml:"connection" roles:"source,processor,feed" doc:"Login under connections: that the node uses."`
	To         []tenantKeys `yaml:"to" roles:"target" doc:"Logins under connections:, one per tenant that is kept in step: names, or mappings with what differs for a tenant."`
	Config     *value       `yaml:"config" doc:"The keys of the class."`
	Keep       *value       `yaml:"keep" doc:"Named conditions in TQL; a row that one does not hold for is dropped with its name as the reason."`
	Compute    *value       `yaml:"compute" roles:"source" doc:"Attributes and the expressions that they are computed from."`
	Attributes *value       `yaml:"attributes" roles:"source" doc:"Constants that are set on every row."`
	Settings   `yaml:",inline"`
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

const nameHelp = "use up to 64 letters, digits, _ - and ."

// nodeBuilder builds the nodes; trees holds each node's YAML with its prototype
// merged in.
type nodeBuilder struct {
	*loader
	trees map[string]*value
	names []string
}

func (b *nodeBuilder) build(nodes *value) {
	for _, e := range nodes.keys {
		b.names = append(b.names, e.name)
	}
	for _, e := range nodes.keys {
		b.node(e)
	}
	for _, e := range nodes.keys {
		if n := b.cfg.Nodes[e.name]; n != nil {
			b.edges(n, b.trees[e.name])
			b.logins(n, b.trees[e.name])
		}
	}
	b.order(nodes)
}

func (b *nodeBuilder) node(e entry) {
	if !nodeName.MatchString(e.name) {
		b.report.fail(e.pos, nameHelp, "%q cannot be the name of a node", e.name)
	}
	where := "node " + e.name
	if e.val.kind == null {
		b.report.fail(e.pos, "give it a class", "%s is empty", where)
		return
	}
	if !b.decode.wants(e.val, mapping, where) {
		return
	}
	tree := b.withPrototype(e.val, where)
	keys := nodeKeys{Settings: defaultSettings()}
	b.decode.structure(tree, reflect.ValueOf(&keys).Elem(), where)
	n := &Node{
		Name: e.name, Class: keys.Class, Prototype: keys.Prototype, Inputs: keys.Inputs, Allow: keys.Allow,
		Connection: keys.Connection, Settings: keys.Settings, Pos: e.pos, Keys: map[string]Pos{},
	}
	for _, k := range tree.keys {
		n.Keys[k.name] = k.pos
	}
	b.cfg.Nodes[e.name], b.trees[e.name] = n, tree
	for i := range keys.To {
		n.To = append(n.To, keys.To[i].Connection)
	}
	b.conditions(n, keys.Keep)
	b.computed(n, keys.Compute)
	b.constants(n, keys.Attributes)
	class, ok := b.classes[keys.Class]
	if !ok {
		b.unknownClass(tree, e.pos, where)
		return
	}
	n.ClassInfo = class
	b.roles(n, tree)
	before := b.report.errors()
	b.classConfig(n, keys.Config)
	sound := b.report.errors() == before
	n.defaultsFor(class.Role)
	b.exposure(n)
	b.tenants(n, &keys, tree, sound)
}

// exposure checks who can read what the node gives out (SEMANTICS F: red nowhere,
// open feeds green).
func (b *nodeBuilder) exposure(n *Node) {
	at := n.Keys["max_tlp"]
	switch {
	case n.MaxTLP == indicator.Red:
		b.report.fail(at, "amber+strict is the highest", "max_tlp of %s cannot be red: what is red leaves nowhere", n.Name)
	case n.ClassInfo.Role != sdk.RoleFeed:
	case len(n.Tags) == 0 && n.MaxTLP > indicator.Green:
		b.report.add(diag.Warning, at, "give it tags:, so that a login is needed", "%s is open and gives out rows up to TLP %s", n.Name, n.MaxTLP)
	case len(n.Tags) > 0 && !b.anyUser(n.Tags):
		b.report.add(diag.Warning, n.Keys["tags"], "add one under web.users", "no feed user has a tag of %s: nobody can read it", n.Name)
	}
}

func (b *nodeBuilder) anyUser(tags []string) bool {
	return slices.ContainsFunc(b.cfg.Web.Users, func(u User) bool {
		return slices.ContainsFunc(u.Tags, func(t string) bool { return slices.Contains(tags, t) })
	})
}

func (b *nodeBuilder) unknownClass(tree *value, at Pos, where string) {
	var names []string
	for n := range b.classes {
		names = append(names, n)
	}
	slices.Sort(names)
	help := "classes are " + strings.Join(names, ", ")
	given := tree.get("class")
	if given == nil || given.kind == null {
		if tree.get("prototype") == nil { // else it is the prototype that is wrong
			b.report.fail(at, help, `%s needs "class" or "prototype"`, where)
		} else if b.report.errors() == 0 {
			b.report.fail(at, help, "%s and its prototype name no class", where)
		}
		return
	}
	if given.kind != scalar || given.broken {
		return
	}
	if s := diag.DidYouMean(given.text, names); s != "" {
		help = s
	}
	b.report.fail(given.pos, help, "unknown class %s", given.shown())
}

// roles refuses keys that mean nothing for the node's role.
func (b *nodeBuilder) roles(n *Node, tree *value) {
	role := string(n.ClassInfo.Role)
	for _, f := range structFields(reflect.TypeFor[nodeKeys]()) {
		allowed := f.tag.Get("roles")
		if allowed == "" || tree.get(f.name) == nil || slices.Contains(strings.Split(allowed, ","), role) {
			continue
		}
		help := "it is for " + strings.ReplaceAll(allowed, ",", ", ") + " nodes"
		if f.name == "connection" && n.ClassInfo.Role == sdk.RoleTarget {
			help = "write to: [" + n.Connection + "]"
		}
		b.report.fail(n.Keys[f.name], help, "%q has no meaning for %s, a %s (%s)", f.name, n.Name, role, n.Class)
	}
}

func (b *nodeBuilder) classConfig(n *Node, v *value) {
	n.Config = n.ClassInfo.NewConfig()
	if v == nil || v.kind == null {
		v = &value{kind: mapping, pos: n.Pos}
	}
	if b.decode.wants(v, mapping, "config") {
		b.configStruct(v, n.Config, "config of class "+n.Class)
	}
}

// defaultsFor fills what depends on the role (SEMANTICS F, TLP ceiling).
func (n *Node) defaultsFor(role sdk.Role) {
	if role == sdk.RoleFeed && n.MaxTLP == indicator.Unlabelled {
		n.MaxTLP = indicator.Green
		if len(n.Tags) > 0 {
			n.MaxTLP = indicator.AmberStrict
		}
	}
}
