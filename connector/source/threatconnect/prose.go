package threatconnect

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/threatconnect"
)

// The attributes read here are free text that analysts type; what cannot be read is
// left out, never guessed.

// phases are the words of the attribute "Phase of Intrusion" in chain order, with
// what else is written for them.
var phases = []struct {
	name  string
	words []string
}{
	{"Reconnaissance", []string{"reconnaissance", "recon"}},
	{"Weaponization", []string{"weaponization", "weaponisation"}},
	{"Delivery", []string{"delivery"}},
	{"Exploitation", []string{"exploitation"}},
	{"Installation", []string{"installation"}},
	{"C2", []string{"c2", "command and control", "c&c", "command & control"}},
	{"Actions", []string{"actions", "actions on objectives", "action on objectives", "action on objective", "actions on objective"}},
}

// killChain is the set of phases in chain order.
func killChain(attrs []threatconnect.Attribute) []string {
	var out []string
	for _, p := range phases {
		if slices.ContainsFunc(attrs, func(a threatconnect.Attribute) bool {
			return strings.EqualFold(a.Type, "Phase of Intrusion") && slices.Contains(p.words, strings.ToLower(strings.TrimSpace(a.Value)))
		}) {
			out = append(out, p.name)
		}
	}
	return out
}

// layouts of dates that are written by hand; the American ones last.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	"01/02/2006 15:04:05", "01/02/2006", "1/2/2006", "Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "2 January 2006",
}

// Seconds since 1970 are taken for what they are between 2000 and 2100; with three
// more digits they are milliseconds.
const (
	firstEpoch = 946_684_800
	lastEpoch  = 4_102_444_800
)

func readTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n > lastEpoch {
			n /= 1000
		}
		return time.Unix(n, 0).UTC(), n >= firstEpoch && n <= lastEpoch
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// protocols are the IP protocols people name.
var protocols = []string{"tcp", "udp", "icmp", "sctp", "gre", "esp", "igmp"}

// services are names that say both.
var services = map[string]uint16{"http": 80, "https": 443, "ftp": 21, "ssh": 22, "smtp": 25, "rdp": 3389, "smb": 445, "telnet": 23, "imap": 143, "pop3": 110}

var (
	slashed  = regexp.MustCompile(`^([a-z]+)\s*[/: ]\s*(\d{1,5})$`)
	reversed = regexp.MustCompile(`^(\d{1,5})\s*[/: ]\s*([a-z]+)$`)
	portWord = regexp.MustCompile(`\bport\s*[:=]\s*(\d{1,5})\b`)
	protWord = regexp.MustCompile(`\bprotocol\s*[:=]\s*([a-z]+)\b`)
)

// protocolOf reads the attribute "Network Protocol Analysis"; the first that can be
// read counts.
func protocolOf(attrs []threatconnect.Attribute) (protocol string, port uint16) {
	for _, a := range attrs {
		if !strings.EqualFold(a.Type, "Network Protocol Analysis") {
			continue
		}
		if protocol, port, ok := readProtocol(a.Value); ok {
			return protocol, port
		}
	}
	return "", 0
}

func readProtocol(text string) (protocol string, port uint16, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if p, known := services[text]; known {
		return "tcp", p, true
	}
	if slices.Contains(protocols, text) {
		return text, 0, true
	}
	if p, ok := readPort(text); ok {
		return "", p, true
	}
	word, number := "", ""
	if m := slashed.FindStringSubmatch(text); m != nil {
		word, number = m[1], m[2]
	} else if m := reversed.FindStringSubmatch(text); m != nil {
		word, number = m[2], m[1]
	} else {
		if m := protWord.FindStringSubmatch(text); m != nil {
			word = m[1]
		}
		if m := portWord.FindStringSubmatch(text); m != nil {
			number = m[1]
		}
	}
	if word == "port" {
		word = ""
	} else if word != "" && !slices.Contains(protocols, word) {
		return "", 0, false
	}
	port, isPort := readPort(number)
	if word == "" && !isPort || number != "" && !isPort {
		return "", 0, false
	}
	return word, port, true
}

func readPort(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, false
	}
	return uint16(n), true
}
