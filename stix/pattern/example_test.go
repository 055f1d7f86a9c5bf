package pattern_test

import (
	"fmt"

	"github.com/remeld/remeld/stix/pattern"
)

func ExampleParse() {
	p, err := pattern.Parse(`[ipv4-addr:value=='198.51.100.7' OR (ipv4-addr:value = '198.51.100.8')] /* ours */`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p)
	for c := range p.Comparisons() {
		fmt.Println(c.Path(), c.Op(), c.Value().Text)
	}
	// Output:
	// [ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '198.51.100.8']
	// ipv4-addr:value = 198.51.100.7
	// ipv4-addr:value = 198.51.100.8
}

func ExampleParse_error() {
	_, err := pattern.Parse("[ipv4-addr:value = '198.51.100.7'\n or ipv4-addr:value = '198.51.100.8']")
	fmt.Println(err)
	// Output: line 2, column 2: found or where ], AND or OR is expected; keywords are written in capitals
}

// What an expression is, its form says.
func ExampleExpr() {
	p, err := pattern.Parse("[file:size > 4096] AND [file:name IN ('a.exe', 'b.exe')] WITHIN 5 SECONDS")
	if err != nil {
		fmt.Println(err)
		return
	}
	var show func(e pattern.Expr, indent string)
	show = func(e pattern.Expr, indent string) {
		switch e.Form() {
		case pattern.Test:
			fmt.Println(indent + "one observation")
		case pattern.Joined:
			fmt.Println(indent + e.Joint().String())
		case pattern.Qualified:
			q := e.Qualifier()
			fmt.Println(indent+q.Kind.String(), q.Number)
		case pattern.Compared:
			c := e.Comparison()
			fmt.Println(indent+c.Path().String(), c.Op(), c.Len())
		}
		for arg := range e.Args() {
			show(arg, indent+"  ")
		}
	}
	show(p.Root(), "")
	// Output:
	// AND
	//   one observation
	//     file:size > 1
	//   WITHIN 5
	//     one observation
	//       file:name IN 2
}

func ExampleCompile() {
	p, err := pattern.Parse("[file:name LIKE '%.exe' AND file:size > 4096]")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := pattern.Compile(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	seen, err := pattern.ReadObserved([]byte(`{"type": "observed-data", "id": "observed-data--1", "number_observed": 1,
		"first_observed": "2026-01-31T12:00:00Z", "last_observed": "2026-01-31T12:00:00Z",
		"objects": {"0": {"type": "file", "name": "setup.exe", "size": 8192}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := m.Match(seen)
	fmt.Println(result.Matched, result.IDs, err)
	// Output: true [observed-data--1] <nil>
}
