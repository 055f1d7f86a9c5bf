package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// plainValue converts a tree for fields of any type.
func plainValue(v *value) any {
	switch v.kind {
	case list:
		out := make([]any, 0, len(v.items))
		for _, item := range v.items {
			out = append(out, plainValue(item))
		}
		return out
	case mapping:
		out := make(map[string]any, len(v.keys))
		for _, e := range v.keys {
			out[e.name] = plainValue(e.val)
		}
		return out
	case null:
		return nil
	}
	return plainScalar(v)
}

func plainScalar(v *value) any {
	if v.refs || v.quoted {
		return v.text
	}
	switch v.tag {
	case "!!int":
		// 007 stays text: it is an id, and octal to nobody.
		if n, err := parseInt(v.text); err == nil && (v.text == "0" || strings.Trim(v.text, "+-")[0] != '0') {
			return n
		}
	case "!!float":
		if f, err := strconv.ParseFloat(v.text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	case "!!bool":
		if b, ok := booleans[strings.ToLower(v.text)]; ok {
			return b
		}
	}
	return v.text
}

// typeWord says in words what a field takes.
func typeWord(t reflect.Type) string {
	if w, ok := typeWords[t]; ok {
		return w
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	case reflect.Pointer:
		return typeWord(t.Elem())
	case reflect.Interface:
		return "anything"
	}
	return "a whole number"
}

var typeWords = map[reflect.Type]string{
	durationType: "a duration", timeType: "a date", secretType: "a secret", sizeType: "a size",
	tlpType: "a TLP", kindType: "a kind of indicator", reflect.TypeFor[Share](): "a share", treeType: "a mapping",
}
