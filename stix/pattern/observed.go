package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Observed is what was observed: any number of observed-data objects with the
// observables they name or hold. It is read-only once made, and safe for concurrent
// use.
type Observed struct {
	list []observation
}

// Len returns the number of observed-data objects.
func (o *Observed) Len() int { return len(o.list) }

// observation is one observed-data object.
type observation struct {
	id          string
	first, last time.Time
	number      int // times it was observed
	roots       []map[string]any
	// find resolves a reference of one of the objects.
	find func(ref string) map[string]any
}

// ReadObserved reads observed data: bundles, observed-data objects of STIX 2.1 or 2.0,
// observables, or arrays of these; one document, or many behind each other (NDJSON).
// An observed-data object of 2.1 names observables that may stand in any document,
// those of its own bundle first. Other objects are passed over, and observables that
// no observed-data object names.
func ReadObserved(data []byte) (*Observed, error) {
	var docs [][]map[string]any // a bundle is a document, and so is all that stands alone
	var alone []map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for n := 1; ; n++ {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading observations: document %d: %w", n, err)
		}
		if err := gather(v, &docs, &alone, 0); err != nil {
			return nil, fmt.Errorf("reading observations: document %d: %w", n, err)
		}
	}
	docs = append(docs, alone)
	everywhere := map[string]map[string]any{}
	for _, doc := range docs {
		for id, object := range byID(doc) {
			everywhere[id] = object
		}
	}
	out := &Observed{}
	for _, doc := range docs {
		near := byID(doc)
		for _, object := range doc {
			if !isObservedData(object) {
				continue
			}
			o, err := newObservation(object, near, everywhere)
			if err != nil {
				return nil, fmt.Errorf("reading observations: %v: %w", object["id"], err)
			}
			out.list = append(out.list, o)
		}
	}
	return out, nil
}

// gather sorts the parts of a document: bundles to docs, the rest to alone.
func gather(v any, docs *[][]map[string]any, alone *[]map[string]any, depth int) error {
	switch v := v.(type) {
	case []any:
		for _, part := range v {
			if depth > 1 {
				return errors.New("arrays of arrays hold no STIX objects")
			}
			if err := gather(part, docs, alone, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		list, ok := v["objects"].([]any)
		if !ok || v["type"] != "bundle" && v["type"] != nil {
			*alone = append(*alone, v)
			return nil
		}
		var doc []map[string]any
		for _, part := range list {
			object, ok := part.(map[string]any)
			if !ok {
				return errors.New("a bundle holds something that is no object")
			}
			doc = append(doc, object)
		}
		*docs = append(*docs, doc)
		return nil
	}
	return errors.New("a JSON object is wanted: a bundle, an observed-data object or an observable")
}

// isObservedData knows containers of older tools, which name another type, by what
// they hold.
func isObservedData(object map[string]any) bool {
	_, holds := object["objects"].(map[string]any)
	return object["type"] == "observed-data" || holds && object["number_observed"] != nil
}

func byID(doc []map[string]any) map[string]map[string]any {
	m := map[string]map[string]any{}
	for _, object := range doc {
		if id, ok := object["id"].(string); ok && !isObservedData(object) {
			m[id] = object
		}
	}
	return m
}

func newObservation(object map[string]any, near, everywhere map[string]map[string]any) (observation, error) {
	o := observation{number: 1}
	o.id, _ = object["id"].(string)
	var err error
	if o.first, err = instantOf(object, "first_observed"); err != nil {
		return o, err
	}
	if o.last, err = instantOf(object, "last_observed"); err != nil {
		return o, err
	}
	if o.last.Before(o.first) {
		return o, errors.New("last_observed is before first_observed")
	}
	n, ok := object["number_observed"].(json.Number)
	if !ok {
		return o, errors.New("observed-data needs number_observed, a whole number from 1")
	}
	number, err := n.Int64()
	if err != nil || number < 1 {
		return o, fmt.Errorf("number_observed is %s, and a whole number from 1 is wanted", n)
	}
	o.number = int(number)
	held, _ := object["objects"].(map[string]any)
	local := map[string]map[string]any{}
	for key, v := range held {
		if part, ok := v.(map[string]any); ok {
			local[key] = part
			o.roots = append(o.roots, part)
		}
	}
	refs, _ := object["object_refs"].([]any)
	o.find = func(ref string) map[string]any {
		for _, m := range []map[string]map[string]any{local, near, everywhere} {
			if found := m[ref]; found != nil {
				return found
			}
		}
		return nil
	}
	for _, ref := range refs {
		if text, ok := ref.(string); ok {
			if root := o.find(text); root != nil {
				o.roots = append(o.roots, root)
			}
		}
	}
	return o, nil
}

func instantOf(object map[string]any, name string) (time.Time, error) {
	text, ok := object[name].(string)
	if !ok {
		return time.Time{}, fmt.Errorf("observed-data needs %s, a timestamp", name)
	}
	t, err := instant(text)
	if err != nil {
		return t, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// instant reads a timestamp of STIX. The form allows a day that no month has, which
// is an error; a leap second counts as the second after.
func instant(text string) (time.Time, error) {
	bad := fmt.Errorf("%q is no timestamp (2026-01-31T12:00:00Z)", text)
	if !timestampText(text) {
		return time.Time{}, bad
	}
	leap := text[17:19] == "60"
	if leap {
		text = text[:17] + "59" + text[19:]
	}
	if whole, fraction, ok := strings.Cut(text, "."); ok && len(fraction) > 10 {
		text = whole + "." + fraction[:9] + "Z" // time goes to nanoseconds
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, bad
	}
	if leap {
		t = t.Add(time.Second)
	}
	return t, nil
}
