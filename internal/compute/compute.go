// Package compute evaluates small expressions over a record, as
// min(100, lists * 12): the one expression library of the product. Use it where
// a value is computed; conditions are TQL (internal/tql).
//
// Expressions are deterministic: there is no clock, no randomness and no I/O in
// them. What they make is limited: by the number of their parts, by the functions
// there are, which all make about as much as they are given, and by loops that
// nest twice at most and run over what the record has.
package compute

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/remeld/remeld/indicator"
)

// limits of an expression.
const (
	maxSource = 4096
	maxNodes  = 500
	// maxMemory counts what an expression makes: elements of lists and maps and
	// bytes of repeated text.
	maxMemory = 100_000
)

// Program is a compiled expression, safe for concurrent use.
type Program struct {
	src     string
	program *vm.Program
	names   []string
}

// Error is what is wrong with an expression; Col counts characters from 1.
type Error struct {
	Col  int
	Msg  string
	Help string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("column %d: %s", e.Col, e.Msg)
	if e.Help != "" {
		s += " (" + e.Help + ")"
	}
	return s
}

// Compile checks src. The error is an *Error.
func Compile(src string) (*Program, error) {
	if strings.TrimSpace(src) == "" {
		return nil, &Error{Col: 1, Msg: "empty expression", Help: "as min(100, lists * 12)"}
	}
	if len(src) > maxSource {
		return nil, &Error{Col: 1, Msg: fmt.Sprintf("expression longer than %d bytes", maxSource)}
	}
	if !utf8.ValidString(src) {
		return nil, &Error{Col: 1, Msg: "expression is not UTF-8"}
	}
	names := &collector{seen: map[string]bool{}}
	opts := append([]expr.Option{
		expr.Env(nil), expr.AllowUndefinedVariables(), expr.MaxNodes(maxNodes), expr.Patch(names),
		expr.Optimize(false),
	}, functions()...)
	p, err := compileGuarded(src, opts)
	if err != nil {
		return nil, positioned(src, err)
	}
	if err := restrict(p.Node()); err != nil {
		return nil, err
	}
	return &Program{src: src, program: p, names: names.list}, nil
}

// compileGuarded turns a panic of the library into an error: an expression is
// user input.
func compileGuarded(src string, opts []expr.Option) (p *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the expression cannot be compiled: %v", r)
		}
	}()
	return expr.Compile(src, opts...)
}

func positioned(src string, err error) *Error {
	var fe *file.Error
	if !errors.As(err, &fe) {
		msg, _, _ := strings.Cut(err.Error(), "\n")
		return &Error{Col: 1, Msg: msg}
	}
	return &Error{Col: columnOf(src, fe.From), Msg: fe.Message}
}

// columnOf turns a character offset into a 1-based column of its line; an
// expression is one scalar, its lines count on.
func columnOf(src string, from int) int {
	return min(max(from, 0), utf8.RuneCountInString(src)) + 1
}

// String returns the source.
func (p *Program) String() string { return p.src }

// Names returns the attribute names the expression reads, in order of their
// first use.
func (p *Program) Names() []string { return p.names }

// Run computes the value for rec. Attributes are read by name, free attributes by
// their own; text that is a number counts as one, except value, description and
// what is listed in textNames; names that are not known are nil. The error says
// what went wrong for this record (a wrong type, a limit); it is for counting,
// not for stopping.
func (p *Program) Run(rec *indicator.Record) (any, error) {
	m := machines.Get().(*machine)
	defer machines.Put(m)
	clear(m.env)
	for _, name := range p.names {
		m.env[name] = lookup(rec, name)
	}
	out, err := m.run(p.program)
	if err != nil {
		return nil, fmt.Errorf("compute %q: %w", p.src, plainError(p.src, err))
	}
	return result(out)
}

// machine is what one evaluation needs; a pool of them spares a load of millions
// of rows their making.
type machine struct {
	vm  vm.VM
	env map[string]any
}

var machines = sync.Pool{New: func() any {
	return &machine{vm: vm.VM{MemoryBudget: maxMemory}, env: map[string]any{}}
}}

func (m *machine) run(p *vm.Program) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			m.vm = vm.VM{MemoryBudget: maxMemory} // its state is not to be trusted
			err = fmt.Errorf("%v", r)
		}
	}()
	return m.vm.Run(p, m.env)
}

// plainError drops the library's source excerpt.
func plainError(src string, err error) error {
	var fe *file.Error
	if errors.As(err, &fe) {
		return &Error{Col: columnOf(src, fe.From), Msg: fe.Message}
	}
	return err
}
