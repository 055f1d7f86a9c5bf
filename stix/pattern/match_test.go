package pattern

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// scene is observed data: one object of most types of values, references, and times.
const scene = `{"type":"bundle","id":"bundle--1","objects":[
 {"type":"observed-data","id":"observed-data--host","first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,
  "object_refs":["file--1","directory--1","network-traffic--1","ipv4-addr--1","ipv6-addr--1","email-message--1","x-all--1"]},
 {"type":"file","id":"file--1","name":"Evil.exe","size":1280,"parent_directory_ref":"directory--1","magic_number_hex":"4d5a9000","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e","SHA-256":"ab"},
  "extensions":{"windows-pebinary-ext":{"sections":[{"name":".text","entropy":7.5},{"name":".data","entropy":2}]}}},
 {"type":"directory","id":"directory--1","path":"C:\\temp"},
 {"type":"network-traffic","id":"network-traffic--1","src_ref":"ipv4-addr--1","dst_ref":"ipv6-addr--1","dst_port":443,"protocols":["ipv6","tcp","https"]},
 {"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.5"},
 {"type":"ipv6-addr","id":"ipv6-addr--1","value":"2001:db8::/48"},
 {"type":"email-addr","id":"email-addr--1","value":"x@example.com"},
 {"type":"email-addr","id":"email-addr--2","value":"y@example.com"},
 {"type":"email-message","id":"email-message--1","to_refs":["email-addr--1","email-addr--2"],"from_ref":"email-addr--missing"},
 {"type":"x-all","id":"x-all--1","i":5,"big":9007199254740993,"f":12.5,"fi":12.0,"t":true,"n":null,"s":"hello","u":"\u1e0d\u0307","at":"2026-01-01T00:00:00.5Z",
  "a_bin":"YWxpY2U=","a_hex":"616c696365","bad_hex":"zz","lines":"a\nb","net":"10.1.2.3/16","list":[1,[2,3],{"k":"v"}],"has-hyphen":{"a.b":1}},
 {"type":"mutex","id":"mutex--1","name":"named by nobody"}]}`

func mustRead(tb rapid.TB, text string) *Observed {
	tb.Helper()
	o, err := ReadObserved([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func matched(tb testing.TB, text string, o *Observed) (Result, error) {
	tb.Helper()
	p, err := Parse(text)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	m, err := Compile(p)
	if err != nil {
		return Result{}, err
	}
	return m.Match(o)
}

func check(t *testing.T, o *Observed, want bool, patterns ...string) {
	t.Helper()
	for _, text := range patterns {
		if got, err := matched(t, text, o); err != nil || got.Matched != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}

// TestComparisons: what a comparison is true of (STIX 2.1 sections 9.6 and 9.7).
func TestComparisons(t *testing.T) {
	t.Parallel()
	o := mustRead(t, scene)
	check(t, o, true,
		"[x-all:i = 5]", "[x-all:i = 5.0]", "[x-all:f = 12.5]", "[x-all:fi = 12]", "[x-all:i > 4.9]", "[x-all:i <= 5]", "[x-all:big = 9007199254740993]", "[x-all:big < 99999999999999999999]",
		"[x-all:t = true]", "[x-all:t != false]", "[x-all:s = 'hello']", "[x-all:s > 'alice']", "[x-all:s >= 'hello']", "[x-all:i NOT < 5]", "[x-all:i NOT != 5]",
		"[x-all:i != 'x']", "[x-all:t != 1]", "[x-all:s != 5]", "[x-all:n != 'x']", "[x-all:i NOT = true]", "[x-all:i NOT LIKE '%']", "[x-all:i NOT MATCHES '.']", "[x-all:i NOT ISSUBSET '10.0.0.0/8']", "[x-all:i NOT IN ('a')]",
		"[x-all:i IN (1, 5.0)]", "[x-all:s IN ('x', 'hello')]", "[x-all:s NOT IN ()]", "[x-all:t IN (false, true)]", "[x-all:at IN (t'2026-01-01T00:00:00.500Z')]",
		"[x-all:s LIKE 'h_l%']", "[x-all:s LIKE '%']", "[x-all:lines LIKE 'a%b']", "[x-all:u LIKE 'd\u0323\u0307']", "[x-all:u MATCHES '^d\u0323\u0307$']",
		"[x-all:s MATCHES 'l+']", "[x-all:s MATCHES '^h.*o$']", "[x-all:s MATCHES '(?i)HELLO']", `[x-all:s MATCHES '^hello\\Z']`,
		"[x-all:at = t'2026-01-01T00:00:00.5Z']", "[x-all:at > t'2025-12-31T23:59:60Z']", "[x-all:at != t'2026-01-01T00:00:00Z']", "[x-all:at = '2026-01-01T00:00:00.5Z']",
		"[x-all:a_bin = 'alice']", "[x-all:a_hex = b'YWxpY2U=']", "[x-all:a_bin = h'616c696365']", "[x-all:s = h'68656c6c6f']", "[x-all:a_hex > 'aardvark']", "[x-all:a_bin LIKE 'al%']", `[x-all:a_hex MATCHES '\\x61l']`,
		`[file:magic_number_hex MATCHES '\\x90\\x00$']`, "[x-all:bad_hex = 'zz']", "[x-all:a_bin IN ('alice')]",
		"[ipv4-addr:value ISSUBSET '198.51.100.0/24']", "[ipv4-addr:value ISSUBSET '198.51.100.5']", "[ipv6-addr:value ISSUBSET '2001:db8::/32']", "[ipv6-addr:value ISSUPERSET '2001:db8::1']", "[ipv6-addr:value ISSUPERSET '2001:db8:0:1::/64']",
		"[x-all:net ISSUBSET '10.1.0.0/16']", "[x-all:net ISSUPERSET '10.1.255.255']", "[ipv4-addr:value NOT ISSUBSET '2001:db8::/32']", "[ipv4-addr:value ISSUBSET '0.0.0.0/0']",
		"[EXISTS file:name]", "[EXISTS file:parent_directory_ref.path]", "[NOT EXISTS file:content_ref]", "[EXISTS x-all:n]", "[NOT EXISTS file:hashes.'SHA-1' AND file:size = 1280]",
	)
	check(t, o, false,
		"[x-all:i = '5']", "[x-all:i = true]", "[x-all:t = 1]", "[x-all:s = 'HELLO']", "[x-all:big = 9007199254740992]", "[x-all:n = 'x']", "[x-all:n > 'x']", "[x-all:u = 'd\u0323\u0307']",
		"[x-all:i NOT != 'x']", "[x-all:i > 'x']", "[x-all:i NOT > 'x']", "[x-all:s < 5]", "[x-all:i LIKE '5']", "[x-all:s LIKE 'ell']", "[x-all:s MATCHES '^ello']", "[x-all:s IN ()]", "[x-all:i IN ('5')]",
		"[x-all:missing != 'x']", "[x-all:missing NOT = 'x']", "[x-all:missing NOT IN ('x')]", "[x-all:i.j != 5]", "[x-other:i != 5]", "[EXISTS x-other:i]", "[NOT EXISTS x-other:i]", "[EXISTS x-all:missing]",
		"[x-all:u = h'1e0d']", "[x-all:a_bin MATCHES '\u0103']", "[x-all:a_bin = '\u0103']", "[ipv4-addr:value ISSUBSET '2001:db8::/32']", "[ipv4-addr:value ISSUPERSET '198.51.100.0/24']", "[x-all:s ISSUBSET '10.0.0.0/8']",
		"[ipv6-addr:value ISSUBSET '2001:db8::/64']", "[mutex:name LIKE '%']", "[observed-data:number_observed = 1]", "[email-addr:value LIKE '%']",
	)
}

// TestPaths: how paths lead to values, through references too (STIX 2.1 section 9.7.1).
func TestPaths(t *testing.T) {
	t.Parallel()
	o := mustRead(t, scene)
	check(t, o, true,
		"[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "[file:hashes.'SHA-256' = 'ab']", "[file:parent_directory_ref.path = 'C:\\\\temp']", "[network-traffic:src_ref.value = '198.51.100.5']",
		"[network-traffic:dst_ref.type = 'ipv6-addr']", "[network-traffic:src_ref = 'ipv4-addr--1']", "[email-message:to_refs[*].value = 'y@example.com']", "[email-message:to_refs[0].value = 'x@example.com']", "[email-message:to_refs[1] = 'email-addr--2']",
		"[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]", "[file:extensions.'windows-pebinary-ext'.sections[1].name = '.data']", "[network-traffic:protocols[*] = 'tcp']", "[network-traffic:protocols[+2] = 'https']",
		"[x-all:list[1][0] = 2]", "[x-all:list[*][*] = 3]", "[x-all:list[*].k = 'v']", "[x-all:'has-hyphen'.'a.b' = 1]", "[network-traffic:protocols[*] != 'tcp']",
	)
	check(t, o, false,
		"[email-message:from_ref.value LIKE '%']", "[email-message:from_ref.value != 'x']", "[network-traffic:protocols = 'tcp']", "[network-traffic:protocols[9] = 'tcp']", "[network-traffic:protocols[-1] = 'https']", "[file:name[0] = 'E']",
		"[x-all:list[0][0] = 1]", "[file:size.x = 1]", "[email-message:to_refs.value = 'x@example.com']",
		"[file:extensions.'windows-pebinary-ext'.sections[0].name = '.data']",
	)
}

// TestOneObjectSatisfiesABracket: comparisons in one pair of brackets look at one object.
func TestOneObjectSatisfiesABracket(t *testing.T) {
	t.Parallel()
	o := mustRead(t, `{"type":"observed-data","id":"observed-data--1","first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,
 "objects":{"0":{"type":"p","name":"alice","age":10,"knows_ref":"1"},"1":{"type":"p","name":"bob","age":15}}}`)
	check(t, o, true, "[p:name = 'alice' AND p:age < 12]", "[p:name = 'carol' OR p:age > 12]", "[p:name = 'alice' OR p:age > 1000 AND p:age < 0]", "[(p:name = 'carol' OR p:name = 'bob') AND p:age > 12]", "[p:knows_ref.name = 'bob']")
	check(t, o, false, "[p:name = 'alice' AND p:age > 12]", "[(p:name = 'alice' OR p:age > 1000) AND p:age < 0]", "[p:name = 'alice'] AND [p:name = 'bob']")
}

// people are observations at seconds of one minute, a letter each: a name, its first
// and last second, and how many times.
func people(tb rapid.TB, rows ...string) *Observed {
	tb.Helper()
	var b strings.Builder
	for i, row := range rows {
		var name string
		var first, last, times int
		if _, err := fmt.Sscanf(row, "%s %d %d %d", &name, &first, &last, &times); err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintf(&b, `{"type":"observed-data","id":"%s%d","first_observed":"2026-01-01T00:00:%02dZ","last_observed":"2026-01-01T00:00:%02dZ","number_observed":%d,"objects":{"0":{"type":"p","n":"%s"}}}`+"\n",
			name, i, first, last, times, name)
	}
	return mustRead(tb, b.String())
}

// of turns letters into tests: a is [p:n = 'a'], * any.
func of(text string) string {
	var b strings.Builder
	for _, word := range strings.SplitAfter(text, " ") {
		bare := strings.Trim(word, "() ")
		if len(bare) == 1 && (bare >= "a" && bare <= "z" || bare == "*") {
			value := "= '" + bare + "'"
			if bare == "*" {
				value = "LIKE '%'"
			}
			word = strings.Replace(word, bare, "[p:n "+value+"]", 1)
		}
		b.WriteString(word)
	}
	return b.String()
}

// TestObservations: joints and qualifiers (STIX 2.1 sections 9.3 to 9.5).
func TestObservations(t *testing.T) {
	t.Parallel()
	o := people(t, "a 0 0 1", "b 5 5 1", "c 10 10 1", "d 20 30 3")
	for text, want := range map[string]bool{
		"a AND b": true, "a AND z": false, "a AND a": false, "a AND *": true, "d AND d AND d": true, "d AND d AND d AND d": false,
		"a OR z": true, "y OR z": false, "a AND (y OR b)": true, "a OR y AND z": true, "(a OR y) AND z": false,
		"a FOLLOWEDBY b": true, "b FOLLOWEDBY a": false, "a FOLLOWEDBY b FOLLOWEDBY c": true, "a FOLLOWEDBY c FOLLOWEDBY b": false, "a FOLLOWEDBY a": false, "d FOLLOWEDBY d": true,
		"b AND a FOLLOWEDBY c": true, "b FOLLOWEDBY a AND c": false, "(a AND c) FOLLOWEDBY b": false, "(b FOLLOWEDBY c) AND a": true, "a OR y FOLLOWEDBY z": false, "z OR b FOLLOWEDBY y OR c": true,
		"a WITHIN 1 SECONDS": true, "d WITHIN 1 SECONDS": true, "(a AND b) WITHIN 5 SECONDS": true, "(a AND b) WITHIN 4.999 SECONDS": false, "a AND b WITHIN 1 SECONDS": true, "(c AND d) WITHIN 10 SECONDS": true,
		"(c AND d) WITHIN 9 SECONDS": false, "(a AND d) WITHIN 20 SECONDS": true, "(a FOLLOWEDBY b) WITHIN 5 SECONDS": true, "((a AND b) WITHIN 5 SECONDS AND c) WITHIN 10 SECONDS": true, "((a AND b) WITHIN 5 SECONDS AND c) WITHIN 9 SECONDS": false,
		"d REPEATS 3 TIMES": true, "d REPEATS 4 TIMES": false, "* REPEATS 6 TIMES": true, "* REPEATS 7 TIMES": false, "d REPEATS 2 TIMES AND d": true, "d REPEATS 2 TIMES AND d REPEATS 2 TIMES": false,
		"* REPEATS 3 TIMES WITHIN 10 SECONDS": true, "* REPEATS 6 TIMES WITHIN 20 SECONDS": true, "* REPEATS 6 TIMES WITHIN 19 SECONDS": false, "(a OR b) REPEATS 2 TIMES": true, "(a OR b) REPEATS 3 TIMES": false, "(a AND d) REPEATS 2 TIMES": false, "(* AND *) REPEATS 3 TIMES": true,
		"a REPEATS 99999999999999999999 TIMES": false, "d WITHIN 99999999999999999999 SECONDS": true,
		"b START t'2026-01-01T00:00:05Z' STOP t'2026-01-01T00:00:06Z'": true, "b START t'2026-01-01T00:00:04Z' STOP t'2026-01-01T00:00:05Z'": false, "b START t'2026-01-01T00:00:05Z' STOP t'2026-01-01T00:00:05Z'": false,
		"b START t'2026-01-01T00:00:06Z' STOP t'2026-01-01T00:00:04Z'": false, "d START t'2026-01-01T00:00:30Z' STOP t'2026-01-01T00:00:40Z'": true, "d START t'2026-01-01T00:00:10Z' STOP t'2026-01-01T00:00:20Z'": false,
		"(a AND b) START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:05Z'": false, "a AND b START t'2026-01-01T00:00:05Z' STOP t'2026-01-01T00:00:06Z'": true,
		"* REPEATS 3 TIMES START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:11Z'": true, "* START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:11Z' REPEATS 4 TIMES": false,
	} {
		check(t, o, want, of(text))
	}
	got, err := matched(t, of("c AND a"), o)
	if err != nil || strings.Join(got.IDs, " ") != "a0 c2" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestFollowedByAlongIntervals: an observation that lasts is at whatever moment suits.
func TestFollowedByAlongIntervals(t *testing.T) {
	t.Parallel()
	check(t, people(t, "a 0 10 1", "b 5 5 1"), true, of("a FOLLOWEDBY b"), of("b FOLLOWEDBY a"))
	check(t, people(t, "a 6 10 1", "b 0 5 1"), false, of("a FOLLOWEDBY b"))
	check(t, people(t, "a 5 5 1", "b 5 5 1"), true, of("a FOLLOWEDBY b"), of("b FOLLOWEDBY a"))
}

// TestManyObservationsAreDecided: patterns whose combinations are too many to try
// are answered by looking ahead.
func TestManyObservationsAreDecided(t *testing.T) {
	t.Parallel()
	var rows []string
	for i := range 40 {
		rows = append(rows, fmt.Sprintf("a %d %d 1", i, i))
	}
	o := people(t, rows...)
	check(t, o, true, of("* REPEATS 40 TIMES"), of("(a FOLLOWEDBY a) REPEATS 20 TIMES"), of("a REPEATS 9 TIMES WITHIN 8 SECONDS"), of(strings.Repeat("a AND ", 39)+"a"), of("a REPEATS 5 TIMES REPEATS 8 TIMES"))
	check(t, o, false, of("a REPEATS 41 TIMES"), of("a REPEATS 10 TIMES WITHIN 8 SECONDS"), of(strings.Repeat("a AND ", 40)+"a"), of("(a AND *) REPEATS 41 TIMES"))
}

// TestOneObservationForMany: an observation of a thousand million times is no
// thousand million steps.
func TestOneObservationForMany(t *testing.T) {
	t.Parallel()
	o := people(t, "a 0 0 1000000000", "b 30 30 1000000000", "c 40 40 1")
	check(t, o, true, of("* REPEATS 1500000000 TIMES"), of("a REPEATS 1000000000 TIMES WITHIN 1 SECONDS"), of("c AND * REPEATS 2000000000 TIMES"))
	check(t, o, false, of("* REPEATS 1500000000 TIMES WITHIN 20 SECONDS"), of("a REPEATS 900000000 TIMES START t'2026-01-01T00:00:01Z' STOP t'2026-01-01T00:00:40Z'"), of("* REPEATS 2000000002 TIMES"))
}

// TestTooCostlyIsSaid: what cannot be decided in time is an error, not an answer.
func TestTooCostlyIsSaid(t *testing.T) {
	t.Parallel()
	var rows []string
	for i := range 40 {
		rows = append(rows, fmt.Sprintf("%c %d %d 1", 'a'+i%2, i, i))
	}
	text := of("(" + strings.Repeat("(a OR b) AND ", 20) + "(a OR b)) WITHIN 19 SECONDS")
	if got, err := matched(t, text, people(t, rows...)); !errors.Is(err, ErrTooCostly) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestNotCompiled: what is grammatical and cannot be run, with the place.
func TestNotCompiled(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[a:b = 1 AND a:c MATCHES '(?=x)']": "column 14: this regular expression", "[a:b IN (1, true)]": "column 2: a set holds constants of one type", "[a:b = 1] WITHIN 0 SECONDS": "column 11: WITHIN 0",
		"[a:b = 1] WITHIN 0.00 SECONDS": "WITHIN 0.0", "[a:b = 1] REPEATS 0 TIMES": "column 11: REPEATS 0", "[a:b ISSUBSET 'x']": "column 2: ISSUBSET needs", "[a:b = t'2023-02-30T00:00:00Z']": "column 2",
	} {
		if _, err := matched(t, text, &Observed{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestTextThatIsNoTimestamp is an error: as "unequal" it would go unnoticed.
func TestTextThatIsNoTimestamp(t *testing.T) {
	t.Parallel()
	o := mustRead(t, scene)
	for _, text := range []string{"[x-all:s = t'2026-01-01T00:00:00Z']", "[x-all:s != t'2026-01-01T00:00:00Z']", "[x-all:s NOT < t'2026-01-01T00:00:00Z']", "[x-all:s IN (t'2026-01-01T00:00:00Z')]"} {
		if got, err := matched(t, text, o); err == nil || !strings.Contains(err.Error(), "x-all:s: compared with a timestamp") {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	check(t, o, false, "[x-all:i = t'2026-01-01T00:00:00Z']")
}

func TestReadObserved(t *testing.T) {
	t.Parallel()
	one := `{"type":"observed-data","id":"observed-data--1","first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"object_refs":["url--1"]}`
	url := `{"type":"url","id":"url--1","value":"http://x.example/"}`
	for name, text := range map[string]string{
		"ndjson": one + "\n" + url, "array": "[" + url + "," + one + "]", "bundles": `{"type":"bundle","objects":[` + one + `]} {"type":"bundle","objects":[` + url + `]}`, "envelope": `{"objects":[` + one + "," + url + `]}`,
	} {
		if o := mustRead(t, text); o.Len() != 1 {
			t.Errorf("%s: %d", name, o.Len())
		} else if got, err := matched(t, "[url:value LIKE 'http%']", o); err != nil || !got.Matched {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for text, want := range map[string]string{
		"{": "document 1", "5": "a JSON object is wanted", url + " [[[{}]]]": "document 2: arrays of arrays", `{"type":"bundle","objects":[5]}`: "no object",
		strings.Replace(one, `:1,`, `:0,`, 1): "number_observed is 0", strings.Replace(one, `"number_observed":1,`, ``, 1): "needs number_observed", strings.Replace(one, `01T`, `31T`, 1): "last_observed is before",
		strings.Replace(one, `"first_observed"`, `"x"`, 1): "needs first_observed", strings.Replace(one, `00Z`, `00`, 1): "first_observed: ",
	} {
		if o, err := ReadObserved([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", text, o, err, want)
		}
	}
}

// FuzzMatch: no pattern and no observations make the matcher panic or run away.
func FuzzMatch(f *testing.F) {
	for _, p := range []string{"[x-all:i = 5] AND [file:size > 5]", "([x-all:list[*][*] IN (1, 2)] REPEATS 2 TIMES) WITHIN 5 SECONDS", "[email-message:to_refs[*].value LIKE '%_'] FOLLOWEDBY [EXISTS file:name]", `[file:magic_number_hex MATCHES '\\x90|[a-z]+$']`} {
		f.Add(p, scene)
	}
	f.Add("[a:b = 1]", `{"type":"observed-data","objects":{"0":{"type":"a","b_ref":"0"}}}`)
	f.Fuzz(func(t *testing.T, text, data string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		m, err := Compile(p)
		if err != nil {
			return
		}
		o, err := ReadObserved([]byte(data))
		if err != nil {
			return
		}
		one, errOne := m.Match(o)
		again, errAgain := m.Match(o)
		if one.Matched != again.Matched || (errOne == nil) != (errAgain == nil) {
			t.Fatalf("%q: %v, then %v", text, one, again)
		}
	})
}
