package feed

import (
	"bytes"
	"regexp"
)

// mixedToken is a part of a URL that has a * beside other text: firewalls take the
// * as a whole part only.
var mixedToken = regexp.MustCompile(`(?:[^./+=?&]+\*[^./+=?&]*)|(?:[^./+=?&]*\*[^./+=?&]+)`)

// broadHost is nothing but wildcards and a top level domain.
var broadHost = regexp.MustCompile(`^(?:\*\.)+[a-zA-Z]+(?::[0-9]+)?$`)

// writePanosURL writes entries for a PAN-OS external list of URLs.
func writePanosURL(r *render, entries []entry) error {
	for i := range entries {
		text, _ := r.l.bytes(&entries[i])
		u := r.schemeless(text)
		u, hadPort := cutPort(u)
		if hadPort && !r.q.stripPort {
			continue
		}
		if plain := wildParts(u); !bytes.Equal(plain, u) {
			host, _, _ := bytes.Cut(plain, []byte("/"))
			if r.q.dropMixed || broadHost.Match(host) {
				continue
			}
			u = plain
		}
		if bytes.IndexByte(u, '/') < 0 && !r.q.noSlash {
			u = append(u, '/')
		}
		if rest, ok := bytes.CutPrefix(u, []byte("*.")); ok {
			r.line(rest) // there *.x does not match x
		}
		r.line(u)
	}
	return nil
}

// schemeless returns text in lower case without what stands before //, in a buffer
// of r's.
func (r *render) schemeless(text []byte) []byte {
	b := r.buffer[:0]
	for _, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	r.buffer = b
	i := 0
	for j := i; j < len(b); j++ {
		if b[j] == ':' && j > i {
			i = j + 1
		} else if b[j] < 'a' || b[j] > 'z' {
			break
		}
	}
	if rest, ok := bytes.CutPrefix(b[i:], []byte("//")); ok {
		return rest
	}
	return b
}

// cutPort drops :digits behind the host, in place.
func cutPort(u []byte) ([]byte, bool) {
	host := 0
	for host < len(u) && (u[host]-'a' < 26 || u[host]-'0' < 10 || u[host] == '-' || u[host] == '.') {
		host++
	}
	end := host
	for host > 0 && end+1 < len(u) && u[end] == ':' && u[end+1]-'0' < 10 {
		for end++; end < len(u) && u[end]-'0' < 10; {
			end++
		}
	}
	if end == host {
		return u, false
	}
	return append(u[:host], u[end:]...), true
}

// wildParts turns every mixed part into a *.
func wildParts(u []byte) []byte {
	if bytes.IndexByte(u, '*') < 0 {
		return u
	}
	return mixedToken.ReplaceAllLiteral(u, []byte("*"))
}
