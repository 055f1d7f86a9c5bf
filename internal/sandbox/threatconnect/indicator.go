package threatconnect

import (
	"slices"
	"strings"
	"time"
)

// Indicator is one indicator in one owner. Zero times and nil scores are not known.
// A row handed out is a copy; its lists are not to be changed in place.
type Indicator struct {
	ID    int64  `json:"id,omitempty"`
	Owner string `json:"owner,omitempty"` // name; "" is the API user's organisation
	Type  string `json:"type"`
	// Summary is the whole text: of a File its hashes, of a Registry Key its three
	// parts, joined by " : ".
	Summary     string      `json:"summary"`
	Size        int64       `json:"size,omitempty"` // of a File, bytes
	Rating      *float64    `json:"rating,omitempty"`
	Confidence  *int        `json:"confidence,omitempty"`
	Score       *int        `json:"threat_assess_score,omitempty"`
	Inactive    bool        `json:"inactive,omitempty"`
	Locked      bool        `json:"active_locked,omitempty"`
	Private     bool        `json:"private,omitempty"`
	Tags        []string    `json:"tags,omitempty"` // "T1055 - Process Injection" is one of ATT&CK
	Labels      []string    `json:"labels,omitempty"`
	Attributes  []Attribute `json:"attributes,omitempty"`
	FalseCount  int         `json:"false_positives,omitempty"`
	LastFalse   time.Time   `json:"last_false_positive,omitzero"`
	Observed    int         `json:"observations,omitempty"`
	LastObserve time.Time   `json:"last_observed,omitzero"`
	FirstSeen   time.Time   `json:"first_seen,omitzero"`
	LastSeen    time.Time   `json:"last_seen,omitzero"`
	Expires     time.Time   `json:"external_date_expires,omitzero"`
	// Added and Modified are set by the twin where they are zero.
	Added    time.Time `json:"added,omitzero"`
	Modified time.Time `json:"modified,omitzero"`
}

// Attribute is an attribute of an indicator. Those named Description and Source
// that are the default are the indicator's own description and source.
type Attribute struct {
	Type    string `json:"type"`
	Value   string `json:"value"`
	Source  string `json:"source,omitempty"`
	Default bool   `json:"default,omitempty"`
	Pinned  bool   `json:"pinned,omitempty"`
}

// kind is a type of indicators.
type kind struct {
	name string
	// keys hold the parts of the summary in the JSON object.
	keys           []string
	branch, entity string // version 2
	number         int    // its id
}

// kinds in the order of the reference, section 2.5. Where version 2's name is not
// documented it is made up by the pattern of the others.
var kinds = []kind{
	{"Address", []string{"ip"}, "addresses", "address", 1},
	{"EmailAddress", []string{"address"}, "emailAddresses", "emailAddress", 2},
	{"File", []string{"md5", "sha1", "sha256"}, "files", "file", 3},
	{"Host", []string{"hostName"}, "hosts", "host", 4},
	{"URL", []string{"text"}, "urls", "url", 5},
	{"ASN", []string{"AS Number"}, "asns", "asn", 6},
	{"CIDR", []string{"Block"}, "cidrBlocks", "cidrBlock", 7},
	{"Email Subject", []string{"Subject"}, "emailSubjects", "emailSubject", 8},
	{"Hashtag", []string{"Hashtag"}, "hashtags", "hashtag", 9},
	{"Mutex", []string{"Mutex"}, "mutexes", "mutex", 10},
	{"Registry Key", []string{"Key Name", "Value Name", "Value Type"}, "registryKeys", "registryKey", 11},
	{"User Agent", []string{"User Agent String"}, "userAgents", "userAgent", 12},
}

func kindOf(name string) *kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

const joint = " : "

// parts are the values of a row by the keys of its type; "" where there is none.
func (k *kind) parts(summary string) []string {
	out := make([]string, len(k.keys))
	switch {
	case k.name == "File":
		for p := range strings.SplitSeq(summary, ":") {
			if p = strings.TrimSpace(p); p != "" {
				out[hashPlace(p)] = p
			}
		}
	case len(k.keys) == 1:
		out[0] = summary
	default:
		copy(out, strings.SplitN(summary, joint, len(k.keys)))
	}
	return out
}

// hashPlace tells the kind of a hash by its length.
func hashPlace(hash string) int {
	switch {
	case len(hash) <= 32:
		return 0
	case len(hash) <= 40:
		return 1
	}
	return 2
}

// summary joins parts to the text of a row.
func (k *kind) summary(parts []string) string {
	if k.name != "File" {
		return strings.TrimSuffix(strings.Join(parts, joint), joint+joint)
	}
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" }), joint)
}

// named tells whether text names the row: its summary, in any case, or one of a
// File's hashes.
func (i *Indicator) named(text string) bool {
	if strings.EqualFold(i.Summary, text) {
		return true
	}
	if i.Type != "File" {
		return false
	}
	for p := range strings.SplitSeq(i.Summary, joint) {
		if strings.EqualFold(p, text) {
			return true
		}
	}
	return false
}

// attribute is the default attribute of a type, "" if there is none.
func (i *Indicator) attribute(typ string) string {
	for _, a := range i.Attributes {
		if a.Default && a.Type == typ {
			return a.Value
		}
	}
	return ""
}

// check says what is wrong with a row, "" if nothing.
func (i *Indicator) check() string {
	switch {
	case kindOf(i.Type) == nil:
		return "Invalid indicator type: " + i.Type
	case strings.TrimSpace(i.Summary) == "":
		return "An indicator of type " + i.Type + " requires a value"
	case i.Rating != nil && (*i.Rating < 0 || *i.Rating > 5):
		return "rating must be between 0 and 5"
	case i.Confidence != nil && (*i.Confidence < 0 || *i.Confidence > 100):
		return "confidence must be between 0 and 100"
	case i.Type == "ASN" && !strings.HasPrefix(i.Summary, "ASN"):
		return "An ASN must start with ASN"
	}
	return ""
}
