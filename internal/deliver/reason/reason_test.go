package reason

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// TestD4_EveryCodeHasExactlyOneClass reads the constants of the source, so that a
// code added without a row in the table fails here.
func TestD4_EveryCodeHasExactlyOneClass(t *testing.T) {
	seen := map[Code]int{}
	for _, d := range All() {
		seen[d.Code]++
		if d.Class != HeldOut && d.Class != Frozen {
			t.Errorf("%s: class %q", d.Code, d.Class)
		}
		if d.Class == Frozen && d.Protective {
			t.Errorf("%s: a frozen code withdraws nothing, so it cannot be protective", d.Code)
		}
		if d.Text == "" {
			t.Errorf("%s: no text", d.Code)
		}
	}
	for _, code := range declared(t) {
		if seen[code] != 1 {
			t.Errorf("%s: %d rows in the table, want 1", code, seen[code])
		}
		delete(seen, code)
	}
	for code := range seen {
		t.Errorf("%s: in the table but no constant", code)
	}
}

func declared(t *testing.T) []Code {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []Code
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Code" {
			s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, Code(s))
		}
		return true
	})
	if len(codes) == 0 {
		t.Fatal("no codes found")
	}
	return codes
}

func TestCodeDetail(t *testing.T) {
	c := Filter.With("sure")
	if c != "filter/sure" || c.Base() != Filter || c.Class() != HeldOut || Filter.With("") != Filter {
		t.Errorf("got %s, base %s, class %s", c, c.Base(), c.Class())
	}
	if Code("nonsense").Class() != "" {
		t.Error("an unknown code has a class")
	}
}
