package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Field is one key of a config struct, for the reference.
type Field struct {
	Path     string // with dots: guard.deletes.share; [] stands for list items
	Type     string // in words
	Default  string // as it would be written, "" if there is none
	Doc      string
	Enum     []string
	Roles    []string // of engine keys: the roles it is for, empty for all
	Required bool
	Absent   bool // not giving it means something that no value does
	Secret   bool
}

// Fields lists the keys of a config struct type, those of nested structs after
// their parent's. Defaults are the zero values' and not shown.
func Fields(t reflect.Type) []Field {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return fields(reflect.Zero(t), "", 0)
}

// FieldsOf lists the keys of a config with the values in it as defaults; cfg is
// what a class's NewConfig returns.
func FieldsOf(cfg any) []Field { return fields(reflect.Indirect(reflect.ValueOf(cfg)), "", 0) }

// NodeFields lists the engine keys of a node with their defaults.
func NodeFields() []Field { return FieldsOf(nodeKeys{Settings: defaultSettings()}) }

// ProtectFields and WebFields list the keys of protect: and web:.
func ProtectFields() []Field { return FieldsOf(defaultProtect()) }

// JobFields are the keys of a job.
func JobFields() []Field { return FieldsOf(jobKeys{Overlap: "skip"}) }

// NotifyFields are the keys of a route to people.
func NotifyFields() []Field { return FieldsOf(routeKeys{Runs: "failed"}) }

// WebFields lists the keys of web:.
func WebFields() []Field { return FieldsOf(defaultWeb()) }

// maxFieldDepth ends types that contain themselves.
const maxFieldDepth = 6

func fields(v reflect.Value, prefix string, depth int) []Field {
	if v.Kind() != reflect.Struct || depth > maxFieldDepth {
		return nil
	}
	var out []Field
	for _, f := range structFields(v.Type()) {
		val := v.FieldByIndex(f.index)
		out = append(out, Field{
			Path: prefix + f.name, Type: typeWord(f.typ), Default: defaultText(val), Doc: f.tag.Get("doc"),
			Enum: splitList(f.tag.Get("enum")), Roles: splitList(f.tag.Get("roles")),
			Required: f.tag.Get("required") == "true", Absent: f.typ.Kind() == reflect.Pointer && val.IsNil(), Secret: f.typ == reflect.TypeFor[sdk.Secret](),
		})
		out = append(out, nestedFields(val, f, prefix+f.name, depth+1)...)
	}
	return out
}

func nestedFields(val reflect.Value, f structField, path string, depth int) []Field {
	t := f.typ
	if isScalarType(t) || t == treeType {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return fields(val, path+".", depth)
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct && !reflect.PointerTo(t.Elem()).Implements(textType) {
			return fields(reflect.Zero(t.Elem()), path+".", depth)
		}
	case reflect.Slice:
		return itemFields(t.Elem(), path+"[].", depth)
	case reflect.Map:
		return itemFields(t.Elem(), path+".NAME.", depth)
	}
	return nil
}

func itemFields(t reflect.Type, prefix string, depth int) []Field {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isScalarType(t) {
		return nil
	}
	return fields(reflect.Zero(t), prefix, depth)
}

// defaultText writes a default as a person would; structs show theirs per key.
func defaultText(v reflect.Value) string {
	if v.IsZero() || v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
		return ""
	}
	switch x := (exporter{masks: &masker{}}).value(v).(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(x))
		for i, p := range x {
			parts[i] = fmt.Sprint(p)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return fmt.Sprint(x)
	}
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
