package compute

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"

	"github.com/remeld/remeld/internal/diag"
)

// allowed are the library's functions that read no clock and cannot make much out
// of little. Left out for the latter: repeat, reduce, toJSON and their like.
var allowed = []string{
	"abs", "ceil", "floor", "round", "int", "float", "string", "max", "min", "mean", "median", "sum",
	"len", "type", "trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "indexOf", "lastIndexOf",
	"hasPrefix", "hasSuffix", "first", "last", "take", "reverse", "uniq", "concat", "sort",
	"all", "none", "any", "one", "filter", "map", "find", "findIndex", "count",
}

// maxLoops is how deep functions over lists may nest.
const maxLoops = 2

// maxText bounds every text an expression makes, in bytes.
const maxText = 64 << 10

var errTooLong = errors.New("the text would be longer than 64 KB")

// Functions returns the names of all functions, sorted.
func Functions() []string {
	return slices.Sorted(slices.Values(append(slices.Clone(allowed), "replace", "join")))
}

// functions are the options that leave just the allowed functions.
func functions() []expr.Option {
	var out []expr.Option
	for _, f := range builtin.Builtins {
		if !slices.Contains(allowed, f.Name) {
			out = append(out, expr.DisableBuiltin(f.Name))
		}
	}
	return append(out,
		expr.Function("replace", replace, new(func(any, any, any) string)),
		expr.Function("join", join, new(func(any) string), new(func(any, any) string)))
}

// replace is the library's with a bound on what it makes.
func replace(params ...any) (any, error) {
	texts, err := textsOf("replace", params)
	if err != nil {
		return nil, err
	}
	if len(texts) != 3 {
		return nil, errors.New("replace takes a text, what to replace and what to put there")
	}
	s, from, to := texts[0], texts[1], texts[2]
	if len(s)+strings.Count(s, from)*len(to) > maxText {
		return nil, errTooLong
	}
	return strings.ReplaceAll(s, from, to), nil
}

// join is the library's with a bound on what it makes.
func join(params ...any) (any, error) {
	if len(params) == 0 || len(params) > 2 {
		return nil, errors.New("join takes a list and what to put between its items")
	}
	parts, ok := params[0].([]string)
	if !ok {
		items, isList := params[0].([]any)
		if !isList {
			return nil, fmt.Errorf("join takes a list, not %T", params[0])
		}
		var err error
		if parts, err = textsOf("join", items); err != nil {
			return nil, err
		}
	}
	sep := ""
	if rest, err := textsOf("join", params[1:]); err != nil {
		return nil, err
	} else if len(rest) == 1 {
		sep = rest[0]
	}
	total := len(parts) * len(sep)
	for _, s := range parts {
		total += len(s)
	}
	if total > maxText {
		return nil, errTooLong
	}
	return strings.Join(parts, sep), nil
}

// textsOf takes values that must be text; an unknown one is empty.
func textsOf(function string, values []any) ([]string, error) {
	out := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case string:
			out[i] = v
		case nil:
		default:
			return nil, fmt.Errorf("%s takes text, not %T; string() makes text of a number", function, v)
		}
	}
	return out, nil
}

// collector gathers the names that an expression reads.
type collector struct {
	seen map[string]bool
	list []string
}

// Visit is called for each node of the tree.
func (c *collector) Visit(n *ast.Node) {
	if id, ok := (*n).(*ast.IdentifierNode); ok && !c.seen[id.Value] && !slices.Contains([]string{"replace", "join"}, id.Value) {
		c.seen[id.Value] = true
		c.list = append(c.list, id.Value)
	}
}

// restrict refuses what could make much out of little: variables (each may double
// the one before), ranges and deep loops; and calls of what is no function.
func restrict(root ast.Node) error {
	w := &warden{}
	w.walk(root, 0)
	if w.wrong == nil {
		return nil
	}
	return w.wrong
}

type warden struct{ wrong *Error }

func (w *warden) refuse(n ast.Node, help, format string, args ...any) {
	if w.wrong == nil {
		w.wrong = &Error{Col: n.Location().From + 1, Msg: fmt.Sprintf(format, args...), Help: help}
	}
}

// walk visits n and what is below; loops is how many loops are around it.
func (w *warden) walk(n ast.Node, loops int) {
	switch n := n.(type) {
	case *ast.VariableDeclaratorNode:
		w.refuse(n, "write the value where it is needed", "let is not available")
	case *ast.BinaryNode:
		if n.Operator == ".." {
			w.refuse(n, "", "ranges are not available")
		}
	case *ast.PredicateNode:
		if loops++; loops > maxLoops {
			w.refuse(n, "", "functions over lists nest at most %d deep", maxLoops)
			return
		}
	case *ast.BuiltinNode:
		w.known(n, n.Name) // the parser takes list functions even if they are disabled
	case *ast.CallNode:
		w.call(n)
	}
	for _, child := range children(n) {
		w.walk(child, loops)
	}
}

func (w *warden) call(n *ast.CallNode) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		w.refuse(n, "", "this is no function")
		return
	}
	w.known(n.Callee, id.Value)
}

func (w *warden) known(n ast.Node, name string) {
	known := Functions()
	if slices.Contains(known, name) {
		return
	}
	help := diag.DidYouMean(name, known)
	switch {
	case slices.Contains([]string{"now", "date", "duration", "timezone"}, name):
		help = "an expression knows no time: it gives the same value whenever it is computed"
	case help == "":
		help = "functions are " + strings.Join(known, ", ")
	}
	w.refuse(n, help, "there is no function %s()", name)
}

// children are the nodes directly below n.
func children(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.SliceNode:
		return compact(n.Node, n.From, n.To)
	case *ast.CallNode:
		return n.Arguments
	case *ast.BuiltinNode:
		return append(slices.Clone(n.Arguments), compact(n.Map)...)
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.SequenceNode:
		return n.Nodes
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.MapNode:
		return n.Pairs
	case *ast.PairNode:
		return []ast.Node{n.Key, n.Value}
	}
	return nil
}

func compact(nodes ...ast.Node) []ast.Node {
	return slices.DeleteFunc(nodes, func(n ast.Node) bool { return n == nil })
}
