package format

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/remeld/remeld/sdk"
)

// jsonStream reads the items of one array without holding the document.
type jsonStream struct {
	ctx   context.Context
	dec   *jsontext.Decoder
	items *itemReader
	v     *values
	n     int
	found bool
	seen  []string // names met where the path broke off, for the error
}

// document reads to the end of the body: JSON cut off behind the array is as
// incomplete as inside it.
func (s *jsonStream) document(names []string) error {
	if err := s.value(names); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // no document at all: nothing listed
		}
		return s.explain(err)
	}
	if _, err := s.dec.ReadToken(); err == nil {
		return &sdk.Error{Failure: sdk.Permanent, Message: "the body holds more than one JSON document: use the format ndjson"}
	} else if !errors.Is(err, io.EOF) {
		return s.explain(err)
	}
	if !s.found {
		return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
			"the document has nothing at %s; names there: %s: correct items", strings.Join(names, "."), clip(strings.Join(s.seen, ", ")))}
	}
	return nil
}

// explain keeps the errors of body and sink as they are.
func (s *jsonStream) explain(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return syntaxError(err)
	}
	return err
}

// value reads the next value, of which names lead to the items.
func (s *jsonStream) value(names []string) error {
	switch {
	case len(names) == 0:
		return s.list()
	case s.dec.PeekKind() == '{':
		return s.object(names)
	}
	return s.dec.SkipValue()
}

func (s *jsonStream) object(names []string) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() == '"' {
		name, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		if text := name.String(); text == names[0] {
			err = s.value(names[1:])
		} else {
			if len(s.seen) < 20 && !slices.Contains(s.seen, text) {
				s.seen = append(s.seen, text)
			}
			err = s.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken() // the closing brace, or what is wrong here
	return err
}

// list reads the items: those of an array, or the one that stands there.
func (s *jsonStream) list() error {
	kind := s.dec.PeekKind()
	if kind != '[' {
		raw, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		s.found = true
		if kind == 'n' {
			return nil // null: no items
		}
		return s.item(raw)
	}
	s.found = true
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for {
		switch s.dec.PeekKind() {
		case ']':
			_, err := s.dec.ReadToken()
			return err
		}
		raw, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := s.item(raw); err != nil {
			return err
		}
	}
}

func (s *jsonStream) item(raw []byte) error {
	item, err := decodeItem(raw)
	if err != nil {
		s.v.refuseText(0, raw, ReasonBadRow, err.Error())
		return nil
	}
	if err := s.items.item(s.v, 0, item); err != nil {
		return err
	}
	if s.n++; s.n%1024 == 0 {
		return errors.Join(s.v.flush(), s.ctx.Err())
	}
	return nil
}
