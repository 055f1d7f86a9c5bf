package pattern

import "strings"

// Check reports the first thing in a pattern that the grammar lets through and that
// is still wrong: a hash compared with a text that is none, or a qualifier of one
// kind twice on one observation. The error is an *Error.
func (p *Pattern) Check() error {
	for c := range p.Comparisons() {
		if err := c.checkHash(); err != nil {
			return err
		}
	}
	if p.twice > 0 {
		return fault(p.src, int(p.twice), "this qualifier stands twice on one observation; put parentheses around the first")
	}
	return nil
}

// hexDigits are the lengths of the hashes, in hexadecimal digits, by names without
// hyphens in capitals.
var hexDigits = map[string][]int{
	"MD5": {32}, "MD6": {32, 40, 56, 64, 96, 128}, "RIPEMD160": {40}, "SHA1": {40}, "SHA224": {56},
	"SHA256": {64}, "SHA384": {96}, "SHA512": {128}, "SHA3224": {56}, "SHA3256": {64}, "SHA3384": {96},
	"SHA3512": {128}, "WHIRLPOOL": {128},
}

// checkHash looks at comparisons for equality alone: with LIKE or MATCHES a part of
// a hash makes sense.
func (c Comparison) checkHash() *Error {
	if op := c.Op(); op != Equal && op != NotEqual && op != In {
		return nil
	}
	name := c.Path().hash()
	if name == "" {
		return nil
	}
	folded := strings.ReplaceAll(strings.ToUpper(name), "-", "")
	for v := range c.Values() {
		if !hashText(folded, v.Text) || v.Kind != String && hexDigits[folded] != nil {
			return fault(c.p.src, c.Pos(), "%s is compared with %q, which is no %s hash", c.Path(), v.Text, name)
		}
	}
	return nil
}

// hash returns the name of the hash that a path leads to, "" if it is none.
func (p Path) hash() string {
	name, under := "", false
	for s := range p.Steps() {
		under = under || name == "hashes"
		name = s.Key
	}
	if !under {
		return ""
	}
	return name
}

func hashText(folded, text string) bool {
	if folded == "SSDEEP" {
		return ssdeepText(text)
	}
	lengths := hexDigits[folded]
	for _, n := range lengths {
		if len(text) == n && hexText(text) {
			return true
		}
	}
	return lengths == nil
}

func ssdeepText(s string) bool {
	for i := range len(s) {
		if c := s[i]; class[c]&isBase64 == 0 && c != ':' && c != '.' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 128
}
