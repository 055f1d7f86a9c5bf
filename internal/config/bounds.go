package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// bounds checks the enum, min and max tags.
func (d *decoder) bounds(v *value, out reflect.Value, name string, tag reflect.StructTag) {
	if enum := tag.Get("enum"); enum != "" && out.Kind() == reflect.String {
		options := strings.Split(enum, ",")
		for _, o := range options {
			if o == out.String() {
				return
			}
		}
		help := diag.DidYouMean(out.String(), options)
		if help == "" {
			help = "it is one of " + strings.Join(options, ", ")
		}
		d.report.fail(v.pos, help, "%s cannot be %s", name, v.shown())
		return
	}
	have, ok := magnitude(reflect.Indirect(out))
	if !ok {
		return
	}
	if limit := tag.Get("min"); limit != "" && have < parseLimit(limit) {
		d.report.fail(v.pos, "", "%s is at least %s, not %s", name, limit, v.shown())
	}
	if limit := tag.Get("max"); limit != "" && have > parseLimit(limit) {
		d.report.fail(v.pos, "", "%s is at most %s, not %s", name, limit, v.shown())
	}
}

func magnitude(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// parseLimit reads the bound of a tag: a number, a duration or a size. A tag that
// is none of them is a mistake in the program.
func parseLimit(s string) float64 {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	if d, err := ParseDuration(s); err == nil {
		return float64(d)
	}
	var n sdk.Size
	if err := n.UnmarshalText([]byte(s)); err != nil {
		panic(fmt.Sprintf("config: limit %q in a struct tag: %v", s, err))
	}
	return float64(n)
}
