package config

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// inside returns the place of the byte at offset of a scalar's text in its file.
// Where references changed the text, it is the scalar's start.
func (l *loader) inside(v *value, offset int) Pos {
	if v.text != v.raw || v.pos.Line == 0 {
		return v.pos
	}
	w := walker{src: l.report.sources[v.pos.File], line: 1, col: 1, style: v.style}
	for w.line < v.pos.Line && w.more() {
		w.step()
	}
	for w.col < v.pos.Col && w.more() {
		w.step()
	}
	w.enter()
	prefix := v.text[:min(max(offset, 0), len(v.text))]
	w.follow(prefix)
	if len(prefix) < len(v.text) && !blank(v.text[len(prefix)]) {
		w.skipBlanks() // the character meant may stand on the next line
	}
	return Pos{File: v.pos.File, Line: w.line, Col: w.col}
}

// walker goes through the source of a scalar beside its text. Blanks are matched
// as runs, because YAML folds lines; all else is matched character by character.
type walker struct {
	src       []byte
	at        int
	line, col int
	style     yaml.Style
}

func (w *walker) more() bool { return w.at < len(w.src) }

// step passes one character of the source.
func (w *walker) step() {
	if !w.more() {
		return
	}
	_, size := utf8.DecodeRune(w.src[w.at:])
	if w.src[w.at] == '\n' {
		w.line, w.col = w.line+1, 0
	}
	w.at += size
	w.col++
}

func (w *walker) quoted() bool {
	return w.style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
}

// enter passes what comes before the text: a tag or anchor, the quote, or the
// header line of a block.
func (w *walker) enter() {
	for w.more() && (w.src[w.at] == '!' || w.src[w.at] == '&') {
		for w.more() && !blank(w.src[w.at]) {
			w.step()
		}
		w.skipBlanks()
	}
	switch {
	case w.quoted():
		w.step()
	case w.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for w.more() && w.src[w.at] != '\n' {
			w.step()
		}
		w.skipBlanks()
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (w *walker) skipBlanks() {
	for w.more() && blank(w.src[w.at]) {
		w.step()
	}
}

// follow passes the source of text.
func (w *walker) follow(text string) {
	for len(text) > 0 {
		if blank(text[0]) && !w.escape() {
			for len(text) > 0 && blank(text[0]) {
				text = text[1:]
				if w.escape() {
					break
				}
			}
			w.skipBlanks()
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		w.one()
	}
}

// escape tells whether a backslash escape of a double-quoted scalar is next.
func (w *walker) escape() bool {
	return w.style&yaml.DoubleQuotedStyle != 0 && w.more() && w.src[w.at] == '\\'
}

// one passes the source of one character of the text.
func (w *walker) one() {
	switch {
	case w.escape():
		w.step()
		if !w.more() {
			return
		}
		n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[w.src[w.at]]
		for range n + 1 {
			w.step()
		}
	case w.style&yaml.SingleQuotedStyle != 0 && w.more() && w.src[w.at] == '\'':
		w.step()
		w.step()
	default:
		w.step()
	}
}
