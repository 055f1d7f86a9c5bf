package indicator

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxURL bounds a URL, in bytes.
const maxURL = 8192

// urlParts is a URL taken apart. Only scheme, host and port are normalised
// (RFC 3986 sections 6.2.2.1 and 6.2.3): everything else is kept byte for byte,
// because servers tell those spellings apart.
type urlParts struct {
	scheme  string // lower case, "" when the URL was written without one
	user    string // without the @
	hasUser bool
	name    string     // host name, when it is one
	addr    netip.Addr // host address, when it is one
	port    string     // "" for none or the default one
	rest    string     // path, query and fragment
}

// defaultPorts are dropped; a URL of one of these schemes with an empty path is
// the one with the path "/".
var defaultPorts = map[string]string{
	"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21",
}

// parseURL returns the canonical form. A URL without scheme (host/path) stays a
// value of its own: it is not the same as either the http or the https one.
func parseURL(s string) (string, *Refusal) {
	p, fault := splitURL(s)
	if fault != nil {
		return "", fault
	}
	return p.String(), nil
}

func splitURL(s string) (urlParts, *Refusal) {
	if fault := checkURLBytes(s); fault != nil {
		return urlParts{}, fault
	}
	var p urlParts
	rest := s
	if i := strings.Index(s, "://"); i >= 0 && i < indexAny(s, "/?#") {
		if fault := checkScheme(s[:i]); fault != nil {
			return p, fault
		}
		p.scheme, rest = strings.ToLower(s[:i]), s[i+3:]
	}
	end := indexAny(rest, "/?#")
	authority := rest[:end]
	p.rest = rest[end:]
	if strings.IndexByte(authority, '\\') >= 0 {
		return p, refuse(ReasonHost, "a backslash before the path: to browsers it ends the host, to other readers it does not")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		p.user, p.hasUser, authority = authority[:at], true, authority[at+1:]
	}
	host, fault := p.cutPort(authority)
	if fault != nil {
		return p, fault
	}
	if fault := p.setHost(host); fault != nil {
		return p, fault
	}
	return p, p.finish(end < len(rest))
}

// finish drops the default port, fills the empty path, and decides whether a text
// without scheme is a URL at all.
func (p *urlParts) finish(hasRest bool) *Refusal {
	def, known := defaultPorts[p.scheme]
	switch {
	case p.scheme == "" && !hasRest && p.port == "":
		return refuse(ReasonNotURL, "a bare host, without scheme or path")
	case p.scheme == "" && p.hasUser:
		return refuse(ReasonNotURL, "no scheme before the user name")
	case p.scheme == "" && !p.addr.IsValid() && strings.IndexByte(p.name, '.') < 0:
		return refuse(ReasonNotURL, "no scheme, and the host has no dot")
	}
	if known && p.port == def {
		p.port = ""
	}
	if (known || p.scheme == "") && !strings.HasPrefix(p.rest, "/") {
		p.rest = "/" + p.rest
	}
	return nil
}

func checkURLBytes(s string) *Refusal {
	if len(s) > maxURL {
		return refuse(ReasonTooLong, "a URL longer than 8192 bytes")
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			return refuse(ReasonSpace, "white space inside a URL")
		case c < ' ' || c == 0x7F:
			return refuse(ReasonControl, "a control character inside a URL")
		}
	}
	if !utf8.ValidString(s) {
		return refuse(ReasonUTF8, "not valid UTF-8")
	}
	return nil
}

func checkScheme(s string) *Refusal {
	if s == "" || hexValue[s[0]] < 10 {
		return refuse(ReasonScheme, "no scheme before ://")
	}
	for i := range len(s) {
		c := s[i]
		if nameByte[c] == 0 && c != '+' && c != '.' || c == '_' {
			if strings.ContainsAny(s, "[](){}") {
				return refuse(ReasonDefanged, "a bracket in the scheme; refang it first")
			}
			return refuse(ReasonScheme, "a character that schemes do not have")
		}
	}
	switch strings.ToLower(s) {
	case "hxxp", "hxxps", "hxtp", "hxtps", "htxp", "htxps", "h**p", "h**ps", "fxp", "meow":
		return refuse(ReasonDefanged, "a defanged scheme; refang it first")
	}
	return nil
}

// cutPort splits host and port, and canonicalises the port.
func (p *urlParts) cutPort(authority string) (host string, fault *Refusal) {
	host = authority
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || colon < strings.LastIndexByte(authority, ']') {
		return host, nil
	}
	host, port := authority[:colon], authority[colon+1:]
	if port == "" {
		return host, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || !isDigits(port) {
		return "", refuse(ReasonBadPort, "a port that is not a number from 0 to 65535")
	}
	p.port = strconv.FormatUint(n, 10)
	return host, nil
}

func (p *urlParts) setHost(host string) *Refusal {
	if host == "" {
		return refuse(ReasonHost, "no host")
	}
	if host[0] == '[' {
		return p.setAddr6(host)
	}
	if strings.ContainsAny(host, "[](){}") {
		return refuse(ReasonDefanged, "a bracket in the host; refang it first")
	}
	if strings.ContainsAny(host, `%\:`) {
		return refuse(ReasonHost, "a character that hosts do not have")
	}
	if v, ok := plainIPv4(strings.TrimSuffix(host, ".")); ok {
		p.addr = addr4(v)
		return nil
	}
	name, fault := canonicalName(host)
	if fault == nil {
		p.name = name
		return nil
	}
	if fault.Reason == ReasonNumericTLD {
		if trap := ipv4Fault(strings.TrimSuffix(host, ".")); trap.Reason != ReasonNotAddress {
			return trap
		}
	}
	return fault
}

func (p *urlParts) setAddr6(host string) *Refusal {
	inner, ok := strings.CutSuffix(host[1:], "]")
	if !ok {
		return refuse(ReasonHost, "a bracketed host that does not end")
	}
	if strings.IndexByte(inner, ':') < 0 {
		return refuse(ReasonDefanged, "a bracket in the host; refang it first")
	}
	addr, fault := parseAddr(inner)
	if fault != nil {
		return fault
	}
	p.addr = addr
	return nil
}

// String puts the canonical URL together.
func (p *urlParts) String() string {
	var b strings.Builder
	if p.scheme != "" {
		b.WriteString(p.scheme)
		b.WriteString("://")
	}
	if p.hasUser {
		b.WriteString(p.user)
		b.WriteByte('@')
	}
	switch {
	case p.name != "":
		b.WriteString(p.name)
	case p.addr.Is4():
		b.WriteString(p.addr.String())
	default:
		b.WriteByte('[')
		b.WriteString(p.addr.String())
		b.WriteByte(']')
	}
	if p.port != "" {
		b.WriteByte(':')
		b.WriteString(p.port)
	}
	b.WriteString(p.rest)
	return b.String()
}

// indexAny is strings.IndexAny with len(s) for "not found".
func indexAny(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}
