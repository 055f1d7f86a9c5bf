package threatconnect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/threatconnect"
)

// indicatorOf is what an object stands for. A File is one indicator, that of its
// strongest hash; its others travel in the free attributes md5, sha1 and sha256, so
// that a destination can make objects of those it wants.
func indicatorOf(i *threatconnect.Indicator) (indicator.Indicator, *indicator.Refusal) {
	kind, text := valueOf(i)
	if kind == indicator.Unknown {
		return indicator.Indicator{}, &indicator.Refusal{Reason: indicator.ReasonUnknownKind, Text: i.Type + " " + i.Summary, Detail: "no kind of ours is ThreatConnect's type " + i.Type}
	}
	ind, err := indicator.Parse(kind, text)
	var refusal *indicator.Refusal
	errors.As(err, &refusal) // Parse has no other error
	return ind, refusal
}

func valueOf(i *threatconnect.Indicator) (indicator.Kind, string) {
	switch i.Type {
	case "Address":
		return indicator.IP, first(i.IP, i.Summary)
	case "CIDR":
		return indicator.IP, first(i.Block, i.Summary)
	case "EmailAddress":
		return indicator.Email, first(i.Address, i.Summary)
	case "Host":
		return indicator.Domain, first(i.HostName, i.Summary)
	case "URL":
		return indicator.URL, first(i.Text, i.Summary)
	case "File":
		return indicator.Hash, strings.ToLower(first(i.SHA256, i.SHA1, i.MD5, strongest(i.Summary)))
	case "ASN":
		return indicator.ASN, strings.Replace(first(i.ASNumber, i.Summary), "ASN", "AS", 1)
	case "Email Subject":
		return indicator.EmailSubject, first(i.Subject, i.Summary)
	case "User Agent":
		return indicator.UserAgent, first(i.UserAgent, i.Summary)
	case "Mutex":
		return indicator.Mutex, first(i.Mutex, i.Summary)
	case "Registry Key":
		return registry(i)
	}
	return indicator.Unknown, ""
}

// registry: a key with a value's name is that value.
func registry(i *threatconnect.Indicator) (indicator.Kind, string) {
	key, name := i.KeyName, strings.TrimSpace(i.ValueName)
	if key == "" {
		parts := strings.Split(i.Summary, " : ")
		if key = parts[0]; len(parts) > 1 {
			name = strings.TrimSpace(parts[1])
		}
	}
	if name == "" {
		return indicator.RegistryKey, key
	}
	return indicator.RegistryValue, key + `\` + name
}

func first(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}

// strongest is the longest of the hashes in a File's summary.
func strongest(summary string) string {
	parts := hashes(summary)
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return first(parts...)
}

func hashes(summary string) []string {
	parts := strings.Split(summary, ":")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// keysOf are the keys a deleted or changed value may stand under: of a File, those of
// all its hashes, since which is the strongest may have changed.
func keysOf(typ, summary string) [][]byte {
	texts := []string{summary}
	if typ == "File" {
		texts = hashes(summary)
	}
	var keys [][]byte
	for _, t := range texts {
		if ind, refusal := indicatorOf(&threatconnect.Indicator{Type: typ, Summary: t}); refusal == nil {
			keys = append(keys, ind.AppendKey(nil))
		}
	}
	return keys
}

// unmarked is attributesOf without the tag that says that it was delivered: our own word
// must not come back as a change.
func unmarked(i *threatconnect.Indicator, mark string) *indicator.Attributes {
	a := attributesOf(i)
	if mark != "" {
		a.Tags = slices.DeleteFunc(a.Tags, func(t string) bool { return strings.EqualFold(t, mark) })
	}
	return a
}

// attributesOf is what is said of it.
func attributesOf(i *threatconnect.Indicator) *indicator.Attributes {
	a := &indicator.Attributes{
		Description: i.Description, Owner: i.OwnerName, FirstSeen: i.DateAdded,
		TLP: labelled(i.Labels.Data), KillChain: killChain(i.Attributes.Data), Extra: extra(i),
	}
	if i.Confidence != nil {
		a.Confidence = indicator.Known(min(max(*i.Confidence, 0), 100))
	}
	if i.Rating != nil {
		a.Severity = indicator.Known(min(int(math.Floor(*i.Rating+0.5)), 5))
	}
	if i.WebLink != "" {
		a.References = []string{i.WebLink}
	}
	for _, t := range i.Tags.Data {
		a.Tags = append(a.Tags, t.Name)
	}
	if i.FalsePositives != nil {
		a.FalsePositives = uint32(min(max(*i.FalsePositives, 0), math.MaxInt32))
	}
	if i.FirstSeen != nil {
		a.FirstSeen = *i.FirstSeen
	}
	if i.ExternalExpires != nil {
		a.ValidUntil = *i.ExternalExpires
	}
	a.LastSeen = lastSeen(i)
	a.Protocol, a.Port = protocolOf(i.Attributes.Data)
	a.ExternalID = externalID(i)
	return a
}

// extra is what has no attribute of its own.
func extra(i *threatconnect.Indicator) map[string]any {
	e := map[string]any{"tc_id": i.ID, "tc_owner_id": i.OwnerID, "tc_type": i.Type}
	for name, hash := range map[string]string{"md5": i.MD5, "sha1": i.SHA1, "sha256": i.SHA256} {
		if hash != "" {
			e[name] = strings.ToLower(hash)
		}
	}
	if i.Rating != nil {
		e["rating"] = *i.Rating
	}
	if i.ThreatAssessScore != nil {
		e["threat_assess_score"] = int64(*i.ThreatAssessScore)
	}
	if i.Source != "" {
		e["source"] = i.Source
	}
	return e
}

// labelled is the highest TLP among the labels; other labels say nothing of it.
func labelled(labels []threatconnect.Label) indicator.TLP {
	highest := indicator.Unlabelled
	for _, l := range labels {
		name := strings.ToLower(strings.TrimSpace(l.Name))
		name = strings.TrimLeft(strings.TrimPrefix(name, "tlp"), ":- ")
		if tlp, ok := indicator.ParseTLP(name); ok {
			highest = max(highest, tlp)
		}
	}
	return highest
}

// externalID is the attribute of that name, else one made of the ids, which is the
// same at every run: v3 indicators have no xid.
func externalID(i *threatconnect.Indicator) string {
	for _, a := range i.Attributes.Data {
		if strings.EqualFold(a.Type, "External ID") && strings.TrimSpace(a.Value) != "" {
			return strings.TrimSpace(a.Value)
		}
	}
	return fmt.Sprintf("tc-%d-%d", i.OwnerID, i.ID)
}

// lastSeen is the latest readable attribute "Last Seen", else the sighting.
func lastSeen(i *threatconnect.Indicator) time.Time {
	var latest time.Time
	for _, a := range i.Attributes.Data {
		if t, ok := readTime(a.Value); ok && strings.EqualFold(a.Type, "Last Seen") && t.After(latest) {
			latest = t
		}
	}
	if latest.IsZero() && i.LastSeen != nil {
		return *i.LastSeen
	}
	return latest
}
