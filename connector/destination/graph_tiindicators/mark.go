package graphti

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// markPrefix begins the externalId of our rows: "remeld/MARK/SLOT/FIXED". It is one
// of its own for every object, so that an answer's items are told apart and an object
// can be deleted by it: SLOT is a digest of the value, FIXED what no update may
// change (fixedOf), by which a row is known again without trusting that the service
// lists a property exactly as it was sent.
const markPrefix = "remeld/"

func externalID(mark, slot, fixed string) string {
	sum := sha256.Sum256([]byte(slot))
	return markPrefix + mark + "/" + hex.EncodeToString(sum[:8]) + "/" + fixed
}

// markOf reads an external id back; mark is "" where it is not ours.
func markOf(id string) (mark, fixed string) {
	rest, ours := strings.CutPrefix(id, markPrefix)
	parts := strings.Split(rest, "/")
	if !ours || len(parts) < 3 {
		return "", ""
	}
	n := len(parts)
	return strings.Join(parts[:n-2], "/"), parts[n-1]
}

// Defender was seen to keep no external id and to write a title before the
// description. There the mark stands behind the description as well, and told reads
// what we said, and the mark, back.
var (
	titled = regexp.MustCompile(`^Title: Indicator .* of type \w+, Description: `)
	tail   = regexp.MustCompile(` \[remeld/([^\]]+)\]$`)
)

func withMark(description, mark string) string {
	return description + " [" + markPrefix + mark + "]"
}

func told(description string) (text, mark string) {
	text = description
	if at := titled.FindStringIndex(text); at != nil {
		text = text[at[1]:]
	}
	if m := tail.FindStringSubmatch(text); m != nil {
		return strings.TrimSuffix(text, m[0]), m[1]
	}
	return text, ""
}
