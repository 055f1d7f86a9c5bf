package format

import (
	"bytes"
	"context"
	"io"
	"regexp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// ndjsonReader reads one document a line.
type ndjsonReader struct {
	items  *itemReader
	at     path
	ignore *regexp.Regexp
}

func newNDJSONReader(o *Options, kind indicator.Kind) (*ndjsonReader, error) {
	it, err := newItemReader(o.NDJSON, kind)
	if err != nil {
		return nil, err
	}
	n := &ndjsonReader{items: it}
	if o.Ignore != "" {
		if n.ignore, err = regexp.Compile(o.Ignore); err != nil {
			return nil, err
		}
	}
	n.at, err = compilePath(o.NDJSON.Items)
	return n, err
}

func (n *ndjsonReader) wholeLines() bool { return true }

func (n *ndjsonReader) parse(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink) error {
	return eachLine(ctx, r, mk, out, func(v *values, line int, text []byte) error {
		text = bytes.TrimSpace(text)
		if len(text) == 0 || n.ignore != nil && n.ignore.Match(text) {
			return nil
		}
		found, bad := n.found(text)
		if bad != "" {
			v.refuseText(line, text, ReasonBadRow, bad)
			return nil
		}
		if list, ok := found.([]any); ok {
			for _, item := range list {
				if err := n.items.item(v, line, item); err != nil {
					return err
				}
			}
			return nil
		}
		if found == nil {
			return nil // a line without items
		}
		return n.items.item(v, line, found)
	})
}

// found decodes a line and returns what is at items in it, or what is wrong.
func (n *ndjsonReader) found(text []byte) (any, string) {
	doc, err := decodeItem(text)
	if err != nil {
		return nil, "the line is not one JSON document"
	}
	found, err := n.at.search(doc)
	if err != nil {
		return nil, "items: " + err.Error()
	}
	return found, ""
}
