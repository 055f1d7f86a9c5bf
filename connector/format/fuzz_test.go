package format

import (
	"context"
	"strings"
	"testing"

	"github.com/remeld/remeld/sdk/sdktest"
)

// fuzzFormat feeds body to one configuration: it must not panic, and every key it
// adds must be one (the sink decodes it).
func fuzzFormat(f *testing.F, o Options, seeds ...string) {
	f.Helper()
	for _, s := range append(seeds, "", "\x00", "\ufeff", "\xff\xfe", "<html>", "192.0.2.1:80\n[2001:db8::1]:1\n[:1\n", "a,\"b\n") {
		f.Add([]byte(s))
	}
	p, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var out sdktest.RecordingSink
		res, err := p.Parse(context.Background(), strings.NewReader(string(body)), &out)
		if err != nil && strings.Contains(err.Error(), "sdktest:") {
			t.Fatal(err)
		}
		if err == nil && int(res.Added) != len(out.Added()) {
			t.Fatalf("%d counted, %d added", res.Added, len(out.Added()))
		}
	})
}

func FuzzLine(f *testing.F) { fuzzFormat(f, Defaults(), "192.0.2.1\tx\nhxxp://a[.]b/c\n") }

func FuzzLineRegexp(f *testing.F) {
	fuzzFormat(f, with(func(o *Options) { o.Line = `(?P<indicator>\S+)(?:\s+(?P<confidence>\S+)\s*(?P<x>\S*))?` }), "192.0.2.1 5 x\n")
}

func FuzzCSV(f *testing.F) {
	fuzzFormat(f, with(func(o *Options) {
		o.CSV = &CSV{Columns: []Column{{Index: 1}, {Index: 3, KindFrom: "2"}}, Fields: map[string]string{"tlp": "4", "y": "5"}, Quote: "'"}
	}), "192.0.2.1,ip,'a''b',red,5\n")
}

func FuzzJSON(f *testing.F) {
	fuzzFormat(f, with(func(o *Options) {
		o.JSON = &JSON{Items: "a.b[]", Values: []Value{{Path: "v"}, {Path: "w[]"}}, Fields: map[string]string{"tags": "t", "x": "x"}}
	}), `{"a":{"b":[{"v":"192.0.2.1","w":[1],"t":["x"],"x":{}}]}}`)
}

func FuzzJSONExpression(f *testing.F) {
	fuzzFormat(f, with(func(o *Options) { o.JSON = &JSON{Items: "*[].b | [?v]", Values: []Value{{Path: "v"}}} }), `{"a":[{"b":{"v":"192.0.2.1"}}]}`)
}

func FuzzNDJSON(f *testing.F) {
	fuzzFormat(f, with(func(o *Options) { o.NDJSON = &JSON{Values: []Value{{Path: "v"}}} }), "{\"v\":\"192.0.2.1\"}\n{\n")
}

func FuzzText(f *testing.F) {
	fuzzFormat(f, with(func(o *Options) { o.Text = &Text{} }), "see 192[.]0.2.1 and hxxp://example.com/x")
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "@", "a.b", "a[?b=='c'].d | [0]", "sum(a)", "a[", "let $x = a in $x"} {
		f.Add(s)
	}
	item, err := decodeItem([]byte(`{"a":[{"b":"c","d":1}],"e":{"f":null}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, expr string) {
		if p, err := compilePath(expr); err == nil {
			_, _ = p.search(item) // must not panic; any answer will do
		}
	})
}
