package stix

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/remeld/remeld/indicator"
)

// The namespaces of the identifiers that are computed. Observables' is the
// specification's; objects' is ours. Neither may ever change: tenants know objects
// by them.
var (
	observableSpace = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")
	objectSpace     = uuid.MustParse("5d1c3a0e-8f5b-4b0a-9d0e-6c2f7a914b37")
)

// IndicatorID returns the identifier of our indicator for a value from a source
// system. It is the same each time, so that an object is updated or revoked without
// a look at what was sent. A revoked identifier must not come back (SEMANTICS D19):
// who adds a value again after it was revoked gives the next generation. Generation
// 0 is the plain name.
func IndicatorID(sourceSystem string, kind indicator.Kind, value string, generation uint32) string {
	parts := []string{sourceSystem, kind.String(), value}
	if generation > 0 {
		parts = append(parts, strconv.FormatUint(uint64(generation), 10))
	}
	return ObjectID("indicator", parts...)
}

// ObjectID returns an identifier for an object of ours from what makes it the one
// it is, the same each time. Parts must not contain the zero byte.
func ObjectID(objectType string, parts ...string) string {
	name := []byte(objectType)
	for _, part := range parts {
		name = append(append(name, 0), part...)
	}
	return objectType + "--" + uuid.NewSHA1(objectSpace, name).String()
}

// contributing are the properties that make an observable the one it is. A process
// has none: two are never known to be the same.
var contributing = map[string][]string{
	"artifact":             {"hashes", "payload_bin"},
	"autonomous-system":    {"number"},
	"directory":            {"path"},
	"domain-name":          {"value"},
	"email-addr":           {"value"},
	"email-message":        {"from_ref", "subject", "body"},
	"file":                 {"hashes", "name", "extensions", "parent_directory_ref"},
	"ipv4-addr":            {"value"},
	"ipv6-addr":            {"value"},
	"mac-addr":             {"value"},
	"mutex":                {"name"},
	"network-traffic":      {"start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"},
	"software":             {"name", "cpe", "swid", "vendor", "version"},
	"url":                  {"value"},
	"user-account":         {"account_type", "user_id", "account_login"},
	"windows-registry-key": {"key", "values"},
	"x509-certificate":     {"hashes", "serial_number"},
}

// hashOrder is the preference among hashes: the first that is there contributes.
var hashOrder = []string{"MD5", "SHA-1", "SHA-256", "SHA-512"}

// ErrNoIdentity is what ObservableID wraps for an observable that has none of the
// properties an identifier is made of. Give such an object a random one.
var ErrNoIdentity = errors.New("nothing that an identifier is made of")

// ObservableID returns the identifier of an observable (STIX 2.1 section 2.9): a
// UUIDv5 over the canonical JSON (RFC 8785) of those of its properties that
// contribute. properties are as decoded from JSON or of Go's basic types.
func ObservableID(observableType string, properties map[string]any) (string, error) {
	named, known := contributing[observableType]
	if !known {
		return "", fmt.Errorf("an identifier for %s: %w: the specification names no properties for the type", observableType, ErrNoIdentity)
	}
	content := map[string]any{}
	for _, name := range named {
		value, given := properties[name]
		if name == "hashes" {
			value, given = preferredHash(value)
		}
		if given {
			content[name] = value
		}
	}
	if len(content) == 0 {
		return "", fmt.Errorf("an identifier for %s: %w: it has none of %v", observableType, ErrNoIdentity, named)
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("an identifier for %s: %w", observableType, err)
	}
	canonical := jsontext.Value(raw)
	if err := canonical.Canonicalize(); err != nil {
		return "", fmt.Errorf("an identifier for %s: %w", observableType, err)
	}
	return observableType + "--" + uuid.NewSHA1(observableSpace, canonical).String(), nil
}

// preferredHash is the one hash that contributes. Of others than the four named,
// the first in the order of names stands in: the specification lets any.
func preferredHash(hashes any) (map[string]any, bool) {
	all := map[string]any{}
	switch h := hashes.(type) {
	case map[string]any:
		all = h
	case map[string]string:
		for name, digest := range h {
			all[name] = digest
		}
	}
	for _, name := range hashOrder {
		if digest, ok := all[name]; ok {
			return map[string]any{name: digest}, true
		}
	}
	first := ""
	for name := range all {
		if first == "" || name < first {
			first = name
		}
	}
	return map[string]any{first: all[first]}, first != ""
}
