package format

import (
	"context"
	"io"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/extract"
	"github.com/remeld/remeld/sdk"
)

// textReader finds indicators wherever they stand. Defanged ones are always read:
// that is how prose writes them.
type textReader struct{ kinds []indicator.Kind }

func newTextReader(o *Text, kind indicator.Kind) *textReader {
	t := &textReader{}
	for _, name := range o.Kinds {
		t.kinds = append(t.kinds, kindOf(name, indicator.Unknown))
	}
	if len(t.kinds) == 0 && kind != indicator.Unknown {
		t.kinds = []indicator.Kind{kind}
	}
	return t
}

func (t *textReader) wholeLines() bool { return false }

// parse takes no view of whether the text is a feed: prose may well name one
// broken address and nothing else.
func (t *textReader) parse(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink) error {
	v := mk(out)
	n := 0
	err := extract.Scan(r, extract.Options{Kinds: t.kinds}, func(m extract.Match) error {
		if n++; n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if m.Refusal != nil {
			out.Refuse(m.Line, m.Refusal)
			return nil //nolint:nilerr // a refusal is told, not failed for
		}
		v.key = m.Indicator.AppendKey(v.key[:0])
		v.n.Added++
		return out.Add(v.key, nil)
	})
	if ferr := v.flush(); err == nil {
		err = ferr
	}
	return err
}
