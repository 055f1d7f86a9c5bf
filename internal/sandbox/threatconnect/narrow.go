package threatconnect

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/tql"
)

// narrow is what a row must be to be looked at closely. It costs little to ask of a row
// of the seed that has not been made yet; the query itself decides about those that
// remain. The zero narrow lets every row through.
type narrow struct {
	above  int64 // ids only beyond
	owners []string
	types  []string
	since  time.Time // modified then or later
	// texts: one of them is the row's summary or one of its hashes.
	texts []string
	parts *parts // one of which is in the summary
}

// take makes a condition of a query narrow what is looked at. exact tells that
// nothing of the condition is left to judge.
func (n *narrow) take(c tql.Condition) (exact bool) {
	switch {
	case c.Param == "id" && c.Op == ">":
		id, err := strconv.ParseInt(c.Values[0], 10, 64)
		n.above = max(n.above, id)
		return err == nil
	case c.Param == "lastModified" && (c.Op == ">" || c.Op == ">="):
		at, err := time.Parse(time.RFC3339, c.Values[0])
		if err == nil && at.After(n.since) {
			n.since = at
		}
		return err == nil && c.Op == ">="
	case c.Param == "summary" && c.Op == "CONTAINS":
		n.parts = newParts(c.Values)
		return false
	case c.Op != "=" && c.Op != "IN":
		return false
	case c.Param == "ownerName" && n.owners == nil:
		n.owners = c.Values
		return true
	case c.Param == "typeName" && n.types == nil:
		n.types = c.Values
		return true
	case c.Param == "summary" && n.texts == nil:
		n.texts = c.Values
		return false // a hash is found as well, and is not the whole summary
	}
	return false
}

func anyFold(list []string, text string) bool {
	return list == nil || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
}

// fits judges a row that is there.
func (n *narrow) fits(i *Indicator) bool {
	return i.ID > n.above && anyFold(n.owners, i.Owner) && anyFold(n.types, i.Type) && !i.Modified.Truncate(time.Second).Before(n.since) &&
		(n.texts == nil || slices.ContainsFunc(n.texts, i.named)) && (n.parts == nil || n.parts.in(i.Summary))
}

// may judges row v of the seed before it is made.
func (n *narrow) may(g *generator, v int, now time.Time) bool {
	return rowID(v) > n.above && (n.owners == nil || anyFold(n.owners, g.ownerOf(v))) &&
		(n.types == nil || anyFold(n.types, g.typeOf(g.value(v)))) &&
		(n.since.IsZero() || !g.modified(v, now).Before(n.since))
}

// parts are many texts of which one is looked for in another: by the hash of their
// first bytes, which rolls along it.
type parts struct {
	window int
	first  map[uint32]bool
}

const (
	base      = 16_777_619 // of the rolling hash
	leastPart = 8          // shorter texts are in too many others to be worth it
)

// newParts returns nil where a look would exclude little.
func newParts(texts []string) *parts {
	p := &parts{window: 1 << 30, first: map[uint32]bool{}}
	for _, t := range texts {
		p.window = min(p.window, len(t))
		if strings.ContainsFunc(t, func(r rune) bool { return r > 0x7f }) {
			return nil // its lower case may have another length
		}
	}
	if p.window < leastPart {
		return nil
	}
	for _, t := range texts {
		var h uint32
		for i := range p.window {
			h = h*base + uint32(folded(t[i]))
		}
		p.first[h] = true
	}
	return p
}

// in tells whether one of the texts may be in another; never that none is where one is.
func (p *parts) in(text string) bool {
	leaving := uint32(1) // the weight of the byte that leaves the window
	for range p.window - 1 {
		leaving *= base
	}
	var h uint32
	for i := range len(text) {
		if text[i] > 0x7f {
			return true // its lower case may be plain
		}
		if i >= p.window {
			h -= leaving * uint32(folded(text[i-p.window]))
		}
		if h = h*base + uint32(folded(text[i])); i >= p.window-1 && p.first[h] {
			return true
		}
	}
	return false
}

func folded(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
