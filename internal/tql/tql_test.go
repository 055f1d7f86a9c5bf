package tql

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sampleRecord() *indicator.Record {
	return &indicator.Record{
		Indicator: indicator.Indicator{Kind: indicator.IPv4, Value: "192.0.2.7"},
		Attrs: indicator.Attributes{
			Confidence: indicator.Known(80), TLP: indicator.Amber,
			Tags:        []string{"APT28", "C2"},
			Owner:       "Org A",
			Description: "Seen by Bob",
			FirstSeen:   now.Add(-30 * time.Minute),
			Extra: map[string]any{
				"lists": "7", "Score": int64(5), "ok": true, "names": []string{"Foo", "bar"},
				"when": "2026-02-28T00:00:00Z", "half": 0.5, "word": "Hello",
			},
		},
	}
}

func of(kind indicator.Kind, value string) *indicator.Record {
	return &indicator.Record{Indicator: indicator.Indicator{Kind: kind, Value: value}}
}

func match(t *testing.T, rec *indicator.Record, query string) Truth {
	t.Helper()
	f, err := Compile(query, Options{AllowExtra: true})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	got := f.Match(rec, &Env{Now: now})
	again, err := Compile(f.String(), Options{AllowExtra: true})
	if err != nil {
		t.Fatalf("%s prints as %s: %v", query, f, err)
	}
	if second := again.Match(rec, &Env{Now: now}); second != got {
		t.Errorf("%s is %v, printed as %s it is %v", query, got, f, second)
	}
	return got
}

func TestMatch(t *testing.T) {
	rec := sampleRecord()
	for query, want := range map[string]Truth{
		// text: case does not count, but for descriptions and tag names
		`owner = "org a"`: True, `ownerName != "ORG A"`: False, `owner_name in ("x", "ORG a")`: True,
		`owner not in ("x", "y")`: True, `description contains "Bob"`: True, `description contains "bob"`: False,
		`tag = "apt28"`: True, `hasTag(name = "apt28")`: False, `hasTag(name = "APT28")`: True, `hasTag(summary = "apt28")`: True,
		// LIKE is anchored; _ is a letter as any
		`owner like "org%"`: True, `owner like "rg%"`: False, `owner like "%A"`: True, `owner like "O%g%a"`: True,
		`owner like "org a"`: True, `owner like "org_a"`: False, `owner like "%"`: True, `owner like "o%o%"`: False,
		`owner startswith "ORG"`: True, `owner endswith ("z", "A")`: True, `owner not startswith "x"`: True,
		// several values: any for =, none for != and NOT
		`tags = "C2"`: True, `tags != "c2"`: False, `tags != "x"`: True, `tags not in ("x", "C2")`: False,
		`tags not like "%x%"`: True, `not hasTag(name = "x")`: True, `hasTag(name = "APT28" and name = "C2")`: False,
		`hasTag(name = "APT28") and hasTag(name = "C2")`: True, `hasAllTags(name in ("C2", "APT28"))`: True,
		`hasAllTags(name in ("C2", "x"))`: False, `tags is null`: False, `kill_chain is null`: True, `kill_chain != "x"`: True,
		// numbers, quoted ones too
		`confidence = 80`: True, `confidence >= "80"`: True, `confidence GT 80`: False, `confidence LEQ 80.0`: True,
		`confidence in (1, "80")`: True, `confidence not in (1, 2)`: True, `confidence<81`: True, `confidence > -1`: True,
		// unknown is not 0 and is no answer
		`rating = 0`: Null, `rating != 3`: Null, `rating not in (3)`: Null, `not rating = 3`: Null, `rating is null`: True,
		`rating is not null`: False, `(rating = 0 or rating is null)`: True, `rating > 3 or confidence = 80`: True,
		`rating > 3 and confidence = 80`: Null, `rating > 3 and confidence = 1`: False, `not (rating > 3 and confidence = 1)`: True,
		`threat_type not like "%x%"`: Null, `valid_until < "2030-01-01"`: Null,
		`falsePositiveCount <= 2`: True, `port = 443`: Null,
		// labels are ordered
		`tlp <= "amber"`: True, `tlp < "TLP:AMBER+STRICT"`: True, `tlp = "white"`: False, `tlp > "GREEN"`: True,
		`securityLabel = "tlp:amber"`: True, `hasSecurityLabel(name = "TLP:RED")`: False, `tlp in ("red", "amber")`: True,
		// kinds and families
		`kind = "ip"`: True, `kind = "ipv4"`: True, `kind != "ip"`: False, `kind in ("hash", "domain")`: False,
		`kind like "ip%"`: True, `typeName = "address"`: True, `typeName = "CIDR"`: False, `not kind = "file"`: True,
		// networks
		`address_cidr = "192.0.2.0/24"`: True, `addressCIDR in ("10.0.0.0/8", "192.0.2.1/29")`: True,
		`addressCidr not in "192.168.1.1/8"`: False, `addressCidr != "10.0.0.0/8"`: True, `addressCidr = "192.0.2.7"`: True,
		// dates
		`first_seen >= "NOW() - 1 HOUR"`: True, `first_seen >= NOW() - 29 MINUTES`: False, `dateAdded > TODAY()`: True,
		`dateAdded > "TODAY() + 12 hours"`: False, `first_seen < "2026-03-01"`: False, `first_seen > "2026-02-28 23:59:59"`: True,
		`first_seen = "2026-03-01T11:30:00Z"`: True, `first_seen != "2026-03-01T11:30:00Z"`: False, `first_seen > "NOW()-1 week"`: True,
		`first_seen = "2026-03-01T12:30:00+01:00"`: True, `first_seen > NOW() -1 MONTH`: True,
		// free attributes
		`lists > 5`: True, `lists = "7"`: True, `lists = 7.0`: True, `extra.lists in (1, 7)`: True, `score = 5`: True,
		`ok = true`: True, `ok != true`: False, `names = "foo"`: True, `names not in ("BAR")`: False, `word > 3`: Null,
		`when >= "2026-01-01"`: True, `when > NOW()`: False, `half < 1`: True, `missing = 1`: Null, `missing is null`: True,
		`word like "he%"`: True, `word != "hello"`: False, `missing != 1`: Null, `lists like "7%"`: True,
		// precedence and spelling
		`confidence = 1 and confidence = 2 or confidence = 80`: True, `confidence = 80 or confidence = 1 and confidence = 2`: True,
		`NOT confidence = 1 AND NOT confidence = 2`: True, `not not confidence = 80`: True, `CONFIDENCE==80`: True,
		`first_SEEN is not null`: True, `FirstSeen IS NOT NULL`: True, `indicatorActive = True`: True, `indicatorActive != "true"`: False,
	} {
		if got := match(t, rec, query); got != want {
			t.Errorf("%s = %v, want %v", query, got, want)
		}
	}
}

func TestMatch_Kinds(t *testing.T) {
	for _, c := range []struct {
		rec   *indicator.Record
		query string
		want  Truth
	}{
		{of(indicator.IPv4, "10.0.0.0/8"), `typeName = "CIDR"`, True},
		{of(indicator.IPv4, "10.0.0.0/8"), `typeName = "Address"`, False},
		{of(indicator.IPv4, "10.0.0.0/8"), `kind = "ip"`, True},
		{of(indicator.IPv4, "10.0.0.0/8"), `address_cidr = "10.0.0.0/9"`, False},
		{of(indicator.IPv4, "10.0.0.1-10.0.0.9"), `address_cidr = "10.0.0.0/28"`, True},
		{of(indicator.IPv4, "10.0.0.1-10.0.0.19"), `address_cidr = "10.0.0.0/28"`, False},
		{of(indicator.IPv6, "2001:db8::1"), `address_cidr = "2001:db8::/32"`, True},
		{of(indicator.IPv6, "2001:db8::1"), `address_cidr = "0.0.0.0/0"`, False},
		{of(indicator.Domain, "example.com"), `address_cidr in "10.0.0.0/8"`, False},
		{of(indicator.Domain, "example.com"), `address_cidr not in "10.0.0.0/8"`, False},
		{of(indicator.Domain, "example.com"), `not address_cidr in "10.0.0.0/8"`, True},
		{of(indicator.Domain, "example.com"), `typeName = "Host"`, True},
		{of(indicator.Email, "a@example.com"), `typeName like "Email%"`, True},
		{of(indicator.EmailSubject, "Hi"), `typeName like ("Email%")`, True},
		{of(indicator.SHA256, strings.Repeat("a", 64)), `kind = "file"`, True},
		{of(indicator.SHA256, strings.Repeat("a", 64)), `typeName = "File" and kind = "hash"`, True},
		{of(indicator.JA3, strings.Repeat("a", 32)), `typeName = "File"`, Null},
		{of(indicator.Domain, "bücher.example"), `value contains "BÜCHER"`, True},
		{of(indicator.UserAgent, "Ünïcode Ä"), `value endswith "ä"`, True},
		{of(indicator.UserAgent, "AZ@[az"), `value = "az@[AZ"`, True},
		{of(indicator.UserAgent, "AZ@[az"), `value contains "{"`, False},
		{of(indicator.UserAgent, "Plain"), `value in ("a", "b", "c", "d", "e", "f", "g", "h", "i", "PLAIN")`, True},
	} {
		if got := match(t, c.rec, c.query); got != c.want {
			t.Errorf("%s over %s = %v, want %v", c.query, c.rec.Value, got, c.want)
		}
	}
}

func TestE12_UsesClock(t *testing.T) {
	for query, want := range map[string]bool{
		`first_seen > "NOW() - 1 HOUR"`: true, `first_seen > TODAY()`: true, `last_seen is null`: true,
		`lastModified > "2026-01-01"`: true, `hasTag(name = "NOW()")`: false, `first_seen > "2026-01-01"`: false,
		`description = "NOW()"`: false, `confidence > 5 and (tag = "a" or not first_seen > NOW())`: true,
	} {
		f, err := Compile(query, Options{})
		if err != nil || f.UsesClock() != want {
			t.Errorf("%s: %v, UsesClock not %v", query, err, want)
		}
	}
	f, _ := Compile(`first_seen > "NOW() - 1 HOUR"`, Options{})
	if got := f.Match(sampleRecord(), nil); got != Null {
		t.Errorf("without a clock: %v", got)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		query     string
		line, col int
		msg, help string
	}{
		{"", 1, 1, "empty", "confidence"},
		{"confidense >= 70", 1, 1, `"confidense"`, `"confidence"`},
		{"confidence >= 70 an tag = \"x\"", 1, 18, "after a complete", `"AND"`},
		{"confidence >= 70\n  and ratng > 3", 2, 7, `"ratng"`, `"rating"`},
		{`tag contians "x"`, 1, 5, "operator", `"CONTAINS"`},
		{`tag gte 3`, 1, 5, "operator", "GEQ"},
		{`tag > "x"`, 1, 5, "not valid", "CONTAINS"},
		{`confidence like "x"`, 1, 12, "not valid", ">="},
		{`confidence = "high"`, 1, 14, "number", ""},
		{`confidence = (1, 2)`, 1, 14, "one value", "IN"},
		{`tag = "x`, 1, 7, "without an end", "close it"},
		{`(tag = "x"`, 1, 1, "never closed", `add ")"`},
		{`tag = "x")`, 1, 10, `without "("`, ""},
		{`tag in ("x"`, 1, 8, "never closed", ""},
		{`tag in ("x" "y")`, 1, 13, "list", "commas"},
		{`tag = x`, 1, 7, "no quotes", `"x"`},
		{`tlp <= "ambr"`, 1, 8, "tlp", `"amber"`},
		{`kind = "domian"`, 1, 8, "kind", `"domain"`},
		{`first_seen > "yesterday"`, 1, 14, "date", "NOW()"},
		{`first_seen > "NOW() - 1 FORTNIGHT"`, 1, 14, "date", "HOURS"},
		{`first_seen > NOW() - HOUR`, 1, 22, "not complete", "NOW() - 1 HOUR"},
		{`address_cidr = "300.0.0.0/8"`, 1, 16, "network", "192.0.2.0/24"},
		{`indicator_active = "maybe"`, 1, 20, "true or false", ""},
		{`hasTag = "x"`, 1, 1, "parentheses", "hasTag("},
		{`confidence(x = 1)`, 1, 1, "no condition", ""},
		{`hasTag(label = "x")`, 1, 8, `"label"`, "name"},
		{`hasAllTags(name = "a" and name = "b")`, 1, 12, "one list", ""},
		{`rating is 5`, 1, 11, "NULL", "="},
		{`rating = null`, 1, 10, "NULL", "IS NULL"},
		{`tag = “x”`, 1, 7, "unexpected character", "quotes"},
		{`tag <> "x"`, 1, 5, "operator", "!="},
		{`tag ~ "x"`, 1, 5, "unexpected character", "LIKE"},
		{`not`, 1, 4, "condition is missing", ""},
		{`tag = "ä" and rating > > 1`, 1, 24, "value is missing", ""},
		{`confidence > 12abc`, 1, 14, "no number", ""},
		{`and tag = "x"`, 1, 1, "condition is missing", ""},
		{strings.Repeat("(", 100) + "rating = 1" + strings.Repeat(")", 100), 1, 65, "nesting", ""},
		{strings.Repeat("not ", 100) + "rating = 1", 1, 257, "nesting", ""},
	} {
		_, err := Compile(c.query, Options{})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.60q: error %v", c.query, err)
			continue
		}
		if e.Line != c.line || e.Col != c.col || !strings.Contains(e.Msg, c.msg) || !strings.Contains(e.Suggestion, c.help) {
			t.Errorf("%.60q: got %v", c.query, e)
		}
	}
}

func TestPrinter_Canonical(t *testing.T) {
	for query, want := range map[string]string{
		`rating>=4`: `severity >= 4`, `(tag='a"b')`: `tags = "a\"b"`,
		`not(tag="a" or tag="b")`:             `NOT (tags = "a" OR tags = "b")`,
		`tag="a" and (tag="b" and (tag="c"))`: `tags = "a" AND tags = "b" AND tags = "c"`,
		`tag="a" or tag="b" and tag="c"`:      `tags = "a" OR (tags = "b" AND tags = "c")`,
		`confidence > "50"`:                   `confidence > 50`,
		`HASTAG(NAME IN ('a','b'))`:           `hasTag(name IN ("a", "b"))`,
		`first_seen > now() - 1 hour`:         `first_seen > "NOW() - 1 HOUR"`,
		`indicatorActive = True`:              `indicator_active = true`,
		`typename not in ('File')`:            `type_name NOT IN ("File")`,
	} {
		f, err := Compile(query, Options{})
		if err != nil || f.String() != want {
			t.Errorf("%s: %v, %v; want %s", query, f, err, want)
		}
	}
}

func TestWarnings_NameNegatedSetParameters(t *testing.T) {
	f, err := Compile(`tag != "x" and owner != "y"`, Options{})
	if err != nil || len(f.Warnings()) != 1 || !strings.Contains(f.Warnings()[0], "tags") {
		t.Errorf("%v, %v", f.Warnings(), err)
	}
}

func TestSchema_AnotherSubject(t *testing.T) {
	type group struct{ name string }
	s := NewSchema().Add(Param{Name: "name", Type: Text, Text: func(s any) (string, bool) { return s.(*group).name, true }})
	f, err := Compile(`NAME like "apt%"`, Options{Schema: s})
	if err != nil || f.MatchAny(&group{"APT28"}, nil) != True {
		t.Errorf("%v, %v", f, err)
	}
}

func TestFilter_Concurrently(t *testing.T) {
	f, err := Compile(`confidence >= 70 and hasTag(name = "C2") and extra.word like "he%"`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if f.Match(sampleRecord(), nil) != True {
					t.Error("not true")
				}
			}
		})
	}
	wg.Wait()
}
