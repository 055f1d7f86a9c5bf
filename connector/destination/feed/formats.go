package feed

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/ipset"
)

// format is one value of the parameter v.
type format struct {
	mime string
	// payload says what to keep of an indicator's attributes; nil for nothing.
	payload func(*query) payloadFunc
	// whole: the format ignores s, n and d.
	whole bool
	write func(*render, []entry) error
}

// chunk is how many indicators MineMeld reads at a time. It shows in the bodies:
// a plain feed has a line end for each chunk, the empty last one included.
const chunk = 100

var formats map[string]format

func init() { // not a literal: formats refer to parseQuery and back
	formats = map[string]format{
		"":            {mime: "text/plain; charset=utf-8", write: writePlain},
		"json":        {mime: "application/json", payload: jsonPayload, write: writeJSON},
		"json-seq":    {mime: "application/json-seq", payload: jsonPayload, write: writeJSONSeq},
		"csv":         {mime: "text/csv; charset=utf-8", payload: csvPayload, write: writeCSV},
		"panosurl":    {mime: "text/plain; charset=utf-8", write: writePanosURL},
		"mwg":         {mime: "text/plain; charset=utf-8", payload: mwgPayload, write: writeMWG},
		"bluecoat":    {mime: "text/plain; charset=utf-8", payload: bluecoatPayload, whole: true, write: writeBluecoat},
		"stix2":       {mime: "application/stix+json;version=2.1", payload: stixPayload, write: writeSTIX},
		"carbonblack": {mime: "application/json", whole: true, write: writeCarbonBlack},
	}
}

// render is the making of one body.
type render struct {
	w    *bufio.Writer // keeps its first error until flushed
	q    *query
	l    *snapshot
	now  time.Time
	name string // of the feed
	// values says whether the feed shows what is known of its indicators.
	values             bool
	icon, iconSmall    string
	translated, buffer []byte
}

func (r *render) line(text []byte) {
	_, _ = r.w.Write(text)
	_ = r.w.WriteByte('\n')
}

// body writes what q asks for of l.
func (r *render) body() error {
	f := formats[r.q.format]
	entries := r.l.entries
	if !f.whole {
		entries = r.l.window(r.q)
	}
	if err := f.write(r, entries); err != nil {
		return err
	}
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("writing the feed's body: %w", err)
	}
	return nil
}

// translate calls fn with the CIDRs of a range, single addresses bare, or with the
// text itself if it is none.
func (r *render) translate(text []byte, fn func([]byte)) {
	from, to, ok := addressRange(text)
	if !ok {
		fn(text)
		return
	}
	if from == to {
		r.translated = from.AppendTo(r.translated[:0])
		fn(r.translated)
		return
	}
	for p := range ipset.CIDRs(from, to) {
		r.translated = p.Addr().AppendTo(r.translated[:0])
		if !p.IsSingleIP() {
			r.translated = p.AppendTo(r.translated[:0])
		}
		fn(r.translated)
	}
}

// each calls fn with the text that stands for e, or with each of its CIDRs where
// the query asks for them. MineMeld translates IPv4 alone in formats with values.
func (r *render) each(e *entry, fn func(text, payload []byte)) {
	text, payload := r.l.bytes(e)
	if !r.q.translate || (r.values && e.kind != indicator.IPv4) {
		fn(text, payload)
		return
	}
	r.translate(text, func(t []byte) { fn(t, payload) })
}

func addressRange(text []byte) (from, to netip.Addr, ok bool) {
	a, b, cut := bytes.Cut(text, []byte("-"))
	if !cut || len(a) == 0 || (a[0] > '9' && bytes.IndexByte(a, ':') < 0) {
		return from, to, false
	}
	from, err := netip.ParseAddr(string(a))
	if err != nil {
		return from, to, false
	}
	to, err = netip.ParseAddr(string(b))
	return from, to, err == nil && from.Is4() == to.Is4() && !to.Less(from)
}

// writePlain writes one indicator a line. Lines are joined by chunk and each chunk
// ends with a line end, so an empty feed is one line end and a feed of exactly 200
// indicators has an empty line behind it.
func writePlain(r *render, entries []entry) error {
	if r.q.sum {
		return writeSum(r, entries)
	}
	asked := r.q.num
	for {
		part := entries[:min(chunk, len(entries))]
		lines := 0
		for i := range part {
			text, _ := r.l.bytes(&part[i])
			if !r.q.translate {
				r.line(text)
				lines++
				continue
			}
			r.translate(text, func(t []byte) { r.line(t); lines++ })
		}
		if lines == 0 {
			_ = r.w.WriteByte('\n')
		}
		entries, asked = entries[len(part):], asked-chunk
		if lines < chunk || asked <= 0 {
			return nil
		}
	}
}

func writeSum(r *render, entries []entry) error {
	var b ipset.Builder
	for i := range entries {
		text, _ := r.l.bytes(&entries[i])
		if !addAddresses(&b, text) {
			return &badQuery{http.StatusInternalServerError, fmt.Sprintf("sum needs a feed of addresses alone, and %q is none", text)}
		}
	}
	for p := range b.Set().Prefixes() {
		r.buffer = append(p.AppendTo(r.buffer[:0]), '\n')
		_, _ = r.w.Write(r.buffer)
	}
	return nil
}

func addAddresses(b *ipset.Builder, text []byte) bool {
	if from, to, ok := addressRange(text); ok {
		return b.Add(from, to)
	}
	i, err := indicator.Parse(indicator.IP, string(text))
	if err != nil {
		return false
	}
	from, to, _ := i.Addrs()
	return b.Add(from, to)
}

func jsonPayload(*query) payloadFunc { return appendValue }

func (r *render) jsonObject(text, payload []byte) {
	b := append(r.buffer[:0], `{"indicator":`...)
	b = appendJSONString(b, string(text), false)
	b = append(b, `,"value":`...)
	if len(payload) == 0 {
		b = append(b, "null"...)
	}
	r.buffer = append(append(b, payload...), '}')
	_, _ = r.w.Write(r.buffer)
}

func writeJSON(r *render, entries []entry) error {
	_, _ = r.w.WriteString("[\n")
	first := true
	for i := range entries {
		r.each(&entries[i], func(text, payload []byte) {
			if !first {
				_, _ = r.w.WriteString(",\n")
			}
			first = false
			r.jsonObject(text, payload)
		})
	}
	_, _ = r.w.WriteString("]\n")
	return nil
}

func writeJSONSeq(r *render, entries []entry) error {
	for i := range entries {
		r.each(&entries[i], func(text, payload []byte) {
			_ = r.w.WriteByte(0x1E)
			r.jsonObject(text, payload)
			_ = r.w.WriteByte('\n')
		})
	}
	return nil
}

// mwgPayload keeps the sources as they are printed.
func mwgPayload(*query) payloadFunc {
	return func(dst []byte, _ indicator.Kind, a *indicator.Attributes) []byte {
		return append(dst, strings.ReplaceAll(strings.Join(a.Sources, ","), `"`, `\"`)...)
	}
}

func writeMWG(r *render, entries []entry) error {
	_, _ = r.w.WriteString("type=" + r.q.listType + "\n")
	for i := range entries {
		r.each(&entries[i], func(text, sources []byte) {
			if len(sources) == 0 {
				sources = []byte("from minemeld")
			}
			b := append(r.buffer[:0], '"')
			b = append(b, bytes.ReplaceAll(text, []byte(`"`), []byte(`\"`))...)
			b = append(b, `" "`...)
			r.buffer = append(append(b, sources...), "\"\n"...)
			_, _ = r.w.Write(r.buffer)
		})
	}
	return nil
}
