package config

import (
	"encoding"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/diag"
)

// shown is how a value may be named in a finding: as written, so that what a
// reference brought in stays hidden.
func (v *value) shown() string { return strconv.Quote(v.raw) }

// errShape says that a scalar has the wrong form; help says what is right.
type errShape struct{ want, help string }

func (e *errShape) Error() string { return e.want }

// scalar decodes one word by the type of out.
func (d *decoder) scalar(v *value, out reflect.Value, name string) {
	if v.kind != scalar {
		d.report.fail(v.pos, "", "%s takes %s, not %s", name, typeWord(out.Type()), v.kind)
		return
	}
	if out.Type() == secretType {
		d.secret(v, out, name)
		return
	}
	err := setScalar(v, out)
	var shape *errShape
	switch {
	case err == nil:
	case errors.As(err, &shape):
		d.report.fail(v.pos, shape.help, "%s takes %s, not %s", name, shape.want, v.shown())
	case v.refs:
		d.report.fail(v.pos, "takes "+typeWord(out.Type()), "%s: what %s brought in does not fit", name, v.shown())
	default:
		d.report.fail(v.pos, "", "%s: %v", name, err)
	}
}

// secret takes a reference; a literal works and is warned of, and so does one beside a
// reference.
func (d *decoder) secret(v *value, out reflect.Value, name string) {
	out.SetString(v.text)
	if !confidential(name) {
		return
	}
	const help = "write ${env:NAME}, ${file:PATH} or ${secret:NAME}"
	open := v.literal()
	for _, piece := range open {
		d.masks.add(piece)
	}
	switch {
	case len(open) == 0, isHash(v.text), v.refs && publicPart.MatchString(strings.TrimSpace(strings.Join(open, ""))):
		return
	case v.refs:
		d.report.add(diag.Warning, v.pos, help+", and nothing beside it: the whole secret belongs behind the reference",
			"%s is confidential, and a part of it stands in the file", name)
	default:
		d.report.add(diag.Warning, v.pos, help, "%s is confidential and stands in the file", name)
	}
	*d.confidential = true
}

// publicPart is what may stand in the file beside a reference: the scheme of a header, or
// a URL as far as its host.
var publicPart = regexp.MustCompile(`(?i)^(?:bearer|basic|token|apikey|https?://[^/\s@?#]+/?)$`)

// literal returns what of a scalar is not brought in by references.
func (v *value) literal() []string {
	if !v.refs {
		return slices.DeleteFunc([]string{v.text}, func(s string) bool { return s == "" })
	}
	var out []string
	at := 0
	for _, loc := range append(reference.FindAllStringIndex(v.raw, -1), []int{len(v.raw), len(v.raw)}) {
		if piece := v.raw[at:loc[0]]; strings.TrimSpace(piece) != "" {
			out = append(out, piece)
		}
		at = loc[1]
	}
	return out
}

// confidential tells whether a literal is worth a warning. Entries of a map
// (headers, parameters) are secret by type, but mostly plain.
func confidential(name string) bool {
	_, key, entry := strings.Cut(name, ".")
	return !entry || confidentialName.MatchString(key)
}

var confidentialName = regexp.MustCompile(`(?i)auth|secret|token|passw|credential|cookie|key`)

// isHash tells a password hash, which may stand in a file.
func isHash(s string) bool {
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$", "$argon2id$"} {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func setScalar(v *value, out reflect.Value) error {
	switch p := out.Addr().Interface().(type) {
	case *time.Duration:
		return assign(p)(ParseDuration(v.text))
	case *time.Time:
		return assign(p)(parseTime(v.text))
	case *indicator.TLP:
		return assign(p)(parseTLP(v.text))
	case *indicator.Kind:
		return assign(p)(parseKind(v.text))
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(v.text))
	}
	switch out.Kind() {
	case reflect.String:
		out.SetString(v.text)
		return nil
	case reflect.Bool:
		return setBool(v, out)
	default:
		return setNumber(v, out)
	}
}

// assign stores a parsed value if there was no error.
func assign[T any](p *T) func(T, error) error {
	return func(x T, err error) error {
		if err == nil {
			*p = x
		}
		return err
	}
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &errShape{"a date", "as 2027-05-01 or 2027-05-01T12:00:00Z"}
}

func parseTLP(s string) (indicator.TLP, error) {
	t, ok := indicator.ParseTLP(s)
	if !ok || t == indicator.Unlabelled {
		names := []string{"clear", "green", "amber", "amber+strict", "red"}
		help := diag.DidYouMean(s, names)
		return t, &errShape{"a TLP (" + strings.Join(names, ", ") + ")", help}
	}
	return t, nil
}

func parseKind(s string) (indicator.Kind, error) {
	k, ok := indicator.ParseKind(s)
	if ok {
		return k, nil
	}
	names := []string{"ip", "hash"}
	for _, known := range indicator.Kinds() {
		names = append(names, known.String())
	}
	help := diag.DidYouMean(s, names)
	if help == "" {
		help = "kinds are " + strings.Join(names, ", ")
	}
	return k, &errShape{"a kind of indicator", help}
}

// booleans are those of YAML 1.2 and 1.1.
var booleans = map[string]bool{
	"true": true, "yes": true, "on": true, "false": false, "no": false, "off": false,
}

func setBool(v *value, out reflect.Value) error {
	b, ok := booleans[strings.ToLower(v.text)]
	if !ok || v.quoted && !v.refs {
		help := ""
		if ok {
			help = "remove the quotes"
		}
		return &errShape{"true or false", help}
	}
	out.SetBool(b)
	return nil
}

func setNumber(v *value, out reflect.Value) error {
	if v.quoted && !v.refs {
		return &errShape{"a number", "remove the quotes"}
	}
	switch {
	case out.CanFloat():
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return &errShape{"a number", ""}
		}
		out.SetFloat(f)
	case out.CanInt():
		n, err := parseInt(v.text)
		if err != nil || out.OverflowInt(n) {
			return &errShape{"a whole number", ""}
		}
		out.SetInt(n)
	default:
		n, err := parseInt(v.text)
		if err != nil || n < 0 || out.OverflowUint(uint64(n)) {
			return &errShape{"a whole number from 0", ""}
		}
		out.SetUint(uint64(n))
	}
	return nil
}

// parseInt reads decimal, 0x and 0o numbers; a leading zero alone means nothing.
func parseInt(s string) (int64, error) {
	if digits := strings.TrimLeft(s, "+-"); strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0o") {
		return strconv.ParseInt(s, 0, 64)
	}
	return strconv.ParseInt(s, 10, 64)
}
