package extract

import (
	"bytes"
	"strconv"
)

// The classes of bytes; 0 is part of a token.
const (
	delimiter = 1 + iota
	separator // a delimiter unless the token is in double quotes
	lead      // may begin a non-ASCII delimiter
	dot       // a dot of another shape
	stop      // a full stop of another script: a dot between letters and digits
	nothing   // has no width: put into a value so that it does not match
)

var classes = func() (t [256]byte) {
	for b := range 0x21 {
		t[b] = delimiter
	}
	for _, b := range []byte("\"'`<>|\x7f") {
		t[b] = delimiter
	}
	t[','], t[';'] = separator, separator
	t[0xC2], t[0xE2], t[0xE3], t[0xEF] = lead, lead, lead, lead
	return t
}()

// marks are the bytes of which every indicator but a digest or an AS number has
// one, defanged or not; most words of prose have none.
var marks = [256]bool{'.': true, ':': true, '@': true, '[': true, '(': true, '{': true, '-': true}

// wideChar returns the width of the character that begins with b, and what it is
// to a word: 0 for a part of it, with a width of 1. It knows general punctuation
// (U+2000–206F), CJK punctuation (U+3000–303F), full-width brackets and commas,
// dots (U+2024, U+FF0E) and full stops in place of one (U+3002, U+FF61), and characters
// without width (soft hyphen, U+200B–200F, U+2060, U+FEFF).
func wideChar(b byte, next []byte) (width, what int) {
	if b == 0xC2 && len(next) > 0 {
		switch next[0] {
		case 0xA0, 0xAB, 0xBB: // space, guillemets
			return 2, delimiter
		case 0xAD:
			return 2, nothing
		}
	}
	if b == 0xC2 || len(next) < 2 {
		return 1, 0
	}
	switch u := uint32(b)<<16 | uint32(next[0])<<8 | uint32(next[1]); {
	case u == 0xE280A4 || u == 0xEFBC8E:
		return 3, dot
	case u == 0xE38082 || u == 0xEFBDA1:
		return 3, stop
	case u >= 0xE2808B && u <= 0xE2808F || u == 0xE281A0 || u == 0xEFBBBF:
		return 3, nothing
	case u >= 0xE28080 && u <= 0xE281AF || u >= 0xE38080 && u <= 0xE380BF:
		return 3, delimiter
	case u == 0xEFBC88 || u == 0xEFBC89 || u == 0xEFBC8C || u == 0xEFBC9A || u == 0xEFBC9B:
		return 3, delimiter
	}
	return 1, 0
}

// maxEntity bounds an entity without its ampersand.
const maxEntity = 8

// entities are those that stand in or around indicators.
var entities = map[string]byte{
	"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "nbsp": ' ', "period": '.', "colon": ':',
	"sol": '/', "commat": '@', "lpar": '(', "rpar": ')', "lsqb": '[', "rsqb": ']', "num": '#', "equals": '=', "quest": '?',
}

// unentity returns the character that an ampersand and next stand for and how much
// of next belongs to it: none, if next is no entity.
func unentity(next []byte) (text byte, used int) {
	end := bytes.IndexByte(next, ';')
	if end < 2 {
		return '&', 0
	}
	name := string(next[:end])
	if c, ok := entities[name]; ok {
		return c, end + 1
	}
	if name[0] != '#' {
		return '&', 0
	}
	base, digits := 10, name[1:]
	if digits[0]|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 8)
	if err != nil || n >= 0x7F {
		return '&', 0
	}
	return byte(n), end + 1
}
