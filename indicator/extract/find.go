package extract

import (
	"errors"
	"strings"

	"github.com/remeld/remeld/indicator"
)

// minToken is the length of the shortest indicator there is: a.bc, ::1 is not
// worth finding.
const minToken = 4

// finder looks for indicators in one token at a time.
type finder struct {
	opts      Options
	yield     func(Match) error
	line, col int // of the token
	err       error
}

// find reports what token holds. Each stage cuts the token into disjoint pieces,
// so that the work is linear in its length.
func (f *finder) find(token string, quoted bool) error {
	f.err = nil
	f.token(token, f.col, quoted)
	return f.err
}

func (f *finder) token(token string, col int, quoted bool) {
	text, skip := trim(token)
	col += skip
	if len(text) < minToken || f.err != nil {
		return
	}
	plain := indicator.Refang(text)
	if start := schemeAt(plain); start >= 0 {
		f.urlToken(text, plain, start, col)
		return
	}
	if plain == text {
		plain = undash(text)
	}
	defanged := plain != text
	if f.whole(text, plain, col, defanged) || f.err != nil {
		return
	}
	f.pieces(text, col, quoted)
}

// pieces cuts at what joins words without white space: key=value, a:b, (x), CSV
// in quotes; then what is left at slashes.
func (f *finder) pieces(text string, col int, quoted bool) {
	for _, cuts := range []string{",;", "=&?#!$^*~", "()[]{}", ":", "/", "\x80"} {
		if cuts == "/" && (strings.HasPrefix(text, "/") || strings.Contains(text, "//")) {
			return
		}
		if cutAny(text, cuts, func(piece string, at int) {
			f.token(piece, col+at, quoted)
		}) {
			return
		}
	}
	f.digestRuns(text, col)
}

// cutAny calls fn for the pieces of s between bytes of cuts ("\x80" stands for
// every non-ASCII byte) and reports whether there was anything to cut.
func cutAny(s, cuts string, fn func(piece string, at int)) bool {
	start, cut := 0, false
	for n := range len(s) {
		if cuts == "\x80" && s[n] < 0x80 || cuts != "\x80" && strings.IndexByte(cuts, s[n]) < 0 {
			continue
		}
		if !cut && cuts == "()[]{}" && !strings.ContainsAny(s, "()[]{}") {
			return false
		}
		cut = true
		if n > start {
			fn(s[start:n], start)
		}
		start = n + 1
	}
	if cut && start < len(s) {
		fn(s[start:], start)
	}
	return cut
}

// urlToken reports the URL that begins with a scheme at start of plain. What
// stands before it (url=, [text]() is of no interest.
func (f *finder) urlToken(text, plain string, start, col int) {
	plain = indicator.Refang(plain[start:])
	if start > 0 {
		if at := schemeAt(text); at >= 0 {
			col, text = col+at, text[at:]
		}
	}
	plain = trimURL(plain)
	if !f.wants(indicator.URL) {
		return
	}
	i, err := indicator.Parse(indicator.URL, plain)
	var refusal *indicator.Refusal
	if errors.As(err, &refusal) {
		f.refuse(col, refusal)
		return
	}
	// The scheme says that it is a URL, whatever its top-level domain.
	if name, addr := i.Host(); !addr.IsValid() && strings.IndexByte(name, '.') < 0 {
		return
	}
	f.report(trimURL(text), col, i)
}

// trimURL drops closing punctuation that belongs to the sentence: what closes a
// bracket that was not opened inside, and everything behind it.
func trimURL(s string) string {
	var depth [3]int
	for n := range len(s) {
		if open := strings.IndexByte("([{", s[n]); open >= 0 {
			depth[open]++
		} else if closing := strings.IndexByte(")]}", s[n]); closing >= 0 {
			if depth[closing]--; depth[closing] < 0 {
				s = s[:n]
				break
			}
		}
	}
	return strings.TrimRight(s, closers)
}

const closers = ".,;:!?*"

// trim drops punctuation around a token and returns how much of it was in front.
func trim(s string) (string, int) {
	n := 0
	for n < len(s) && strings.IndexByte("([{*=-.,;:!?#~+&/@$%^", s[n]) >= 0 && !fang(s[n:]) {
		if s[n] == ':' && strings.HasPrefix(s[n:], "::") || s[n] == '/' {
			break
		}
		n++
	}
	s = trimEnd(s[n:])
	if strings.HasPrefix(s, "_") && strings.HasSuffix(s, "_") { // emphasis; _dmarc.a.com is a name
		rest := strings.TrimLeft(s, "_")
		n += len(s) - len(rest)
		s = strings.TrimRight(rest, "_")
	}
	return s, n
}

// undash reads a-dot-b for a.b in a text without any dot: with one, the word is
// part of a name, as clouds have them.
func undash(s string) string {
	if strings.IndexByte(s, '.') >= 0 || strings.IndexByte(s, '-') < 0 {
		return s
	}
	lower := strings.ToLower(s)
	if len(lower) != len(s) || !strings.Contains(lower, "-dot-") {
		return s
	}
	return strings.NewReplacer("-dot-", ".", "-at-", "@").Replace(lower)
}

// trimEnd drops closing punctuation, brackets only where nothing opens them.
func trimEnd(s string) string {
	var surplus [3]int // closing less opening, of each bracket
	for n := range len(s) {
		if open := strings.IndexByte("([{", s[n]); open >= 0 {
			surplus[open]--
		} else if closing := strings.IndexByte(")]}", s[n]); closing >= 0 {
			surplus[closing]++
		}
	}
	for s != "" {
		last := s[len(s)-1]
		closing := strings.IndexByte(")]}", last)
		switch {
		case strings.IndexByte(closers+"=-&", last) >= 0:
		case closing >= 0 && surplus[closing] > 0:
			surplus[closing]--
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// fang reports whether s begins with a bracketed dot or the like.
func fang(s string) bool {
	return len(s) > 2 && strings.IndexByte("[({", s[0]) >= 0 && indicator.Refang(s[:3]) != s[:3]
}

// schemeAt returns where the scheme before "://" begins, -1 without one.
func schemeAt(s string) int {
	end := strings.Index(s, "://")
	if end < 0 {
		end = strings.Index(s, "[:]//")
	}
	start := end
	for start > 0 && end-start < maxScheme && isAlnum(s[start-1]) {
		start--
	}
	for start >= 0 && start < end && s[start] <= '9' {
		start++
	}
	if start == end {
		return -1
	}
	return start
}

// maxScheme is longer than any scheme in use.
const maxScheme = 16

func isAlnum(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func (f *finder) wants(k indicator.Kind) bool {
	if len(f.opts.Kinds) == 0 {
		return true
	}
	for _, want := range f.opts.Kinds {
		if k.In(want) {
			return true
		}
	}
	return false
}

func (f *finder) report(text string, col int, i indicator.Indicator) {
	if f.err == nil && f.wants(i.Kind) {
		f.err = f.yield(Match{Line: f.line, Col: col, Text: text, Indicator: i})
	}
}

func (f *finder) refuse(col int, why *indicator.Refusal) {
	if f.err == nil {
		f.err = f.yield(Match{Line: f.line, Col: col, Text: why.Text, Refusal: why})
	}
}

// tooLong refuses an overlong token that begins like a URL and passes over every
// other: it is data.
func (f *finder) tooLong(token []byte) error {
	head := indicator.Refang(string(token[:64]))
	if schemeAt(head) != 0 {
		return nil
	}
	_, err := indicator.Parse(indicator.URL, string(token))
	var refusal *indicator.Refusal
	if !errors.As(err, &refusal) {
		return nil
	}
	f.err = nil
	f.refuse(f.col, refusal)
	return f.err
}
