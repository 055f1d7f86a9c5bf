package feed

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"github.com/remeld/remeld/indicator"
)

// maxExpanded bounds the addresses that ranges are written out to: Carbon Black
// takes no ranges, and one /8 would make 16 million lines.
const maxExpanded = 1 << 20

// The words of a MineMeld Carbon Black feed; clients match on them.
const (
	cbLink = "https://live.paloaltonetworks.com/t5/MineMeld/ct-p/MineMeld"
	cbText = "Indicators routed through MineMeld"
)

// writeCarbonBlack writes one report with all addresses, domains and MD5 hashes.
func writeCarbonBlack(r *render, entries []entry) error {
	str := func(s string) string { return `"` + s + `"` }
	_, _ = r.w.WriteString("{\n\"feedinfo\": {\n")
	r.members([][2]string{
		{"category", str("MineMeld")}, {"icon", str(r.icon)}, {"icon_small", str(r.iconSmall)},
		{"version", str("0.1")}, {"provider_url", str(cbLink)}, {"display_name", str("MineMeld Feed")},
		{"summary", str(cbText)}, {"tech_data", str(cbText)}, {"name", quote(r.name)},
	})
	_, _ = r.w.WriteString("\n},\n\"reports\": [{")
	r.members([][2]string{
		{"timestamp", strconv.FormatInt(r.now.Unix(), 10)}, {"id", quote(r.name + "_report")}, {"link", str(cbLink)},
		{"score", strconv.Itoa(r.q.score)}, {"description", str("MineMeld Generated Report")}, {"title", quote(r.q.title)},
	})
	_, _ = r.w.WriteString(`,    "iocs": {        "ipv4": [`)
	if err := r.cbAddresses(entries); err != nil {
		return err
	}
	_, _ = r.w.WriteString(`],"dns": [`)
	r.cbTexts(entries, indicator.Domain)
	_, _ = r.w.WriteString(`],"md5": [`)
	r.cbTexts(entries, indicator.MD5)
	_, _ = r.w.WriteString(`]}}]}`)
	return nil
}

func quote(s string) string { return string(appendJSONString(nil, s, false)) }

// members writes name and value pairs with MineMeld's spacing.
func (r *render) members(pairs [][2]string) {
	for i, p := range pairs {
		if i > 0 {
			_ = r.w.WriteByte(',')
		}
		_, _ = r.w.WriteString(`  "` + p[0] + `": ` + p[1])
	}
}

func (r *render) cbAddresses(entries []entry) error {
	n := 0
	for i := range entries {
		if !r.values || entries[i].kind != indicator.IPv4 {
			continue
		}
		text, _ := r.l.bytes(&entries[i])
		from, to, ok := addressRange(text)
		for a := from; ok && !to.Less(a); a = a.Next() {
			if n++; n > maxExpanded {
				return &badQuery{http.StatusInternalServerError, fmt.Sprintf("carbonblack takes no ranges, and those of this feed hold more than %d addresses", maxExpanded)}
			}
			if n > 1 {
				_ = r.w.WriteByte(',')
			}
			r.buffer = append(a.AppendTo(append(r.buffer[:0], '"')), '"')
			_, _ = r.w.Write(r.buffer)
			if a == to {
				break // the last address of the space has none behind it
			}
		}
	}
	return nil
}

func (r *render) cbTexts(entries []entry, kind indicator.Kind) {
	sep := ""
	for i := range entries {
		if !r.values || entries[i].kind != kind {
			continue
		}
		text, _ := r.l.bytes(&entries[i])
		r.buffer = appendJSONString(append(r.buffer[:0], sep...), string(bytes.ToLower(text)), false)
		_, _ = r.w.Write(r.buffer)
		sep = ", "
	}
}
