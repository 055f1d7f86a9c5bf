package tql

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/diag"
)

// V3Indicators is the schema of ThreatConnect's indicators: the parameters of
// GET /v3/indicators over the objects it answers. Its subject is an *Object. Only
// active indicators match, as there, unless the query names indicatorActive; an
// object that does not say is taken as active.
//
// A field an object does not have is unknown; a collection it does not have is
// empty, because that is how ThreatConnect writes an empty one.
var V3Indicators = v3Schemas().indicators

// v3Tables are the tables of parameters, which refer to each other.
type v3Tables struct {
	indicators, groups, commonGroups, profiles, tags, labels, attributes *Schema
	cases, artefacts, requirements, victims, assets                      *Schema
}

func v3Schemas() *v3Tables {
	t := &v3Tables{
		indicators: NewSchema(), groups: NewSchema(), commonGroups: NewSchema(), profiles: NewSchema(),
		tags: NewSchema(), labels: NewSchema(), attributes: NewSchema(), cases: NewSchema(), artefacts: NewSchema(),
		requirements: NewSchema(), victims: NewSchema(), assets: NewSchema(),
	}
	t.addIndicators()
	t.addGroups(t.groups)
	t.addGroups(t.commonGroups)
	t.addCommonGroups()
	t.addTags()
	t.addLabels()
	t.addAttributes()
	t.addCases()
	t.addVictims()
	return t
}

// field is one row of a table of plain fields: a parameter and the keys under which
// an object may have its value; the last is the parameter's own name.
type field struct {
	name string
	typ  Type
	keys string // separated by blanks; a key with a blank in it is not among these
	doc  string
	from string // fields= that brings it
}

// addFields adds plain fields to a schema.
func (s *Schema) addFields(rows []field) {
	for _, r := range rows {
		s.Add(r.param())
	}
}

func (r field) param() Param {
	keys := strings.Fields(r.keys)
	if !slices.Contains(keys, r.name) {
		keys = append(keys, r.name)
	}
	p := Param{Name: r.name, Type: r.typ, Doc: r.doc, Field: r.from}
	p.read(func(s any) *Object { return object(s) }, keys)
	return p
}

// read sets the accessor that looks under keys of the object that of finds.
func (p *Param) read(of func(any) *Object, keys []string) {
	switch p.Type {
	case Number:
		p.Number = func(s any) (float64, bool) {
			if o := of(s); o != nil {
				return o.Number(keys...)
			}
			return 0, false
		}
	case Bool:
		p.Bool = func(s any) (value, known bool) {
			if o := of(s); o != nil {
				return o.boolean(keys)
			}
			return false, false
		}
	case Date:
		p.Date = func(s any) (at time.Time) {
			if o := of(s); o != nil {
				at = o.date(keys)
			}
			return at
		}
	default:
		p.Text = func(s any) (string, bool) {
			if o := of(s); o != nil {
				return o.Text(keys...)
			}
			return "", false
		}
	}
}

// collection is a nested table over a list of an object.
func collection(name string, schema *Schema, key, doc string) Sub {
	return Sub{
		Name: name, Schema: schema, Doc: doc, Field: key,
		Len: func(s any) int { return len(object(s).lists[key]) },
		At:  func(s any, i int) any { return object(s).lists[key][i] },
	}
}

// reported is a nested table over a list that no documented answer has: unknown
// where it is not there.
func reported(name string, schema *Schema, key, doc string) Sub {
	sub := collection(name, schema, key, doc)
	sub.Field = ""
	sub.Known = func(s any) bool { _, ok := object(s).fields[key]; return ok }
	return sub
}

// associated is a list of a nested object that comes only where it was asked for.
func associated(name string, schema *Schema, key, doc string) Sub {
	sub := reported(name, schema, key, doc)
	sub.Field = key
	return sub
}

// filtered is a collection's part, for parameters that look at some of its things.
func filtered(key string, keep func(*Object) bool) *Sub {
	return &Sub{
		Len: func(s any) (n int) {
			for _, o := range object(s).lists[key] {
				if keep(o) {
					n++
				}
			}
			return n
		},
		At: func(s any, i int) any {
			for _, o := range object(s).lists[key] {
				if keep(o) {
					if i == 0 {
						return o
					}
					i--
				}
			}
			return nil
		},
	}
}

// each is a many-valued parameter: one field of each thing of a collection.
func each(r field, of Sub, aliases ...string) (Param, []string) {
	p := r.param()
	p.Each, p.Field = &of, of.Field
	return p, aliases
}

func (s *Schema) addEach(r field, of Sub, aliases ...string) {
	p, aliases := each(r, of, aliases...)
	s.Add(p, aliases...)
}

// groupTypes are the types of ThreatConnect's groups, which no indicator has.
var groupTypes = []string{
	"Adversary", "Attack Pattern", "Campaign", "Course of Action", "Document", "Email", "Event", "Incident",
	"Intrusion Set", "Malware", "Report", "Signature", "Tactic", "Task", "Threat", "Tool", "Vulnerability",
}

// knownNames makes a Param.Canonical for names that an instance may add to: blanks
// and case are free, a name that is not known is warned of.
func knownNames(param, what string, names, others []string, whatOthers string) func(string) (string, string) {
	squeeze := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	return func(text string) (string, string) {
		for _, name := range names {
			if squeeze(name) == squeeze(text) {
				return name, ""
			}
		}
		for _, name := range others {
			if squeeze(name) == squeeze(text) {
				return text, fmt.Sprintf("%s %q is %s: no %s has it", param, text, whatOthers, what)
			}
		}
		warning := fmt.Sprintf("%s %q is not one ThreatConnect comes with: it matches only where an instance has added it", param, text)
		if s := diag.Suggest(text, names); s != "" {
			warning += fmt.Sprintf("; did you mean %q?", s)
		}
		return text, warning
	}
}
