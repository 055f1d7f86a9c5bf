package threatconnect

import (
	"encoding/json"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// stamp is how the API writes times.
const stamp = "2006-01-02T15:04:05Z"

// writer appends the JSON of objects; written by hand, because a full read asks for
// half a million of them.
type writer struct {
	b     []byte
	first bool
}

func (w *writer) open(c byte) { w.b, w.first = append(w.b, c), true }

func (w *writer) close(c byte) { w.b, w.first = append(w.b, c), false }

func (w *writer) next() {
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
}

func (w *writer) key(name string) {
	w.next()
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *writer) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			data, _ := json.Marshal(s) // a string is always JSON
			w.b = append(w.b, data...)
			return
		}
	}
	w.b = append(append(append(w.b, '"'), s...), '"')
}

func (w *writer) text(name, v string)         { w.key(name); w.quote(v) }
func (w *writer) number(name string, v int64) { w.key(name); w.b = strconv.AppendInt(w.b, v, 10) }
func (w *writer) flag(name string, v bool)    { w.key(name); w.b = strconv.AppendBool(w.b, v) }

func (w *writer) date(name string, t time.Time) {
	if !t.IsZero() {
		w.key(name)
		w.b = append(t.UTC().AppendFormat(append(w.b, '"'), stamp), '"')
	}
}

// list writes {"data":[…]} of n elements, {} if there is none, as the API does.
func (w *writer) list(name string, n int, element func(i int)) {
	w.key(name)
	w.open('{')
	if n > 0 {
		w.key("data")
		w.open('[')
		for i := range n {
			w.next()
			w.open('{')
			element(i)
			w.close('}')
		}
		w.close(']')
	}
	w.close('}')
}

// shape says which parts of an object are written.
type shape struct {
	fields map[string]bool
	// inner adds what the API evaluates and does not answer.
	inner bool
}

// object appends the JSON object of a row.
func (s *Service) object(w *writer, i *Indicator, sh shape) {
	owner := s.owner(i.Owner)
	w.open('{')
	w.number("id", i.ID)
	w.date("dateAdded", i.Added)
	w.number("ownerId", owner.ID)
	w.text("ownerName", i.Owner)
	w.text("webLink", s.c.WebBase+"/#/details/indicators/"+strconv.FormatInt(i.ID, 10)+"/overview")
	w.text("type", i.Type)
	w.date("lastModified", i.Modified)
	if i.Rating != nil {
		w.key("rating")
		w.b = strconv.AppendFloat(w.b, *i.Rating, 'f', 2, 64)
	}
	if i.Confidence != nil {
		w.number("confidence", int64(*i.Confidence))
	}
	for _, a := range []string{"Description", "Source"} {
		if v := i.attribute(a); v != "" {
			w.text(strings.ToLower(a), v)
		}
	}
	w.text("summary", i.Summary)
	w.flag("privateFlag", i.Private)
	w.flag("active", !i.Inactive)
	w.flag("activeLocked", i.Locked)
	s.values(w, i, sh)
	s.scores(w, i, sh)
	s.nested(w, i, sh)
	if sh.inner {
		w.number("typeId", int64(kindOf(i.Type).number))
		w.number("commonId", commonID(i))
	}
	w.close('}')
}

func commonID(i *Indicator) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(i.Type + "\x00" + strings.ToLower(i.Summary)))
	return int64(h.Sum64() >> 12) //nolint:gosec // 52 bits
}

// values writes what belongs to the type.
func (s *Service) values(w *writer, i *Indicator, sh shape) {
	k := kindOf(i.Type)
	for n, v := range k.parts(i.Summary) {
		key := k.keys[n]
		if sh.fields["genericCustomIndicatorValues"] && strings.ToLower(key[:1]) != key[:1] {
			key = "value" + strconv.Itoa(n+1)
		}
		if v != "" {
			w.text(key, v)
		}
	}
	switch i.Type {
	case "File":
		if i.Size > 0 {
			w.number("size", i.Size)
		}
	case "Host":
		w.flag("dnsActive", i.ID%3 == 0)
		w.flag("whoisActive", i.ID%5 == 0)
	}
	lower := strings.ToLower(i.Type)
	w.text("legacyLink", s.c.WebBase+"/auth/indicators/details/"+lower+".xhtml?"+lower+"="+url.QueryEscape(i.Summary)+"&owner="+url.QueryEscape(i.Owner))
}

func (s *Service) scores(w *writer, i *Indicator, sh shape) {
	if sh.fields["threatAssess"] && i.Score != nil {
		w.key("threatAssessRating")
		w.b = strconv.AppendFloat(w.b, float64(*i.Score)/200, 'f', 2, 64)
		w.key("threatAssessConfidence")
		w.b = strconv.AppendFloat(w.b, float64(*i.Score)/10, 'f', 2, 64)
		w.number("threatAssessScore", int64(*i.Score))
		w.number("threatAssessScoreObserved", 0)
		w.number("threatAssessScoreFalsePositive", 0)
		w.number("calScore", int64(*i.Score))
	}
	if sh.fields["observations"] {
		w.number("observations", int64(i.Observed))
		w.date("lastObserved", i.LastObserve)
	}
	if sh.fields["falsePositives"] {
		w.number("falsePositives", int64(i.FalseCount))
		w.date("lastFalsePositive", i.LastFalse)
		w.flag("falsePositiveReportedByUser", false)
	}
	if sh.fields["sightings"] {
		w.date("firstSeen", i.FirstSeen)
		w.date("lastSeen", i.LastSeen)
	}
	if sh.fields["externalDates"] {
		w.date("externalDateExpires", i.Expires)
	}
}

// colours of the system's labels.
var colours = map[string]string{
	"TLP:RED": "FF2B2B", "TLP:AMBER": "FFC000", "TLP:AMBER+STRICT": "FFC000", "TLP:GREEN": "33FF00", "TLP:WHITE": "FFFFFF", "TLP:CLEAR": "FFFFFF",
}

func (s *Service) nested(w *writer, i *Indicator, sh shape) {
	if sh.fields["tags"] {
		w.list("tags", len(i.Tags), func(n int) {
			name := i.Tags[n]
			w.number("id", nameID(name))
			w.text("name", name)
			w.date("lastUsed", i.Added)
			if t := technique(name); t != "" {
				w.text("techniqueId", t)
			} else if sh.inner {
				w.number("ownerId", s.owner(i.Owner).ID)
				w.text("ownerName", i.Owner)
			}
		})
	}
	if sh.fields["securityLabels"] {
		w.list("securityLabels", len(i.Labels), func(n int) {
			name, owner := i.Labels[n], "System"
			colour, system := colours[name]
			if !system {
				owner, colour = i.Owner, "808080"
			}
			w.number("id", nameID(name))
			w.text("name", name)
			w.text("description", "Label "+name)
			w.text("color", colour)
			w.text("owner", owner)
			w.text("dateAdded", "2016-08-31T00:00:00Z")
		})
	}
	if sh.fields["attributes"] {
		w.list("attributes", len(i.Attributes), func(n int) { s.attribute(w, i, n) })
	}
	for _, name := range []string{"associatedGroups", "associatedIndicators", "associatedCases", "associatedArtifacts", "customAssociations", "fileActions", "fileOccurrences"} {
		if sh.fields[name] {
			w.list(name, 0, nil)
		}
	}
}

func (s *Service) attribute(w *writer, i *Indicator, n int) {
	a := &i.Attributes[n]
	w.number("id", i.ID*100+int64(n))
	w.date("dateAdded", i.Added)
	w.text("type", a.Type)
	w.text("value", a.Value)
	if a.Source != "" {
		w.text("source", a.Source)
	}
	w.key("createdBy")
	w.open('{')
	w.number("id", 3)
	w.text("userName", s.c.AccessID)
	w.text("firstName", "John")
	w.text("lastName", "Smith")
	w.text("pseudonym", "jsmithAPI")
	w.text("owner", s.home().Name)
	w.close('}')
	w.date("lastModified", i.Added)
	w.flag("pinned", a.Pinned)
	w.flag("default", a.Default)
}

// nameID is the id of a tag or label: the same name has the same.
func nameID(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int64(h.Sum32() >> 1)
}

// technique is the id of an ATT&CK tag, "" of another.
func technique(tag string) string {
	id, _, found := strings.Cut(tag, " - ")
	if !found || len(id) < 5 || id[0] != 'T' || strings.Trim(id[1:], "0123456789.") != "" {
		return ""
	}
	return id
}
