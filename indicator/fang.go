package indicator

import "strings"

// fangs are the spellings that keep a value from being clicked, each with what it
// stands for. Matching is by the longest at a place, without regard to case.
var fangs = map[byte][]struct{ from, to string }{
	'[': {
		{"[.]", "."}, {"[,]", "."}, {"[dot]", "."}, {"[d]", "."}, {"[punkt]", "."}, {"[ . ]", "."},
		{"[ dot ]", "."}, {"[:]", ":"}, {"[://]", "://"}, {"[:/]/", "://"}, {"[:]//", "://"},
		{"[/]", "/"}, {"[at]", "@"}, {"[@]", "@"}, {"[ at ]", "@"}, {"[.", "."},
		{"[http]", "http"}, {"[https]", "https"}, {"[colon]", ":"}, {"[-]", "-"}, {"[www]", "www"},
	},
	'(': {
		{"(.)", "."}, {"(,)", "."}, {"(dot)", "."}, {"(d)", "."}, {"( . )", "."}, {"( dot )", "."},
		{"(:)", ":"}, {"(://)", "://"}, {"(/)", "/"}, {"(at)", "@"}, {"(@)", "@"}, {"( at )", "@"},
	},
	'{': {
		{"{.}", "."}, {"{,}", "."}, {"{dot}", "."}, {"{d}", "."}, {"{:}", ":"}, {"{://}", "://"},
		{"{/}", "/"}, {"{at}", "@"}, {"{@}", "@"},
	},
	'<':  {{"<.>", "."}, {"<dot>", "."}, {"<at>", "@"}, {"<@>", "@"}},
	'.':  {{".]", "."}},
	'\\': {{`\.`, "."}},
}

// Refang undoes what is written to keep a value from being clicked: hxxp://,
// [.], (dot), {.}, [at], [:], [://] and the like. Text without any of it comes
// back as it is. An IPv6 host in brackets is left alone.
func Refang(text string) string {
	out := refangScheme(text)
	if !strings.ContainsAny(out, `[({<\`) && !strings.Contains(out, ".]") {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(out); {
		from, to := fangAt(out[i:])
		if from == 0 {
			b.WriteByte(out[i])
			i++
			continue
		}
		b.WriteString(to)
		i += from
	}
	return refangScheme(b.String())
}

// fangAt returns the length of the fang that s begins with and what it means.
func fangAt(s string) (n int, to string) {
	for _, f := range fangs[s[0]] {
		if len(f.from) > n && hasPrefixFold(s, f.from) {
			n, to = len(f.from), f.to
		}
	}
	return n, to
}

// schemes are the defanged spellings, lower case, longest first.
var schemes = []struct{ from, to string }{
	{"hxxps", "https"}, {"hxtps", "https"}, {"htxps", "https"}, {"h**ps", "https"}, {"hxxp", "http"},
	{"hxtp", "http"}, {"htxp", "http"}, {"h**p", "http"}, {"meow", "http"}, {"fxps", "ftps"}, {"fxp", "ftp"},
	{"http", "http"}, {"https", "https"},
}

// refangScheme repairs the scheme at the start.
func refangScheme(s string) string {
	for _, f := range schemes {
		rest := trimPrefixFold(s, f.from)
		if len(rest) == len(s) {
			continue
		}
		for _, sep := range []string{"://", ":\\\\", "[:]//", "[://]", "[:/]/", "(:)//", "(://)", ":// ", "__", "[:]\\\\"} {
			if after, ok := strings.CutPrefix(rest, sep); ok {
				return f.to + "://" + after
			}
		}
	}
	return s
}

// Defang writes i so that no program makes a link of it: hxxp, [.] for the dots
// of the host, [@], [:] in IPv6. Refang of it parses to i again. Kinds that make
// no links come back as they are.
func Defang(i Indicator) string {
	switch i.Kind {
	case IPv4, Domain:
		return strings.ReplaceAll(i.Value, ".", "[.]")
	case IPv6:
		return strings.ReplaceAll(i.Value, ":", "[:]")
	case Email:
		at := strings.LastIndexByte(i.Value, '@')
		return i.Value[:at] + "[@]" + strings.ReplaceAll(i.Value[at+1:], ".", "[.]")
	case URL:
		return defangURL(i.Value)
	}
	return i.Value
}

func defangURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		scheme, rest = "", s
	} else {
		scheme = strings.Replace(scheme, "tt", "xx", 1) + "://"
	}
	end := indexAny(rest, "/?#")
	return scheme + strings.ReplaceAll(rest[:end], ".", "[.]") + rest[end:]
}
