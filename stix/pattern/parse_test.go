package pattern

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree is an expression with all that it says but its places.
type tree struct {
	Form      Form
	Joint     Joint
	Qualifier Qualifier
	Op        Operator
	Not       bool
	Type      string
	Steps     []Step
	Values    []Constant
	Args      []tree
}

func treeOf(e Expr) tree {
	t := tree{Form: e.Form()}
	switch t.Form {
	case Joined:
		t.Joint = e.Joint()
	case Qualified:
		t.Qualifier = e.Qualifier()
		t.Qualifier.Pos = 0
	case Compared:
		c := e.Comparison()
		t.Op, t.Not, t.Values = c.Op(), c.Not(), slices.Collect(c.Values())
		t.Type, t.Steps = c.Path().Type(), slices.Collect(c.Path().Steps())
	}
	for arg := range e.Args() {
		t.Args = append(t.Args, treeOf(arg))
	}
	return t
}

// TestOfficialPatterns: every pattern of the official examples has the verdict that
// OASIS's validator gives it, and prints to a form that parses to the same tree.
func TestOfficialPatterns(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t) {
		p, err := Parse(s.Pattern)
		if err == nil {
			err = p.Check()
		}
		if (err == nil) != s.Verdict.Valid {
			t.Errorf("%s: %v, OASIS says valid: %v", s.Pattern, err, s.Verdict.Valid)
			continue
		}
		if err == nil {
			roundTrip(t, p)
		}
	}
}

func roundTrip(t *testing.T, p *Pattern) {
	t.Helper()
	text := p.String()
	again, err := Parse(text)
	if err != nil {
		again, err = ParseVersion(text, V20)
	}
	if err != nil {
		t.Errorf("%s: prints as %s: %v", p.src, text, err)
		return
	}
	if diff := cmp.Diff(treeOf(p.Root()), treeOf(again.Root())); diff != "" {
		t.Errorf("%s: another tree after printing:\n%s", p.src, diff)
	}
	if again.String() != text {
		t.Errorf("%s: prints as %s, and that as %s", p.src, text, again)
	}
}

// TestValid: what the grammar (STIXPattern.g4) takes.
func TestValid(t *testing.T) {
	t.Parallel()
	for text, printed := range map[string]string{
		`[a:b = 1]`: "", `[a:b == 1]`: "[a:b = 1]", `[a:b <> 'x']`: "[a:b != 'x']", `[a:b=1]`: "[a:b = 1]",
		`[a:b NOT = 1]`: "", `[a:b NOT > 1]`: "", `[a:b NOT IN (1, 2)]`: "", `[a:b IN ()]`: "", `[a:b IN(1,2.50,'x',true)]`: "[a:b IN (1, 2.5, 'x', true)]",
		`[a:b = +5]`: "[a:b = 5]", `[a:b = -0]`: "[a:b = 0]", `[a:b = .5]`: "[a:b = 0.5]", `[a:b = -00.50]`: "[a:b = -0.5]",
		`[a:b = h'']`: "", `[a:b = h'aF09']`: "", `[a:b = b'AQ==']`: "", `[a:b = b'AQI=']`: "", `[a:b = b'AQID']`: "",
		`[a:b = t'2016-12-31T23:59:60.123456789Z']`: "", `[a:b = t'2023-02-30T00:00:00Z']`: "",
		`[a:b = 'it\'s \\ here']`: "", `[a:b = '']`: "", "[a:b = 'two\nlines']": "",
		`[a:'b-c'.d[0][*].'e f' LIKE 'x%']`: "", `[a:'b'.'c1' = 1]`: "[a:b.c1 = 1]", `[a:'AND'.'true' = 1]`: "", `[a-b-:c = 1]`: "", `[_a:_b = 1]`: "",
		`[a:b[-1] = 1]`: "-", `[EXISTS a:b.c]`: "", `[NOT EXISTS a:b]`: "", `[a:b = 1 AND EXISTS a:c]`: "",
		`[a:b ISSUBSET '10.0.0.0/8']`: "", `[a:b NOT ISSUPERSET 'x']`: "", `[a:b MATCHES'^x$']`: "[a:b MATCHES '^x$']",
		`[a:b = 1 OR a:c = 2 AND a:d = 3]`: "", `[(a:b = 1 OR a:c = 2) AND a:d = 3]`: "", `[((a:b = 1) AND (a:c = 2 AND a:d = 3))]`: "[a:b = 1 AND a:c = 2 AND a:d = 3]",
		`[a:b = 1] AND [a:b = 2] OR [a:b = 3] FOLLOWEDBY [a:b = 4]`: "", `([a:b = 1] FOLLOWEDBY [a:b = 2]) AND [a:b = 3]`: "",
		`([a:b = 1])`: "[a:b = 1]", `( [ a:b = 1 ] )`: "[a:b = 1]", `[a:b = 1] OR ([a:b = 2] OR [a:b = 3])`: "[a:b = 1] OR [a:b = 2] OR [a:b = 3]",
		`[a:b = 1] WITHIN 5 SECONDS`: "", `[a:b = 1] WITHIN .50 SECONDS`: "[a:b = 1] WITHIN 0.5 SECONDS", `[a:b = 1] WITHIN +5SECONDS`: "[a:b = 1] WITHIN 5 SECONDS",
		`[a:b = 1] REPEATS 5 TIMES WITHIN 10 SECONDS`: "", `([a:b = 1] AND [a:b = 2]) REPEATS 2 TIMES`: "", `([a:b = 1] WITHIN 5 SECONDS) WITHIN 6 SECONDS`: "",
		`[a:b = 1] START t'2016-06-01T01:30:00.123Z' STOP t'2016-06-01T02:20:00Z'`: "",
		`[a:b = 1]AND[a:b = 2]`: "[a:b = 1] AND [a:b = 2]", `[a:b = 1AND a:c = 'x'OR a:d = true]`: "[a:b = 1 AND a:c = 'x' OR a:d = true]",
		"\t[a:b\u00a0=\u30001] // the end": "[a:b = 1]", "[a:b /* AND */ = /**/ 1] // x\nAND [a:b = 2]": "[a:b = 1] AND [a:b = 2]",
		"[a:b//x\n= 1 OR a:b//x = 2\n= 3]": "[a:b = 1 OR a:b = 3]",
		`[a:h = 1 AND a:b.t = 2]`:          "", `[h:b = 1]`: "", `[file:hashes.MD5 LIKE 'd41d%']`: "", `[file:hashes.'X-Y' = 'z']`: "",
		`[file:hashes[*] = 'f00']`: "", `[file:hashes.MD5 IN ('d41d8cd98f00b204e9800998ecf8427e')]`: "", `[a:b = 'ü']`: "",
		`[a:SECOND = 1 AND a:andy = 2]`: "",
	} {
		p, err := Parse(text)
		if err == nil {
			err = p.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if printed == "-" {
			continue
		}
		if want := cmpOr(printed, text); p.String() != want {
			t.Errorf("%s: prints as %s, want %s", text, p, want)
		}
		roundTrip(t, p)
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// TestInvalid: what it does not take, with the place of the fault.
func TestInvalid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``: "column 1: the pattern ends where [ or (", `file:size = 1280`: "column 1: found file where [ or (", `[file:size = ]`: "column 14: found ]",
		`[file:hashes.MD5 = cead3f77]`: "column 20: found cead3f77 where a constant", `[file.size = 1280]`: "column 6: found . where :",
		`[a:b MATCHES /x/]`: "column 14: a character", `[a:b = 1] WITHIN ]`: "column 18", `[a:b = 1] WITHIN 5 HOURS`: "column 20: found HOURS where SECONDS",
		`[a:b = 1] WITHIN -5 SECONDS`: "column 18", `[a:b ISSUBSET ]`: "column 15", `[a:b =? 'x']`: "column 7", `[a:b = t'2457-73-22T32:81:84.1Z']`: "column 8: t'…' needs",
		`[a:b = b'====']`: "column 8: b'…' needs", `[a:b = b'']`: "column 8", `[a:b = b'A']`: "column 8", `[a:b = b'AA=A']`: "column 8", `[a:b = h'abc']`: "column 8: h'…' needs",
		`[a:b = 1] within 2 seconds`: "column 11: found within where AND, OR", `[a:b = 1 and a:c = 2]`: "keywords are written in capitals",
		`[a:b-c = 1]`: "column 4: found b-c", `['a':b = 1]`: "column 2", `[a:b = 'x]`: "column 8: a string without", `[a:b = "x"]`: "single quotes", `[a:b = 'a\b']`: "column 10: a backslash",
		`[a:b = 007]`: "column 8: an integer has no leading zeros", `[a:b = 5.]`: "column 9", `[a:b = 1e5]`: "column 9", `[a:b = null]`: "column 8", `[a:b = TRUE]`: "column 8",
		`[a:b > true]`: "column 8", `[a:b IN (1,)]`: "column 12", `[a:b IN 1]`: "column 9", `[a:b IN (1 2)]`: "column 12", `[a:b LIKE 5]`: "column 11", `[a:b = (1)]`: "column 8",
		`[]`: "column 2", `()`: "column 2", `[a:b = 1`: "column 9: the pattern ends", `[a:b = 1]]`: "column 10", `([a:b = 1]`: "column 11", `[a:b = 1] [a:b = 2]`: "column 11",
		`[a:b = 1] AND`: "column 14", `[a:b = 1] REPEATS 1.5 TIMES`: "column 19", `[a:b = 1] REPEATS 5`: "column 20", `[a:AND = 1]`: "column 4", `[a:b.LAST = 1]`: "column 6",
		`[a:b[x] = 1]`: "column 6", `[a:b[1.5] = 1]`: "column 6", `[a:b[] = 1]`: "column 6", `[a:b.5 = 1]`: "column 5", `[a:b. = 1]`: "column 7", `[a: = 1]`: "column 5", `[a:b]`: "column 5",
		`[NOT a:b = 1]`: "column 6", `[a:b EXISTS]`: "column 6", `[a:b NOT NOT = 1]`: "column 10", `[a:b = = 1]`: "column 8", `[a:b =! 1]`: "column 7",
		`[a:b = 1] START t'2016-06-01T01:30:00Z'`: "column 40", `[a:b = 1] START '2016-06-01T01:30:00Z' STOP '2016-06-01T01:30:00Z'`: "column 17: START and STOP need t'…'",
		`[a:b = t'2016-06-01T01:30Z']`: "column 8", `[a:b = t'2016-06-01t01:30:00Z']`: "column 8", `[a:b = t'2016-06-01T01:30:00.Z']`: "column 8", `[a:b = t'2016-06-01T01:30:61Z']`: "column 8",
		"[a:b = 1\n  AND]": "line 2, column 6", "[a:b = 'ü' x]": "column 12", "[a:b = '\xff']": "column 9: not valid UTF-8", "[a:b = 1] /* x": "column 11", "[a:b = 1\u200b]": "column 9",
		`[file:hashes.'SHA-256' = 'f00']`: "column 2: file:hashes.'SHA-256' is compared with", `[file:hashes.MD5 IN ('f00')]`: "column 2", `[file:hashes.MD5 = 5]`: "column 2",
		`[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS`: "column 28: this qualifier stands twice", `[a:b = 1] REPEATS 2 TIMES WITHIN 1 SECONDS REPEATS 2 TIMES`: "column 44",
	} {
		p, err := Parse(text)
		if err == nil {
			err = p.Check()
		}
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestVersion20(t *testing.T) {
	t.Parallel()
	p, err := ParseVersion(`[a:b = 1] START '2016-06-01T01:30:00Z' STOP '2016-06-01T01:30:01Z'`, V20)
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, p)
	for _, text := range []string{`[EXISTS a:b]`, `[a:b = 1] START 'x' STOP 'y'`} {
		if _, err := ParseVersion(text, V20); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// TestNestingIsBounded: a deep pattern is an error, a long one is not.
func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	deep := func(n int, open, middle, end string) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	for _, text := range []string{
		deep(100_000, "(", "[a:b = 1]", ")"), "[" + deep(100_000, "(", "a:b = 1", ")") + "]",
		"[a:b = 1]" + strings.Repeat(" WITHIN 5 SECONDS", 10_000),
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "nested") {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
	for _, text := range []string{
		deep(150, "(", "[a:b = 1]", ")"), "[a:b = 1]" + strings.Repeat(" AND [a:b = 1] WITHIN 5 SECONDS", 1_000),
		"[a:b = 1" + strings.Repeat(" OR a:b = 1", 2_000) + "]",
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%.40s…: %v", text, err)
			continue
		}
		roundTrip(t, p)
	}
}

// FuzzParse: no text makes the parser panic, and what it takes prints to a form that
// it takes as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`[a:b = 1]`, `([a:'b-c'[*].d NOT IN (1, 'x\'', b'AQ==', h'00', t'2016-06-01T01:30:00Z')] AND [EXISTS a:b]) REPEATS 2 TIMES WITHIN .5 SECONDS`,
		`[a:b LIKE '%' AND (a:c < 5 OR a:d != true)] FOLLOWEDBY [a:b = 1] START t'2016-06-01T01:30:00Z' STOP t'2016-06-01T01:31:00Z'`, "/* */[a:b=1]// x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		_ = p.Check()
		again, err := Parse(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q prints as %q, which gives %v, %v", text, p, again, err)
		}
	})
}
