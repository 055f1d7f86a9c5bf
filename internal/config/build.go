package config

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// sections are the top-level keys in the order of the documentation.
var sections = []string{"instance", "connections", "protect", "web", "nodes", "jobs", "notify"}

// unsupported are keys of the design that this version does not know yet.
var unsupported = map[string]string{
	"playbooks": "remove it: playbooks come with a later version",
}

// merge lays the documents of all files together; a name that is given twice is
// an error that names both places.
func (l *loader) merge(docs []*value) *value {
	if len(docs) == 0 {
		if l.report.errors() == 0 {
			l.report.fail(Pos{}, "start with nodes:", "the configuration is empty")
		}
		return nil
	}
	root := &value{kind: mapping, pos: docs[0].pos}
	for _, doc := range docs {
		if doc.kind != mapping {
			l.report.fail(doc.pos, "a configuration starts with nodes:", "a document must be a mapping, not %s", doc.kind)
			continue
		}
		for _, e := range doc.keys {
			l.mergeSection(root, e)
		}
	}
	return root
}

func (l *loader) mergeSection(root *value, e entry) {
	have := root.get(e.name)
	switch {
	case have == nil:
		copied := *e.val
		copied.keys = slices.Clone(copied.keys)
		root.keys = append(root.keys, entry{e.name, e.pos, &copied})
	case have.kind == null:
		*have = *e.val
	case e.val.kind == null:
	case have.kind != mapping || e.val.kind != mapping:
		l.twice(e.name, e.pos, root.keyPos(e.name))
	default:
		places := make(map[string]Pos, len(have.keys))
		for _, sub := range have.keys {
			places[sub.name] = sub.pos
		}
		for _, sub := range e.val.keys {
			if first, again := places[sub.name]; again {
				l.twice(e.name+"."+sub.name, sub.pos, first)
				continue
			}
			have.keys = append(have.keys, sub)
		}
	}
}

func (l *loader) twice(name string, again, first Pos) {
	l.report.fail(again, "remove one of them", "%s is given twice, first at %s", name, first)
}

// String prints file:line:col.
func (p Pos) String() string { return diag.Diagnostic{File: p.File, Line: p.Line, Col: p.Col}.Place() }

// build turns the merged tree into the configuration.
func (l *loader) build(root *value) {
	for _, e := range root.keys {
		if help := unsupported[e.name]; help != "" {
			l.report.fail(e.pos, help, "%s: is not supported by this version", e.name)
		} else if !slices.Contains(sections, e.name) {
			l.decode.unknown(e, sections, "the configuration")
		}
	}
	l.instance(root.get("instance"))
	if v := root.get("connections"); l.isMapping(v, "connections") {
		for _, e := range v.keys {
			l.connection(e)
		}
	}
	if v := root.get("protect"); l.isMapping(v, "protect") {
		l.decode.structure(v, reflect.ValueOf(&l.cfg.Protect).Elem(), "protect")
	}
	l.web(root.get("web"))
	b := nodeBuilder{loader: l, trees: map[string]*value{}}
	if v := l.jobs(root.get("jobs"), root.get("nodes")); l.isMapping(v, "nodes") {
		b.build(v)
	}
	b.jobNodes(root.get("jobs"))
	l.notify(root.get("notify"))
	l.toldOf(root.get("notify"))
	l.protected(root.get("protect"), &b)
	for _, c := range l.cfg.Connections {
		if c != nil {
			l.protectedLists(c.Protect, c.protectAt, &b)
		}
	}
	if len(l.cfg.Nodes) == 0 && root.get("nodes") == nil && l.report.errors() == 0 {
		l.report.add(diag.Warning, root.pos, "", "there are no nodes: nothing will be done")
	}
}

func (l *loader) isMapping(v *value, name string) bool {
	return v != nil && v.kind != null && l.decode.wants(v, mapping, name)
}

var instanceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)

func (l *loader) instance(v *value) {
	if v == nil || v.kind == null || v.broken {
		return
	}
	before := l.report.errors()
	l.decode.into(v, reflect.ValueOf(&l.cfg.Instance).Elem(), "instance")
	if l.report.errors() == before && !instanceName.MatchString(l.cfg.Instance) {
		l.report.fail(v.pos, "use up to 40 letters, digits, - and _", "instance cannot be %s", v.shown())
	}
}

// connection decodes one login.
func (l *loader) connection(e entry) {
	where := "connection " + e.name
	if !nodeName.MatchString(e.name) {
		l.report.fail(e.pos, nameHelp, "%q cannot be the name of a connection", e.name)
	}
	l.cfg.Connections[e.name] = nil // known by name even if wrong, so that naming it is no second error
	if !l.decode.wants(e.val, mapping, where) {
		return
	}
	var head struct {
		Type    string
		Expires time.Time
		Protect []string
	}
	var protect *value
	rest := &value{kind: mapping, pos: e.pos}
	for _, k := range e.val.keys {
		switch k.name {
		case "type":
			l.decode.field(k.val, reflect.ValueOf(&head.Type).Elem(), "type", "")
		case "expires":
			l.decode.field(k.val, reflect.ValueOf(&head.Expires).Elem(), "expires", "")
		case "protect":
			protect = k.val
			l.decode.field(k.val, reflect.ValueOf(&head.Protect).Elem(), "protect", "")
		default:
			rest.keys = append(rest.keys, k)
		}
	}
	t, ok := l.types[head.Type]
	if !ok {
		l.unknownType(e, head.Type, where)
		return
	}
	cfg := t.NewConfig()
	if l.configStruct(rest, cfg, where) {
		l.cfg.Connections[e.name] = &Connection{Name: e.name, Type: t.Name, Config: cfg, Expires: head.Expires,
			Protect: head.Protect, Pos: e.pos, protectAt: protect}
	}
}

func (l *loader) unknownType(e entry, name, where string) {
	var names []string
	for n := range l.types {
		names = append(names, n)
	}
	slices.Sort(names)
	help := diag.DidYouMean(name, names)
	if help == "" {
		help = "types are " + strings.Join(names, ", ")
	}
	given := e.val.get("type")
	switch {
	case given == nil || given.kind == null:
		l.report.fail(e.pos, help, `%s needs "type"`, where)
	case !given.broken && given.kind == scalar:
		l.report.fail(given.pos, help, "unknown connection type %s", given.shown())
	}
}

// configStruct decodes a class's or a connection's config and lets it check
// itself. It tells whether all went well.
func (l *loader) configStruct(v *value, cfg any, where string) bool {
	out := reflect.ValueOf(cfg).Elem()
	before := l.report.errors()
	switch {
	case out.Kind() == reflect.Struct:
		l.decode.structure(v, out, where)
	case len(v.keys) > 0:
		l.report.fail(v.pos, "remove it", "%s takes no config", where)
	}
	if l.report.errors() > before || v.anyBroken() {
		return false // what follows from a wrong value need not be said
	}
	validator, ok := cfg.(sdk.Validator)
	if !ok {
		return true
	}
	for _, err := range validator.Validate() {
		l.invalid(v, err, where)
	}
	return l.report.errors() == before
}

// invalid shows what Validate found, at the place of its path.
func (l *loader) invalid(v *value, err error, where string) {
	var fe *sdk.FieldError
	if !errors.As(err, &fe) {
		l.report.fail(v.pos, "", "%s: %v", where, err)
		return
	}
	at := v
	pos := v.pos
	for _, part := range strings.Split(fe.Path, ".") {
		next, place := at.child(part)
		if next == nil {
			break
		}
		at, pos = next, place
	}
	l.report.fail(pos, fe.Help, "%s: %s", fe.Path, fe.Msg)
}

// anyBroken tells whether a reference failed in v or below.
func (v *value) anyBroken() bool {
	return v.broken || slices.ContainsFunc(v.items, (*value).anyBroken) ||
		slices.ContainsFunc(v.keys, func(e entry) bool { return e.val.anyBroken() })
}

// child returns a key's value, or an item by its number, and where it starts.
func (v *value) child(part string) (*value, Pos) {
	if v.kind == list {
		if i, ok := smallNumber(part); ok && i < len(v.items) {
			return v.items[i], v.items[i].pos
		}
		return nil, Pos{}
	}
	c := v.get(part)
	if c == nil {
		return nil, Pos{}
	}
	if c.kind == scalar {
		return c, c.pos
	}
	return c, v.keyPos(part)
}

func smallNumber(s string) (int, bool) {
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' || n > 1e6 {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, s != ""
}
