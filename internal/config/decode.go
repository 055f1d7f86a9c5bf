package config

import (
	"encoding"
	"reflect"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// decoder lays YAML over Go structs by their yaml tags and reports everything
// that does not fit where it stands. Further tags: required:"true", enum:"a,b",
// min:"1", max:"100" (numbers, durations, sizes).
type decoder struct {
	report *report
	masks  *masker
	// confidential is set where a secret stands in the file itself.
	confidential *bool
}

// structField is one key of a config struct.
type structField struct {
	name  string
	index []int
	tag   reflect.StructTag
	typ   reflect.Type
}

// structFields lists the keys of t, inlined structs' included.
func structFields(t reflect.Type) []structField {
	var out []structField
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case opts == "inline" || f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, sub := range structFields(f.Type) {
				sub.index = append([]int{i}, sub.index...)
				out = append(out, sub)
			}
		default:
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			out = append(out, structField{name: name, index: []int{i}, tag: f.Tag, typ: f.Type})
		}
	}
	return out
}

// structure decodes a mapping into the struct out; where names what it is.
func (d *decoder) structure(v *value, out reflect.Value, where string) {
	fields := structFields(out.Type())
	known := map[string]*structField{}
	names := make([]string, 0, len(fields))
	for i, f := range fields {
		known[f.name] = &fields[i]
		names = append(names, f.name)
	}
	for _, e := range v.keys {
		f := known[e.name]
		if f == nil {
			d.unknown(e, names, where)
			continue
		}
		d.field(e.val, out.FieldByIndex(f.index), f.name, f.tag)
	}
	for _, f := range fields {
		d.required(v, f, out, where)
	}
}

func (d *decoder) unknown(e entry, names []string, where string) {
	help := diag.DidYouMean(e.name, names)
	if help == "" {
		help = "keys are " + strings.Join(names, ", ")
		if len(names) == 0 {
			help = "there are no keys here"
		}
	}
	d.report.fail(e.pos, help, "unknown key %q in %s", e.name, where)
}

func (d *decoder) required(v *value, f structField, out reflect.Value, where string) {
	if f.tag.Get("required") != "true" || !out.FieldByIndex(f.index).IsZero() {
		return
	}
	given := v.get(f.name)
	switch {
	case given == nil:
		d.report.fail(v.pos, f.tag.Get("doc"), "%s needs %q", where, f.name)
	case given.kind == null || given.kind == scalar && given.text == "" && !given.broken:
		d.report.fail(v.keyPos(f.name), f.tag.Get("doc"), "%q is empty", f.name)
	}
}

// field decodes one value and checks its bounds.
func (d *decoder) field(v *value, out reflect.Value, name string, tag reflect.StructTag) {
	if v.broken || v.kind == null && out.Type() != treeType {
		return // reported already, or not given: the default stays
	}
	before := d.report.errors()
	d.into(v, out, name)
	if d.report.errors() == before {
		d.bounds(v, out, name, tag)
	}
}

var (
	treeType     = reflect.TypeFor[*value]()
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	secretType   = reflect.TypeFor[sdk.Secret]()
	sizeType     = reflect.TypeFor[sdk.Size]()
	tlpType      = reflect.TypeFor[indicator.TLP]()
	kindType     = reflect.TypeFor[indicator.Kind]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// into decodes v by the type of out.
func (d *decoder) into(v *value, out reflect.Value, name string) {
	t := out.Type()
	switch {
	case t == treeType:
		out.Set(reflect.ValueOf(v))
	case t.Kind() == reflect.Pointer:
		p := reflect.New(t.Elem())
		if !out.IsNil() {
			p.Elem().Set(out.Elem())
		}
		d.into(v, p.Elem(), name)
		out.Set(p)
	case isScalarType(t) || v.kind == scalar && reflect.PointerTo(t).Implements(textType):
		d.scalar(v, out, name)
	case t.Kind() == reflect.Struct:
		if d.wants(v, mapping, name) {
			d.structure(v, out, name)
		}
	case t.Kind() == reflect.Slice:
		d.slice(v, out, name)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		d.mapping(v, out, name)
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		if x := plainValue(v); x != nil {
			out.Set(reflect.ValueOf(x))
		}
	default:
		d.report.fail(v.pos, "", "%s cannot be set in a file (its type is %s)", name, t)
	}
}

// isScalarType tells the types that are written as one word.
func isScalarType(t reflect.Type) bool {
	switch t {
	case durationType, timeType, secretType, sizeType, tlpType, kindType:
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

func (d *decoder) wants(v *value, k kind, name string) bool {
	if v.kind == k {
		return true
	}
	if v.kind == null {
		d.report.fail(v.pos, "", "%s is empty: it takes %s", name, k)
		return false
	}
	d.report.fail(v.pos, "", "%s takes %s, not %s", name, k, v.kind)
	return false
}

// slice decodes a list; a single value stands for a list of one.
func (d *decoder) slice(v *value, out reflect.Value, name string) {
	items := v.items
	switch {
	case v.kind == scalar && (isScalarType(out.Type().Elem()) || reflect.PointerTo(out.Type().Elem()).Implements(textType)):
		items = []*value{v}
	case !d.wants(v, list, name):
		return
	}
	s := reflect.MakeSlice(out.Type(), len(items), len(items))
	for i, item := range items {
		if item.kind == null {
			d.report.fail(item.pos, "remove it or give it a value", "an item of %s is empty", name)
			continue
		}
		d.field(item, s.Index(i), "an item of "+name, "")
	}
	out.Set(s)
}

// mapping decodes a map by name over what the default has.
func (d *decoder) mapping(v *value, out reflect.Value, name string) {
	if !d.wants(v, mapping, name) {
		return
	}
	m := reflect.MakeMapWithSize(out.Type(), len(v.keys))
	for it := out.MapRange(); it.Next(); {
		m.SetMapIndex(it.Key(), it.Value())
	}
	for _, e := range v.keys {
		item := reflect.New(out.Type().Elem()).Elem()
		d.field(e.val, item, name+"."+e.name, "")
		m.SetMapIndex(reflect.ValueOf(e.name).Convert(out.Type().Key()), item)
	}
	out.Set(m)
}
