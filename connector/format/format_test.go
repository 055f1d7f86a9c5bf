package format

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// with returns the default options, changed.
func with(change func(*Options)) Options {
	o := Defaults()
	if change != nil {
		change(&o)
	}
	return o
}

func parse(tb testing.TB, o Options, body string) (string, error) {
	tb.Helper()
	p, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	var out sdktest.RecordingSink
	_, err = p.Parse(context.Background(), strings.NewReader(body), &out)
	return out.String(), err
}

func check(t *testing.T, o Options, body, want string) {
	t.Helper()
	got, err := parse(t, o, body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func kind(k string) func(*Options) { return func(o *Options) { o.Kind = k } }

func TestFirstWord(t *testing.T) {
	check(t, with(kind("ipv4")), "\ufeff# list\r\n192.0.2.1\tseen\r\n\r\n ; note\n// note\n  192.0.2.0/24 ; SBL1\n198.51.100.7:8080\n198[.]51[.]100[.]9\n192.0.2.9/\nnonsense here\n192.0.2.2", `
+ ipv4 192.0.2.0/24
+ ipv4 192.0.2.1
+ ipv4 192.0.2.2
+ ipv4 192.0.2.9
+ ipv4 198.51.100.7 {"port":8080}
+ ipv4 198.51.100.9
! 10 not_an_address "nonsense"
`)
}

func TestDetection(t *testing.T) {
	check(t, with(nil), `example.com
hxxp://example[.]com/x
[2001:db8::1]:443
example.org:8443
d41d8cd98f00b204e9800998ecf8427e
a@example.com
`, `
+ ipv6 2001:db8::1 {"port":443}
+ domain example.com
+ domain example.org {"port":8443}
+ url http://example.com/x
+ email a@example.com
+ md5 d41d8cd98f00b204e9800998ecf8427e
`)
}

func TestRepairsCanBeSwitchedOff(t *testing.T) {
	o := with(func(o *Options) { o.Kind, o.Refang, o.SplitPort = "ip", false, false })
	check(t, o, "192.0.2.1\n192.0.2[.]2\n192.0.2.3:80\n", `
+ ipv4 192.0.2.1
! 2 not_an_address "192.0.2[.]2"
! 3 has_port "192.0.2.3:80"
`)
}

func TestLineRegexp(t *testing.T) {
	o := with(func(o *Options) {
		o.Kind, o.Ignore = "ipv4", `^\s*(id|$)`
		o.Line = `^(?P<indicator>\S+)\s+(?P<lists>\d+)(?:\s+(?P<confidence>\d+))?(?:\s+(?P<code>\S+))?`
	})
	check(t, o, "id lists\n192.0.2.1 7 80 007\n192.0.2.2 3 170\n192.0.2.3 4\nnoise\n192.0.2.4 1 \xff\n", `
+ ipv4 192.0.2.1 {"confidence":80,"extra":{"code":"007","lists":7}}
+ ipv4 192.0.2.2 {"confidence":100,"extra":{"lists":3}}
+ ipv4 192.0.2.3 {"extra":{"lists":4}}
! 3 bad_attribute "confidence"
! 5 no_match "noise"
! 6 bad_utf8 "192.0.2.4 1 `+"\ufffd"+`"
`)
}

func TestCSV(t *testing.T) {
	o := with(func(o *Options) {
		o.CSV = &CSV{
			Columns: []Column{{Name: "ioc", KindFrom: "ioc_type"}, {Name: "SHA256", Kind: "sha256"}},
			Fields:  map[string]string{"confidence": "score", "malware": "family"},
		}
	})
	check(t, o, `"ioc", "ioc_type", sha256, "score","family"
"192.0.2.1:4444","ip:port",,75,"Some, ""Thing"""
# comment
example.com,domain,e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855,,
,,,50,empty
x"y,domain,,,
`, `
+ ipv4 192.0.2.1 {"confidence":75,"port":4444,"extra":{"malware":"Some, \"Thing\""}}
+ domain example.com
+ sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
! 5 no_value ",,,50,empty"
! 6 bad_row ""
`)
}

func TestCSVDialects(t *testing.T) {
	for name, tc := range map[string]struct {
		csv  CSV
		body string
	}{
		"by number":     {CSV{Columns: []Column{{Index: 2, Kind: "domain"}}, Fields: map[string]string{"description": "1"}}, "note,example.com\n"},
		"tab":           {CSV{Columns: []Column{{Name: "d", Kind: "domain"}}, Fields: map[string]string{"description": "n"}, Delimiter: "tab"}, "n\td\nnote\texample.com\n"},
		"single quotes": {CSV{Columns: []Column{{Index: 2, Kind: "domain"}}, Fields: map[string]string{"description": "1"}, Quote: "'"}, "'note','example.com'\n"},
		"no quotes":     {CSV{Columns: []Column{{Index: 2, Kind: "domain"}}, Fields: map[string]string{"description": "1"}, Quote: "none", Delimiter: ";", Comment: "%"}, "% c\nnote;example.com\n"},
		"lazy":          {CSV{Columns: []Column{{Index: 2, Kind: "domain"}}, Fields: map[string]string{"description": "1"}, Header: true, Lazy: true}, "h,h\nnote,example.com\n"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, with(func(o *Options) { o.CSV = &tc.csv }), tc.body, "+ domain example.com {\"description\":\"note\"}\n")
		})
	}
}

func TestCSVUnclosedQuoteIsBounded(t *testing.T) {
	o := with(func(o *Options) { o.CSV = &CSV{Columns: []Column{{Index: 1, Kind: "domain"}}} })
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	src := &endless{head: "example.com\n\"never closed\n", unit: "and so on\n", left: 64 << 20}
	var out sdktest.RecordingSink
	_, err = p.Parse(context.Background(), src, &out)
	if err == nil || !strings.Contains(err.Error(), "never closed, perhaps; set csv.quote") {
		t.Fatal(err)
	}
	if src.left < 60<<20 {
		t.Errorf("read %d bytes behind the quote", 64<<20-src.left)
	}
}

// A quote that is never closed hides rows: they are not gone from the feed.
func TestE4_CSVRowsHiddenByAQuoteMakeTheReadIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		lazy bool
		body string
		want string // "" = complete
	}{
		"to the end":           {false, "a.example.com,\"one\nb.example.com,two\n", "line 1"},
		"to another quote":     {false, "z.example.com,0\na.example.com,\"one\nb.example.com,\"two\"x\nc.example.com,3\n", "line 2"},
		"lazy, to the end":     {true, "a.example.com,\"one\nb.example.com,two\n", "line 1"},
		"a bad row of one":     {false, "a.example.com,\"o\"ne\nb.example.com,two\n", ""},
		"a line end in quotes": {false, "a.example.com,\"one\ntwo\"\n", ""},
		"lazy, in quotes":      {true, "a.example.com,\"one\ntwo\"\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := with(func(o *Options) {
				o.CSV = &CSV{Columns: []Column{{Index: 1, Kind: "domain"}}, Lazy: tc.lazy}
			})
			_, err := parse(t, o, tc.body)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestCSVTwoColumnsOfOneNameAreAnError(t *testing.T) {
	o := with(func(o *Options) { o.CSV = &CSV{Columns: []Column{{Name: "host", Kind: "domain"}}} })
	if _, err := parse(t, o, "n,Host,host,HOST,host\n1,a.example.com,b.example.com\n"); err == nil || !strings.Contains(err.Error(), "number 3 and number 5") {
		t.Errorf("got %v", err)
	}
}

func TestCSVMissingColumnNamesTheHeader(t *testing.T) {
	o := with(func(o *Options) { o.CSV = &CSV{Columns: []Column{{Name: "ip"}}} })
	_, err := parse(t, o, "address,score\n192.0.2.1,5\n")
	if err == nil || !strings.Contains(err.Error(), `no column "ip"; its header is "address, score"`) {
		t.Error(err)
	}
}

func TestJSON(t *testing.T) {
	for items, body := range map[string]string{
		"":              `["192.0.2.1","192.0.2.2"]`,
		"[]":            `["192.0.2.1","192.0.2.2"]`,
		"data.ips[]":    `{"meta":{"x":[1]},"data":{"n":1,"ips":["192.0.2.1","192.0.2.2"]},"more":2}`,
		"data.ips":      `{"data":{"ips":["192.0.2.1","192.0.2.2"]}}`,
		"*[].ips[]":     `{"a":[{"ips":["192.0.2.1"]}],"b":[{"ips":["192.0.2.2"]}]}`,
		"x[?ok].ip":     `{"x":[{"ok":true,"ip":"192.0.2.1"},{"ok":false,"ip":"192.0.2.9"},{"ok":true,"ip":"192.0.2.2"}]}`,
		"data.\"i-p\"":  `{"data":{"i-p":["192.0.2.1","192.0.2.2"]}}`,
		"@":             "\ufeff[\"192.0.2.1\", \"192.0.2.2\"]\n",
		"d[*]":          `{"d":["192.0.2.1","192.0.2.2"], "d2":{}}`,
		"data.list[].i": `{"data":{"list":[{"i":"192.0.2.1"},{"i":"192.0.2.2"}]}}`,
	} {
		t.Run(items, func(t *testing.T) {
			o := with(func(o *Options) { o.JSON = &JSON{Items: items} })
			check(t, o, body, "+ ipv4 192.0.2.1\n+ ipv4 192.0.2.2\n")
		})
	}
}

func TestJSONItems(t *testing.T) {
	j := &JSON{
		Items:  "iocs[]",
		Values: []Value{{Path: "value", KindFrom: "type"}, {Path: "hashes.*", Kind: "hash"}},
		Fields: map[string]string{"confidence": "score", "tags": "labels", "case": "id", "first_seen": "seen"},
	}
	body := `{"iocs":[
{"value":"example.com","type":"hostname","score":60,"labels":["b","a"],"id":12345678901234567890,"seen":"2026-01-02T03:04:05Z"},
{"hashes":{"m":"d41d8cd98f00b204e9800998ecf8427e"},"id":1152921504606846977},
{"type":"none"}]}`
	check(t, with(func(o *Options) { o.JSON = j }), body, `
+ domain example.com {"confidence":60,"tags":["a","b"],"first_seen":"2026-01-02T03:04:05.000Z","extra":{"case":12345678901234567000}}
+ md5 d41d8cd98f00b204e9800998ecf8427e {"extra":{"case":1152921504606846977}}
! 0 no_value "{\"type\":\"none\"}"
`)
}

func TestNDJSON(t *testing.T) {
	o := with(func(o *Options) {
		o.NDJSON = &JSON{Values: []Value{{Path: "ip", Kind: "ip"}}, Fields: map[string]string{"severity": "sev"}}
	})
	check(t, o, "{\"ip\":\"192.0.2.1\",\"sev\":3}\n\n{\"ip\":\n{\"ip\":[\"192.0.2.2\",\"x\"]}\n", `
+ ipv4 192.0.2.1 {"severity":3}
+ ipv4 192.0.2.2
! 3 bad_row "{\"ip\":"
! 4 not_an_address "x"
`)
}

func TestText(t *testing.T) {
	o := with(func(o *Options) { o.Text = &Text{Kinds: []string{"ip", "domain"}} })
	check(t, o, "The host evil[.]example[.]com (192.0.2.1) answered;\nhxxp://x.example/y did not.\n", `
+ ipv4 192.0.2.1
+ domain evil.example.com
`)
}

func TestWhatIsNoFeedIsAnError(t *testing.T) {
	json := with(func(o *Options) { o.JSON = &JSON{Items: "data.x[]"} })
	for name, tc := range map[string]struct {
		o          Options
		body, says string
	}{
		"login page":   {with(kind("ip")), "<!DOCTYPE html>\n<html><body>\nPlease log in\n", "HTML page"},
		"packed":       {with(nil), strings.Repeat("\x01\x8f\xc3\x12q\xfe\x99\n", 50), "binary data"},
		"image":        {with(nil), "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\n\x01\x02\n", "binary data"},
		"utf-16":       {with(nil), "\xff\xfe1\x009\x002\x00", "UTF-16"},
		"utf-16 plain": {with(nil), strings.Repeat("1\x00.\x00", 20), "UTF-16"},
		"other kind":   {with(kind("sha256")), "example.com\nexample.org\n", `first: line 1: "example.com"`},
		"cut JSON":     {json, `{"data":{"x":["192.0.2.1","192.`, "not valid JSON, or was cut off"},
		"cut behind":   {json, `{"data":{"x":["192.0.2.1"]},"more":`, "not valid JSON, or was cut off"},
		"no such path": {json, `{"data":{"y":[]},"rest":1}`, "nothing at data.x; names there: y, rest"},
		"ndjson":       {json, "{\"data\":{\"x\":[\"192.0.2.1\"]}}\n{\"data\":{}}\n", "ndjson"},
		"array, wrong": {json, `["a"]`, "nothing at data.x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, tc.o, tc.body)
			var e *sdk.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v does not say %q", err, tc.says)
			}
		})
	}
}

func TestEmptyBodiesAreComplete(t *testing.T) {
	csv := with(func(o *Options) { o.CSV = &CSV{Columns: []Column{{Name: "x"}}} })
	for _, o := range []Options{with(nil), csv, with(func(o *Options) { o.JSON = &JSON{Items: "a.b"} }), with(func(o *Options) { o.NDJSON = &JSON{} }), with(func(o *Options) { o.Text = &Text{} })} {
		check(t, o, "", "")
	}
	check(t, with(nil), "# nothing today\n", "")
	check(t, with(func(o *Options) { o.JSON = &JSON{Items: "data"} }), `{"data":null}`, "")
}

// endless is a body of head, then unit over and over.
type endless struct {
	head, unit string
	left       int
	rest       string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		if e.rest, e.head = e.head, ""; e.rest == "" {
			e.rest = strings.Repeat(e.unit, 1+4096/len(e.unit))
		}
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), e.left)], e.rest)
	e.rest = e.rest[n:]
	e.left -= n
	return n, nil
}

func TestOverlongLineIsOneRefusal(t *testing.T) {
	for _, length := range []int{MaxLine - 10, MaxLine + 1, MaxLine + chunkSize, 40 << 20} {
		body := io.MultiReader(strings.NewReader("192.0.2.1\n"), &endless{unit: "x", left: length}, strings.NewReader("\n192.0.2.2\n"))
		p, err := New(with(kind("ip")))
		if err != nil {
			t.Fatal(err)
		}
		var out sdktest.RecordingSink
		res, err := p.Parse(context.Background(), body, &out)
		if err != nil || res.Added != 2 || res.Refused != 1 {
			t.Fatalf("line of %d: %+v, %v", length, res, err)
		}
		refused := out.Refused()[0]
		if long := refused.Why.Reason == ReasonLineTooLong; long != (length > MaxLine) || refused.Line != 2 {
			t.Errorf("line of %d: %+v", length, refused)
		}
	}
}

// The same body gives the same set however it arrives, with the same line numbers.
func TestLinesDoNotDependOnChunks(t *testing.T) {
	var b strings.Builder
	for i := range 60000 {
		fmt.Fprintf(&b, "host%d.example.com\n", i)
		if i%10000 == 0 {
			b.WriteString("bad value\n")
		}
	}
	p, err := New(with(kind("domain")))
	if err != nil {
		t.Fatal(err)
	}
	read := func(r io.Reader) *sdktest.RecordingSink {
		var out sdktest.RecordingSink
		if _, err := p.Parse(context.Background(), r, &out); err != nil {
			t.Fatal(err)
		}
		return &out
	}
	whole, dribbled := read(strings.NewReader(b.String())), read(iotest.HalfReader(strings.NewReader(b.String())))
	if whole.String() != dribbled.String() {
		t.Error("the result depends on how the body arrives")
	}
	if r := whole.Refused(); len(whole.Added()) != 60000 || len(r) != 6 || r[5].Line != 50007 {
		t.Errorf("%d added, refused %v", len(whole.Added()), r)
	}
}

func TestErrorsOfBodyAndSinkEndTheRead(t *testing.T) {
	broken := errors.New("broken")
	long := strings.Repeat("192.0.2.1\n", 200000)
	p, err := New(with(kind("ip")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(context.Background(), io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)), &sdktest.RecordingSink{})
	if !errors.Is(err, broken) {
		t.Errorf("body: %v", err)
	}
	_, err = p.Parse(context.Background(), strings.NewReader(long), &sdktest.RecordingSink{Fail: broken})
	if !errors.Is(err, broken) {
		t.Errorf("sink: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = p.Parse(ctx, strings.NewReader(long), &sdktest.RecordingSink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestGarbageIsNotReadToItsEnd(t *testing.T) {
	src := &endless{unit: "garbage garbage\n", left: 64 << 20}
	p, err := New(with(kind("ip")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(context.Background(), src, &sdktest.RecordingSink{})
	if !errors.Is(err, ErrNoFeed) || src.left < 50<<20 {
		t.Errorf("%v, %d bytes left", err, src.left)
	}
}

func TestE3_FingerprintFollowsTheParseConfig(t *testing.T) {
	seen := map[string]string{}
	for name, o := range map[string]Options{
		"default": with(nil), "kind": with(kind("ip")), "line": with(func(o *Options) { o.Line = `(?P<indicator>\S+)` }),
		"csv":  with(func(o *Options) { o.CSV = &CSV{Columns: []Column{{Name: "a"}}} }),
		"csv2": with(func(o *Options) { o.CSV = &CSV{Columns: []Column{{Name: "a", Kind: "ip"}}} }),
	} {
		f := o.Fingerprint()
		if other, taken := seen[f]; taken {
			t.Errorf("%s and %s share a fingerprint", name, other)
		}
		seen[f] = name
	}
}

func TestValidate(t *testing.T) {
	o := with(func(o *Options) {
		o.Kind, o.Line, o.Ignore, o.Comments = "ipv5", `(?P<value>\S+)`, "(", []string{""}
		o.CSV = &CSV{Columns: []Column{{}, {Name: "a", Index: 1}}, Delimiter: "ab", Quote: "|", Comment: ",", Fields: map[string]string{"x": ""}}
		o.JSON = &JSON{Items: "a[", Values: []Value{{Path: "a."}}, Fields: map[string]string{"x": "]"}}
		o.Text = &Text{Kinds: []string{"nothing"}}
	})
	var paths []string
	for _, err := range o.Validate() {
		var fe *sdk.FieldError
		if !errors.As(err, &fe) {
			t.Fatalf("%v is no *sdk.FieldError", err)
		}
		paths = append(paths, fe.Path)
	}
	want := []string{"kind", "line", "ignore", "comments.0", "csv", "csv.columns.0", "csv.columns.1", "csv.fields.x",
		"csv.delimiter", "csv.comment", "csv.quote", "json.items", "json.values.0.path", "json.fields.x", "text.kinds.0"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	if errs := (&Options{}).Validate(); len(errs) != 0 {
		t.Errorf("the zero options: %v", errs)
	}
}
