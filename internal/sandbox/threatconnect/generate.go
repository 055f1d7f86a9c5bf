package threatconnect

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// generator makes the data set. Row n and all that ever happens to it are functions
// of the seed and n alone, so half a million rows need no memory and every run of the
// same seed, at the same clock, has the same ones. Values are of documentation and
// benchmarking ranges and of names under .example.
type generator struct {
	seed   uint64
	size   int
	start  time.Time
	owners []string
}

// pace of the life after the start.
const (
	life = 60 * 24 * time.Hour // within which every row that changes has done so
	// newPerDay of the size come each day: 1 in.
	newPerDay = 100
	// shareTwo: of so many rows one is the value of the row before it in another owner.
	shareTwo = 20
)

// mix is a hash of the seed, n and a purpose (splitmix64).
func (g *generator) mix(n int, purpose uint64) uint64 {
	z := g.seed + uint64(n)*0x9e3779b97f4a7c15 + purpose*0xd1342543de82ef95 //nolint:gosec // n is not negative
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (g *generator) pick(n int, purpose uint64, of int) int {
	return int(g.mix(n, purpose) % uint64(of)) //nolint:gosec // of is small and positive
}

// count is how many rows have been made by now.
func (g *generator) count(now time.Time) int {
	if g.size == 0 || now.Before(g.start) {
		return g.size
	}
	return g.size + int(now.Sub(g.start)/g.every())
}

// every is how often a row comes.
func (g *generator) every() time.Duration {
	return max(24*time.Hour*newPerDay/time.Duration(g.size), time.Second)
}

// What happens to a row.
const (
	nothing = iota
	retagged
	relabelled
	rerated
	deactivated
	deleted
	falsePositive
)

// event is what happens to row n and when.
func (g *generator) event(n int) (what int, at time.Time) {
	if n >= g.size {
		return nothing, time.Time{}
	}
	at = g.start.Add(time.Duration(g.mix(n, 1)%uint64(life/time.Second)+1) * time.Second) //nolint:gosec // within life
	switch p := g.pick(n, 2, 100); {
	case p < 12:
		return retagged, at
	case p < 18:
		return relabelled, at
	case p < 30:
		return rerated, at
	case p < 38:
		return deactivated, at
	case p < 44:
		return deleted, at
	case p < 48:
		return falsePositive, at
	}
	return nothing, time.Time{}
}

// deleted tells when row n was deleted; zero if it was not by now.
func (g *generator) deletedAt(n int, now time.Time) time.Time {
	if what, at := g.event(n); what == deleted && !at.After(now) {
		return at
	}
	return time.Time{}
}

// rowID is the id of row n: even, so that rows made by hand have ids between.
func rowID(n int) int64 { return int64(n)*2 + 2 }

// number is n of a row of the seed.
func number(id int64) int { return int(id/2 - 1) }

// value tells whose value row n has: its own, or that of the row before it.
func (g *generator) value(n int) int {
	if n%shareTwo == shareTwo-1 {
		return n - 1
	}
	return n
}

// row makes row n as it is now; it does not look at whether it is deleted.
func (g *generator) row(n int, now time.Time) *Indicator {
	v := g.value(n)
	i := &Indicator{ID: rowID(n), Owner: g.ownerOf(n)}
	i.Type, i.Summary = g.text(v)
	if i.Type == "File" {
		i.Size = int64(g.pick(v, 3, 5_000_000)) + 1
	}
	i.Added, i.Modified = g.added(n), g.modified(n, now)
	g.judge(i, n)
	g.describe(i, n)
	g.happen(i, n, now)
	return i
}

func (g *generator) added(n int) time.Time {
	if n >= g.size {
		return g.start.Add(time.Duration(n-g.size+1) * g.every())
	}
	return g.start.Add(-time.Duration(g.pick(n, 4, 700*24*3600)+3600) * time.Second)
}

// modified is lastModified of row n: a change of tags and labels does not move it
// (reference, section 2.7).
func (g *generator) modified(n int, now time.Time) time.Time {
	switch what, at := g.event(n); what {
	case rerated, deactivated, falsePositive:
		if !at.After(now) {
			return at
		}
	}
	return g.added(n)
}

func (g *generator) ownerOf(n int) string {
	p := g.pick(g.value(n), 5, 10)
	o := 0
	switch {
	case p >= 8:
		o = 2
	case p >= 5:
		o = 1
	}
	if g.value(n) != n {
		o++
	}
	return g.owners[o%len(g.owners)]
}

// judge gives ratings and what hangs on them.
func (g *generator) judge(i *Indicator, n int) {
	if p := g.pick(n, 6, 20); p < 17 {
		rating := float64(g.pick(n, 7, 11)) / 2
		i.Rating = &rating
	}
	if p := g.pick(n, 8, 20); p < 17 {
		confidence := g.pick(n, 9, 101)
		i.Confidence = &confidence
	}
	if g.pick(n, 10, 10) < 8 {
		score := g.pick(n, 11, 1001)
		i.Score = &score
	}
	i.Inactive = g.pick(n, 12, 20) == 0
	if g.pick(n, 13, 12) == 0 {
		i.FalseCount = 1 + g.pick(n, 14, 4)
		i.LastFalse = i.Added.Add(30 * time.Minute)
	}
	if g.pick(n, 15, 4) == 0 {
		i.Observed = 1 + g.pick(n, 16, 50)
		i.LastObserve = i.Added.Add(45 * time.Minute)
		i.FirstSeen, i.LastSeen = i.Added.Add(-time.Hour), i.LastObserve
	}
	if g.pick(n, 17, 15) == 0 {
		i.Expires = g.start.Add(time.Duration(g.pick(n, 18, 200)) * 24 * time.Hour)
	}
}

var (
	ownTags    = []string{"Ransomware", "phishing", "Botnet", "APT Example", "Cobalt Strike", "commodity malware", "Infostealer", "reviewed"}
	attackTags = []string{"T1055.005 - Thread Local Storage", "T1566.001 - Spearphishing Attachment", "T1071.001 - Web Protocols", "T1486 - Data Encrypted for Impact"}
	tlpLabels  = []string{"TLP:RED", "TLP:AMBER+STRICT", "TLP:AMBER", "TLP:GREEN", "TLP:CLEAR", "TLP:WHITE"}
	phases     = []string{"Reconnaissance", "Weaponization", "Delivery", "Exploitation", "Installation", "C2", "Actions on Objectives"}
	protocols  = []string{"tcp/443", "443/udp", "https", "port: 8080", "protocol: tcp port: 25", "see report"}
)

// describe gives tags, labels and attributes.
func (g *generator) describe(i *Indicator, n int) {
	for k := range g.pick(n, 20, 4) {
		if t := ownTags[g.pick(n, 21+uint64(k), len(ownTags))]; !strings.Contains(strings.Join(i.Tags, "\n"), t) { //nolint:gosec // k is small
			i.Tags = append(i.Tags, t)
		}
	}
	if g.pick(n, 25, 5) == 0 {
		i.Tags = append(i.Tags, attackTags[g.pick(n, 26, len(attackTags))])
	}
	if g.pick(n, 27, 3) > 0 {
		i.Labels = append(i.Labels, tlpLabels[g.pick(n, 28, len(tlpLabels))])
	}
	if g.pick(n, 29, 10) == 0 {
		i.Labels = append(i.Labels, "Internal Use")
	}
	add := func(purpose uint64, odds int, a Attribute) {
		if g.pick(n, purpose, odds) == 0 {
			i.Attributes = append(i.Attributes, a)
		}
	}
	add(30, 2, Attribute{Type: "Description", Value: fmt.Sprintf("Seen in campaign %d", g.pick(n, 31, 400)), Default: true})
	add(32, 8, Attribute{Type: "Source", Value: fmt.Sprintf("Report %d", g.pick(n, 33, 90)), Default: true})
	add(34, 3, Attribute{Type: "Phase of Intrusion", Value: phases[g.pick(n, 35, len(phases))]})
	add(36, 8, Attribute{Type: "Phase of Intrusion", Value: phases[g.pick(n, 37, len(phases))]})
	add(38, 6, Attribute{Type: "Last Seen", Value: i.Added.Add(20 * time.Minute).Format("2006-01-02 15:04:05")})
	add(39, 8, Attribute{Type: "Network Protocol Analysis", Value: protocols[g.pick(n, 40, len(protocols))]})
	add(41, 10, Attribute{Type: "External ID", Value: fmt.Sprintf("ext-%06d", n)})
}

// happen applies the row's event if its time has come.
func (g *generator) happen(i *Indicator, n int, now time.Time) {
	what, at := g.event(n)
	if what == nothing || at.After(now) {
		return
	}
	switch what {
	case retagged:
		i.Tags = append(i.Tags, "re-tagged")
	case relabelled:
		i.Labels = []string{"TLP:RED"}
	case rerated:
		rating := float64(g.pick(n, 50, 6))
		i.Rating = &rating
	case deactivated:
		i.Inactive = true
	case falsePositive:
		i.FalseCount++
		i.LastFalse = at
	}
}

// typeOf is the type of the value of row v. The shares are those of a mixed collection.
func (g *generator) typeOf(v int) string {
	switch p := g.pick(v, 60, 100); {
	case p < 26:
		return "Address"
	case p < 52:
		return "Host"
	case p < 70:
		return "File"
	case p < 88:
		return "URL"
	case p < 93:
		return "EmailAddress"
	case p < 95:
		return "CIDR"
	case p < 96:
		return "ASN"
	case p < 97:
		return "Email Subject"
	case p < 98:
		return "User Agent"
	case p < 99:
		return "Mutex"
	}
	if v%2 == 0 {
		return "Hashtag"
	}
	return "Registry Key"
}

// text makes the value of row v.
func (g *generator) text(v int) (typ, summary string) {
	typ = g.typeOf(v)
	switch typ {
	case "Address":
		summary = g.address(v)
	case "Host":
		summary = fmt.Sprintf("h%d.%s.example", v, word(g.mix(v, 61)))
	case "File":
		summary = g.hashes(v)
	case "URL":
		summary = fmt.Sprintf("http://u%d.%s.example/%s?id=%d", v, word(g.mix(v, 62)), word(g.mix(v, 63)), v)
	case "EmailAddress":
		summary = fmt.Sprintf("u%d@%s.example", v, word(g.mix(v, 64)))
	case "CIDR":
		summary = g.block(v)
	case "ASN":
		summary = fmt.Sprintf("ASN%d", 4_200_000_000+v)
	case "Email Subject":
		summary = fmt.Sprintf("Invoice %d: \"due\" now", v)
	case "User Agent":
		summary = fmt.Sprintf("Mozilla/5.0 (bot %d)", v)
	case "Mutex":
		summary = fmt.Sprintf(`Global\m%d-%s`, v, word(g.mix(v, 65)))
	case "Hashtag":
		summary = fmt.Sprintf("#op%d", v)
	case "Registry Key":
		summary = fmt.Sprintf(`HKEY_LOCAL_MACHINE\Software\Example\k%d : Run : REG_SZ`, v)
	}
	return typ, summary
}

// address is of 198.18.0.0/15 while that has room, else of 2001:db8::/32.
func (g *generator) address(v int) string {
	if v < 1<<17 && g.pick(v, 66, 10) > 0 {
		return netip.AddrFrom4([4]byte{198, 18 + byte(v>>16), byte(v >> 8), byte(v)}).String()
	}
	return g.six(v).String()
}

func (g *generator) six(v int) netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(a[4:], uint32(v)) //nolint:gosec // fewer rows than that
	binary.BigEndian.PutUint64(a[8:], g.mix(v, 67)|1)
	return netip.AddrFrom16(a)
}

// block: IPv6 is written uncompressed, as ThreatConnect does.
func (g *generator) block(v int) string {
	if v%2 == 0 {
		return fmt.Sprintf("198.%d.%d.%d/30", 18+v>>15&1, v>>7&255, v<<1&252)
	}
	return fmt.Sprintf("2001:db8:%x:%x:0:0:0:0/64", v>>16&0xffff, v&0xffff)
}

// hashes are one to three of a file, in upper case.
func (g *generator) hashes(v int) string {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], g.mix(v, 68))
	a := sha256.Sum256(seed[:])
	b := sha256.Sum256(a[:])
	sha := strings.ToUpper(hex.EncodeToString(a[:]))
	md5, sha1 := strings.ToUpper(hex.EncodeToString(b[:16])), strings.ToUpper(hex.EncodeToString(b[12:]))
	switch g.pick(v, 69, 6) {
	case 0:
		return md5
	case 1:
		return sha1
	case 2:
		return sha
	case 3:
		return md5 + joint + sha
	}
	return md5 + joint + sha1 + joint + sha
}

// word makes a pronounceable word.
func word(h uint64) string {
	b := make([]byte, 0, 8)
	for range 4 {
		b = append(b, "bdfgklmnprstvz"[h%14], "aeiou"[h>>8%5])
		h >>= 11
	}
	return string(b)
}
