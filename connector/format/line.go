package format

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"unicode/utf8"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// indicatorGroup is the name of the regular expression's group with the value.
const indicatorGroup = "indicator"

// lineReader reads one value a line.
type lineReader struct {
	kind     indicator.Kind
	comments [][]byte
	marks    [256]bool // first bytes of comments
	ignore   *regexp.Regexp
	re       *regexp.Regexp
	groups   []string // attribute of each group, "" = none
	value    int      // the group with the value
}

func newLineReader(o *Options, kind indicator.Kind) (*lineReader, error) {
	l := &lineReader{kind: kind}
	for _, c := range o.Comments {
		l.comments = append(l.comments, []byte(c))
		l.marks[c[0]] = true
	}
	var err error
	if o.Ignore != "" {
		if l.ignore, err = regexp.Compile(o.Ignore); err != nil {
			return nil, err
		}
	}
	if o.Line == "" {
		return l, nil
	}
	if l.re, err = regexp.Compile(o.Line); err != nil {
		return nil, err
	}
	l.value = l.re.SubexpIndex(indicatorGroup)
	l.groups = l.re.SubexpNames()
	l.groups[l.value] = ""
	return l, nil
}

func (l *lineReader) wholeLines() bool { return true }

func (l *lineReader) parse(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink) error {
	handle := l.firstWord
	if l.re != nil {
		handle = l.matched
	}
	return eachLine(ctx, r, mk, out, func(v *values, n int, text []byte) error {
		text = bytes.TrimSpace(text)
		if len(text) == 0 || l.isComment(text) || l.ignore != nil && l.ignore.Match(text) {
			return nil
		}
		return handle(v, n, text)
	})
}

func (l *lineReader) isComment(text []byte) bool {
	if !l.marks[text[0]] {
		return false
	}
	for _, c := range l.comments {
		if bytes.HasPrefix(text, c) {
			return true
		}
	}
	return false
}

// firstWord is the fast path: no attributes, no allocation for the common kinds.
func (l *lineReader) firstWord(v *values, n int, text []byte) error {
	for i, c := range text {
		if c == ' ' || c == '\t' {
			text = text[:i]
			break
		}
	}
	return v.add(n, l.kind, text, nil)
}

func (l *lineReader) matched(v *values, n int, text []byte) error {
	if !utf8.Valid(text) {
		v.refuseText(n, text, indicator.ReasonUTF8, "the line is not valid UTF-8")
		return nil
	}
	m := l.re.FindSubmatchIndex(text)
	if m == nil {
		v.refuseText(n, text, ReasonNoMatch, "the line does not match the expression of line:")
		return nil
	}
	if m[2*l.value] < 0 {
		v.refuseText(n, text, ReasonNoValue, "the group indicator took part in no match")
		return nil
	}
	var attrs indicator.Attributes
	said := false
	for g, name := range l.groups {
		if name != "" && m[2*g] >= 0 {
			v.attribute(n, &attrs, name, string(text[m[2*g]:m[2*g+1]]))
			said = true
		}
	}
	value := text[m[2*l.value]:m[2*l.value+1]]
	if !said {
		return v.add(n, l.kind, value, nil)
	}
	return v.add(n, l.kind, value, &attrs)
}
