package format

import (
	"context"
	"fmt"
	"io"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// Parser reads bodies of one configuration. It is safe for concurrent use.
type Parser struct {
	o    Options
	kind indicator.Kind
	read reader
}

// reader is one format.
type reader interface {
	// parse reads all of r. It flushes the values it made.
	parse(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink) error
	// wholeLines says that the lines of a body that breaks off stand for
	// themselves.
	wholeLines() bool
}

// New compiles the options; an error is one that Validate reports with its place.
func New(o Options) (*Parser, error) {
	if errs := o.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("format: %w", errs[0])
	}
	p := &Parser{o: o, kind: kindOf(o.Kind, indicator.Unknown)}
	var err error
	switch {
	case o.CSV != nil:
		p.read = newCSVReader(o.CSV, p.kind)
	case o.JSON != nil:
		p.read, err = newJSONReader(o.JSON, p.kind)
	case o.NDJSON != nil:
		p.read, err = newNDJSONReader(&o, p.kind)
	case o.Text != nil:
		p.read = newTextReader(o.Text, p.kind)
	default:
		p.read, err = newLineReader(&o, p.kind)
	}
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	return p, nil
}

// kindOf reads a kind's name that Validate has seen.
func kindOf(name string, def indicator.Kind) indicator.Kind {
	if k, ok := indicator.ParseKind(name); ok {
		return k
	}
	return def
}

// WholeLines reports whether the complete lines of a body that broke off may be
// read as additions (SEMANTICS E4): true for line, ndjson and csv, whose rows do
// not depend on what follows.
func (p *Parser) WholeLines() bool { return p.read.wholeLines() }

// Parse reads r to its end and adds what it finds to out and its forks. An error
// means that the read is incomplete; what was added by then stays added.
func (p *Parser) Parse(ctx context.Context, r io.Reader, out sdk.Sink) (Result, error) {
	body, head, err := sniff(r)
	if err != nil {
		return Result{}, err
	}
	t := &tally{head: head}
	values := func(s sdk.Sink) *values {
		return &values{kind: p.kind, refang: p.o.Refang, splitPort: p.o.SplitPort, out: s, tally: t, key: make([]byte, 0, 512)}
	}
	if err := p.read.parse(ctx, body, values, out); err != nil {
		return t.n, err
	}
	return t.n, t.verdict()
}
