package format

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// maxWhole bounds a document that has to be in memory at once, in bytes.
const maxWhole = 64 << 20

// itemReader makes values of one decoded item.
type itemReader struct {
	values []itemValue
	fields []itemField
}

type itemValue struct {
	path, kindFrom path
	hasKindFrom    bool
	kind           indicator.Kind
}

type itemField struct {
	name string
	path path
}

func newItemReader(o *JSON, kind indicator.Kind) (*itemReader, error) {
	it := &itemReader{}
	specs := o.Values
	if len(specs) == 0 {
		specs = []Value{{Path: "@"}}
	}
	for _, s := range specs {
		p, err := compilePath(s.Path)
		k, kerr := compilePath(s.KindFrom)
		if err := errors.Join(err, kerr); err != nil {
			return nil, err
		}
		it.values = append(it.values, itemValue{p, k, s.KindFrom != "", kindOf(s.Kind, kind)})
	}
	for name, expr := range o.Fields {
		p, err := compilePath(expr)
		if err != nil {
			return nil, err
		}
		it.fields = append(it.fields, itemField{name, p})
	}
	slices.SortFunc(it.fields, func(a, b itemField) int { return strings.Compare(a.name, b.name) })
	return it, nil
}

// item adds the indicators of one item. line is 0 where there are none.
func (it *itemReader) item(v *values, line int, item any) error {
	var attrs indicator.Attributes
	said := false
	for _, f := range it.fields {
		value, err := f.path.search(item)
		if err == nil && value != nil {
			v.attribute(line, &attrs, f.name, value)
			said = true
		}
	}
	about := &attrs
	if !said {
		about = nil
	}
	found := false
	for _, spec := range it.values {
		value, err := spec.path.search(item)
		if err != nil || value == nil {
			continue
		}
		for _, text := range texts(value) {
			found = true
			if err := v.add(line, spec.kindOf(item), []byte(text), about); err != nil {
				return err
			}
		}
	}
	if !found {
		v.refuseText(line, describe(item), ReasonNoValue, "no text where the paths of values point to")
	}
	return nil
}

func (s *itemValue) kindOf(item any) indicator.Kind {
	if !s.hasKindFrom {
		return s.kind
	}
	name, _ := s.kindFrom.search(item)
	text, _ := name.(string)
	return kindOf(text, s.kind)
}

// texts returns a value's texts: itself, or the members of a list.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		return []string{v}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		var out []string
		for _, m := range v {
			out = append(out, texts(m)...)
		}
		return out
	}
	return nil
}

func describe(item any) []byte {
	b, err := json.Marshal(item)
	if err != nil {
		return nil // came out of JSON, so this is a value the library added
	}
	return b
}

// lax takes what feeds get wrong without harm. Bad UTF-8 is replaced, and the
// value then refused by its own kind.
var lax = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// exact keeps integers beyond 2^53 as text: an id must not change in its last
// digits.
var exact = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
	if dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && (n > 1<<53 || n < -1<<53) {
		*v = string(raw)
		return nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		*v = string(raw) // a number beyond any float
		return nil
	}
	*v = f
	return nil
}))

func decodeItem(raw []byte) (item any, err error) {
	err = json.Unmarshal(raw, &item, append([]json.Options{exact}, lax...)...)
	return item, err
}

// jsonReader reads one document.
type jsonReader struct {
	items  *itemReader
	names  []string // to the array, when it is streamed
	whole  path     // else
	stream bool
}

func newJSONReader(o *JSON, kind indicator.Kind) (*jsonReader, error) {
	it, err := newItemReader(o, kind)
	if err != nil {
		return nil, err
	}
	j := &jsonReader{items: it}
	if j.names, j.stream = streamPath(o.Items); !j.stream {
		j.whole, err = compilePath(o.Items)
	}
	return j, err
}

func (j *jsonReader) wholeLines() bool { return false }

func (j *jsonReader) parse(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink) error {
	v := mk(out)
	var err error
	if j.stream {
		err = (&jsonStream{ctx: ctx, dec: jsontext.NewDecoder(r, lax...), items: j.items, v: v}).document(j.names)
	} else {
		err = j.document(ctx, r, v)
	}
	if ferr := v.flush(); err == nil {
		err = ferr
	}
	return err
}

// document reads all of r, as an expression that is no plain path needs.
func (j *jsonReader) document(ctx context.Context, r io.Reader, v *values) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxWhole+1))
	if err != nil {
		return err
	}
	if len(raw) > maxWhole {
		return &sdk.Error{Failure: sdk.Permanent, Message: "the document is larger than 64 MB: use a plain path for items, which is read piece by piece"}
	}
	doc, err := decodeItem(raw)
	if err != nil {
		return syntaxError(err)
	}
	found, err := j.whole.search(doc)
	if err != nil {
		return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf("items: %v: correct the expression", err)}
	}
	list, ok := found.([]any)
	if !ok && found != nil {
		list = []any{found}
	}
	for i, item := range list {
		if err := j.items.item(v, 0, item); err != nil {
			return err
		}
		if i%1024 == 1023 {
			if err := errors.Join(v.flush(), ctx.Err()); err != nil {
				return err
			}
		}
	}
	return nil
}

func syntaxError(err error) error {
	var done *sdk.Error
	if errors.As(err, &done) {
		return err
	}
	return &sdk.Error{Failure: sdk.Permanent, Message: "the body is not valid JSON, or was cut off: the read is incomplete; check the URL and the format", Err: err}
}
