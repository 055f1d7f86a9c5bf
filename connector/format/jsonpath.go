package format

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jmespath-community/go-jmespath"
)

// path is a JMESPath expression; a chain of names is walked without the
// interpreter.
type path struct {
	names []string
	expr  jmespath.JMESPath
}

var (
	chain  = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)
	stream = regexp.MustCompile(`^(@|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?(\[\*?\])?$`)
)

// compilePath compiles an expression; the empty one is the item itself.
func compilePath(expr string) (p path, err error) {
	if expr == "" || expr == "@" {
		return path{}, nil
	}
	if chain.MatchString(expr) {
		return path{names: strings.Split(expr, ".")}, nil
	}
	defer func() {
		if r := recover(); r != nil { // the library's parser is not proof against all input
			err = fmt.Errorf("%v", r)
		}
	}()
	p.expr, err = jmespath.Compile(expr)
	return p, err
}

// streamPath returns the names to an array that can be read item by item.
func streamPath(expr string) ([]string, bool) {
	if !stream.MatchString(expr) {
		return nil, false
	}
	expr = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(expr, "[]"), "[*]"), "@")
	if expr == "" {
		return nil, true
	}
	return strings.Split(expr, "."), true
}

// search returns the value at p, nil if there is none.
func (p path) search(v any) (out any, err error) {
	if p.expr == nil {
		for _, n := range p.names {
			m, ok := v.(map[string]any)
			if !ok {
				return nil, nil
			}
			v = m[n]
		}
		return v, nil
	}
	defer func() {
		if r := recover(); r != nil { // as in compilePath
			err = fmt.Errorf("%v", r)
		}
	}()
	return p.expr.Search(v)
}
