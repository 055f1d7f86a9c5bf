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

func (n *ndjsonReader) parse(ctx context.Context, r io.Reader, make func(sdk.Sink) *values, out sdk.Sink) error {
	return eachLine(ctx, r, make, out, func(v *values, line int, text []byte) error {
		text = bytes.TrimSpace(text)
		if len(text) == 0 || n.ignore != nil && n.ignore.Match(text) {
			return nil
		}
		doc, err := decodeItem(text)
		if err != nil {
			v.refuseText(line, text, ReasonBadRow, "the line is not one JSON document")
			return nil
		}
		found, err := n.at.search(doc)
		if err != nil {
			v.refuseText(line, text, ReasonBadRow, "items: "+err.Error())
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
