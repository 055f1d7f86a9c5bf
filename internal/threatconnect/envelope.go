package threatconnect

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var errShape = errors.New("the answer is not the object with a data list that it should be")

// envelope calls fn for each member of the answer's object with the decoder at its
// value, and demands the whole object: an answer cut off is an error.
func envelope(r io.Reader, fn func(name string, dec *jsontext.Decoder) error) error {
	dec := jsontext.NewDecoder(r, lenient)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return errors.Join(errShape, err)
	}
	data := false
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		data = data || name == "data"
		if err := fn(name, dec); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if !data {
		return errShape
	}
	return nil
}

// elements calls fn before each element of the list at the decoder. An object or
// null in its place is an empty list, as the API writes it.
func elements(dec *jsontext.Decoder, fn func() error) error {
	if dec.PeekKind() != '[' {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := fn(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// list reads an answer of small elements.
func list[T any](r io.Reader, fn func(*T) error) (n int, more bool, err error) {
	err = envelope(r, func(name string, dec *jsontext.Decoder) error {
		switch name {
		case "data":
			return elements(dec, func() error {
				var v T
				if err := json.UnmarshalDecode(dec, &v, lenient); err != nil {
					return err
				}
				n++
				return caller(fn(&v))
			})
		case "next":
			var next string
			err := json.UnmarshalDecode(dec, &next)
			more = next != ""
			return err
		}
		return dec.SkipValue()
	})
	return n, more, err
}
