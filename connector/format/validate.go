package format

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// kindHelp is shown where a kind is misspelt.
const kindHelp = "ip, ipv4, ipv6, domain, url, email, hash, md5, sha1, sha256, sha512, certificate and others; see the reference"

// problems collects *sdk.FieldError.
type problems []error

func (p *problems) add(path, help, format string, args ...any) {
	*p = append(*p, &sdk.FieldError{Path: path, Msg: fmt.Sprintf(format, args...), Help: help})
}

// Validate returns everything that is wrong, as *sdk.FieldError.
func (o *Options) Validate() []error {
	var p problems
	p.kind("kind", o.Kind)
	p.lineRegexp(o.Line)
	if _, err := regexp.Compile(o.Ignore); err != nil {
		p.add("ignore", "RE2 syntax, as in Go and grep -E without back references", "not a regular expression: %v", err)
	}
	for i, c := range o.Comments {
		if c == "" {
			p.add(fmt.Sprintf("comments.%d", i), "give a prefix such as #, or leave comments: [] for none", "an empty prefix would drop every line")
		}
	}
	chosen := o.chosen()
	if len(chosen) > 1 {
		p.add(chosen[1], "keep one of them", "a body has one format, but %s are given", strings.Join(chosen, " and "))
	}
	if o.CSV != nil {
		o.CSV.validate(&p)
	}
	o.JSON.validate(&p, "json")
	o.NDJSON.validate(&p, "ndjson")
	if o.Text != nil {
		for i, k := range o.Text.Kinds {
			p.kind(fmt.Sprintf("text.kinds.%d", i), k)
		}
	}
	return p
}

// chosen lists the format keys that are set.
func (o *Options) chosen() []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"line", o.Line != ""}, {"csv", o.CSV != nil}, {"json", o.JSON != nil}, {"ndjson", o.NDJSON != nil}, {"text", o.Text != nil}} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

func (p *problems) kind(path, name string) {
	if _, ok := indicator.ParseKind(name); name != "" && !ok {
		p.add(path, kindHelp, "no kind is called %q", name)
	}
}

func (p *problems) lineRegexp(text string) {
	re, err := regexp.Compile(text)
	switch {
	case err != nil:
		p.add("line", "RE2 syntax, as in Go and grep -E without back references", "not a regular expression: %v", err)
	case text != "" && !slices.Contains(re.SubexpNames(), indicatorGroup):
		p.add("line", `write the value's part as (?P<indicator>\S+)`, "no group is named indicator")
	}
}

func (c *CSV) validate(p *problems) {
	if len(c.Columns) == 0 {
		p.add("csv.columns", "columns: [{name: ip, kind: ipv4}]", "no column holds the indicators")
	}
	for i, col := range c.Columns {
		path := fmt.Sprintf("csv.columns.%d", i)
		p.kind(path+".kind", col.Kind)
		if (col.Name == "") == (col.Index == 0) || col.Index < 0 {
			p.add(path, "name: its header, or index: its number from 1", "a column needs a name or a number, and not both")
		}
	}
	for name, col := range c.Fields {
		if col == "" {
			p.add("csv.fields."+name, "the column's header name, or its number from 1", "no column is named")
		}
	}
	if _, err := oneRune(c.Delimiter, ','); err != nil {
		p.add("csv.delimiter", "one character, or tab", "%v", err)
	}
	if r, err := oneRune(c.Comment, '#'); err != nil || r == c.comma() {
		p.add("csv.comment", "one character that is not the delimiter", "not usable as a comment mark: %q", c.Comment)
	}
	if !slices.Contains([]string{"", `"`, "'", "none"}, c.Quote) {
		p.add("csv.quote", `", ' or none`, "not usable as a quote: %q", c.Quote)
	}
}

// comma is the delimiter, a comma where the setting is wrong.
func (c *CSV) comma() rune {
	r, err := oneRune(c.Delimiter, ',')
	if err != nil {
		return ','
	}
	return r
}

func oneRune(s string, def rune) (rune, error) {
	switch s {
	case "":
		return def, nil
	case "tab", `\t`:
		return '\t', nil
	}
	r, n := utf8.DecodeRuneInString(s)
	if n != len(s) || r == utf8.RuneError || r == '\n' || r == '\r' || r == '"' || r == 0 {
		return 0, fmt.Errorf("%q is not one usable character", s)
	}
	return r, nil
}

func (j *JSON) validate(p *problems, at string) {
	if j == nil {
		return
	}
	p.path(at+".items", j.Items)
	for i, v := range j.Values {
		path := fmt.Sprintf("%s.values.%d", at, i)
		p.kind(path+".kind", v.Kind)
		p.path(path+".kind_from", v.KindFrom)
		p.path(path+".path", v.Path)
	}
	for name, expr := range j.Fields {
		p.path(at+".fields."+name, expr)
	}
}

func (p *problems) path(at, expr string) {
	if _, err := compilePath(expr); err != nil {
		p.add(at, "see https://jmespath.org/specification.html", "not a JMESPath expression: %v", err)
	}
}
