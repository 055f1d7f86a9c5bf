package httpx

import (
	"net/url"
	"sort"
	"strings"
)

const hidden = "[secret]"

// redactor removes secrets from text that people read.
type redactor struct{ replace *strings.Replacer }

// newRedactor hides each secret as it is and as it looks in a query. Texts under
// four bytes are left alone: hiding every "a" would garble all messages and
// protect nothing.
func newRedactor(secrets []string) redactor {
	sort.Slice(secrets, func(i, j int) bool { return len(secrets[i]) > len(secrets[j]) })
	var pairs []string
	for _, s := range secrets {
		if len(s) < 4 {
			continue
		}
		pairs = append(pairs, s, hidden)
		for _, escaped := range []string{url.QueryEscape(s), url.PathEscape(s)} {
			if escaped != s {
				pairs = append(pairs, escaped, hidden)
			}
		}
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) text(s string) string { return r.replace.Replace(s) }

// url prints u without its user part and without the values of query parameters
// that look like credentials.
func (r redactor) url(u *url.URL) string {
	c := *u
	c.User = nil
	c.Fragment, c.RawFragment = "", ""
	c.RawQuery = redactQuery(u.RawQuery)
	return r.text(c.String())
}

// RedactURL prints a URL for people: no user part, no values of token-like query
// parameters. A text that is no URL is not shown at all.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	return redactor{strings.NewReplacer()}.url(u)
}

func redactQuery(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.Split(raw, "&")
	for i, p := range parts {
		name, _, has := strings.Cut(p, "=")
		plain, err := url.QueryUnescape(name)
		if has && (err != nil || tokenLike(plain)) {
			parts[i] = name + "=" + hidden
		}
	}
	return strings.Join(parts, "&")
}

// tokenWords are the pieces of a parameter's name that make its value a
// credential. "key" alone is one; "keyword" is not, since names are compared by
// words.
var tokenWords = map[string]bool{
	"token": true, "key": true, "apikey": true, "secret": true, "sig": true, "signature": true,
	"password": true, "passwd": true, "pwd": true, "pass": true, "auth": true, "authkey": true,
	"authorization": true, "credential": true, "credentials": true, "code": true, "session": true,
	"sessionid": true, "sid": true, "jwt": true, "accesstoken": true, "accesskey": true,
	"secretkey": true, "authtoken": true, "clientsecret": true, "licensekey": true, "oauth": true,
	"hmac": true, "bearer": true, "user": true, "username": true, "login": true,
}

func tokenLike(name string) bool {
	if tokenWords[squash(name)] {
		return true
	}
	for _, w := range words(name) {
		if tokenWords[w] {
			return true
		}
	}
	return false
}

func squash(name string) string { return strings.Join(words(name), "") }

// words cuts snake_case, kebab-case, dotted and camelCase names, lower-cased.
func words(name string) []string {
	var b strings.Builder
	prevLower := false
	for _, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && prevLower {
			b.WriteByte(' ')
		}
		switch {
		case upper:
			b.WriteRune(r + 'a' - 'A')
		case r == '_' || r == '-' || r == '.' || r == '[' || r == ']':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
		prevLower = r >= 'a' && r <= 'z'
	}
	return strings.Fields(b.String())
}
