package mde

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// submission is an indicator as a client sent it. Only writable properties are
// taken; read-only and unknown ones are ignored.
type submission struct {
	Indicator
	has map[string]bool // required properties that were given
}

// object decodes a JSON object with case-sensitive property names.
func object(raw []byte) (map[string]json.RawMessage, *apiError) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, bodyError()
	}
	return m, nil
}

// list decodes the array property of a request body.
func list[T any](body []byte, name string) ([]T, *apiError) {
	m, e := object(body)
	if e != nil {
		return nil, e
	}
	raw, ok := m[name]
	if !ok || isNull(raw) {
		return nil, missing(name)
	}
	var out []T
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, bodyError()
	}
	return out, nil
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// decodeSubmission reads one indicator. Wrong JSON types and unknown enum values
// are errors of the body, as a model binder reports them.
func decodeSubmission(raw []byte) (*submission, *apiError) {
	m, e := object(raw)
	if e != nil {
		return nil, e
	}
	s := &submission{has: map[string]bool{}}
	for name, target := range s.targets() {
		v, ok := m[name]
		if !ok || isNull(v) {
			continue
		}
		if err := json.Unmarshal(v, target); err != nil {
			return nil, bodyError()
		}
		s.has[name] = true
	}
	if !s.enumsOK() {
		return nil, bodyError()
	}
	return s, nil
}

func (s *submission) targets() map[string]any {
	i := &s.Indicator
	return map[string]any{
		"indicatorValue": &i.Value, "indicatorType": &i.Type, "action": &i.Action, "severity": &i.Severity,
		"title": &i.Title, "description": &i.Description, "application": &i.Application,
		"recommendedActions": &i.RecommendedActions, "educateUrl": &i.EducateURL, "externalId": &i.ExternalID,
		"bypassDurationHours": &i.BypassDurationHours, "notificationId": &i.NotificationID,
		"notificationBody": &i.NotificationBody, "version": &i.Version, "lookBackPeriod": &i.LookBackPeriod,
		"additionalInfo": &i.AdditionalInfo, "historicalDetection": &i.HistoricalDetection,
		"generateAlert": &i.GenerateAlert, "certificateInfo": &i.CertificateInfo,
		"mitreTechniques": &i.MitreTechniques, "rbacGroupNames": &i.RbacGroupNames,
		"rbacGroupIds": (*flexStrings)(&i.RbacGroupIDs), "category": (*category)(&i.Category),
		"expirationTime": (*flexTime)(&i.ExpirationTime),
	}
}

var enums = struct{ types, actions, severities map[string]bool }{
	types:      set("FileSha1 FileSha256 FileMd5 CertificateThumbprint IpAddress DomainName Url"),
	actions:    set("Warn Block Audit Alert AlertAndBlock BlockAndRemediate Allowed"),
	severities: set("Informational Low Medium High"),
}

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

func (s *submission) enumsOK() bool {
	ok := func(values map[string]bool, name, v string) bool { return !s.has[name] || values[v] }
	return ok(enums.types, "indicatorType", s.Type) && ok(enums.actions, "action", s.Action) &&
		ok(enums.severities, "severity", s.Severity)
}

// flexStrings takes a list of strings or numbers: clients send group ids as either.
type flexStrings []string

// UnmarshalJSON implements json.Unmarshaler.
func (f *flexStrings) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for _, r := range raw {
		var text string
		var number json.Number
		switch {
		case json.Unmarshal(r, &text) == nil:
		case json.Unmarshal(r, &number) == nil && number != "":
			text = number.String()
		default:
			return fmt.Errorf("neither text nor number: %s", r)
		}
		*f = append(*f, text)
	}
	return nil
}

// category takes the number of the wire or the name of the portal's file.
type category int

// categories in the portal's order; the numbers other than 1 are not published.
var categories = []string{"", "SuspiciousActivity", "UnwantedSoftware", "Malware", "Exploit", "Ransomware",
	"CommandAndControl", "CredentialAccess", "CredentialStealing", "Collection", "DefenseEvasion", "Delivery", "Discovery",
	"Execution", "Exfiltration", "General", "InitialAccess", "Installation", "LateralMovement", "Persistence",
	"PrivilegeEscalation", "Reconnaissance", "RemoteAccessTool", "SocialEngineering", "WebFingerprinting", "Weaponization"}

// UnmarshalJSON implements json.Unmarshaler.
func (c *category) UnmarshalJSON(b []byte) error {
	var n int
	if err := json.Unmarshal(b, &n); err == nil {
		*c = category(n)
		return nil
	}
	var name string
	if err := json.Unmarshal(b, &name); err != nil {
		return err
	}
	for i, known := range categories {
		if name == known && i > 0 {
			*c = category(i)
			return nil
		}
	}
	return fmt.Errorf("unknown category %q", name)
}

// flexTime takes every spelling of a DateTimeOffset that clients send; one
// without a zone is UTC.
type flexTime Expiry

// UnmarshalJSON implements json.Unmarshaler.
func (f *flexTime) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			*f = flexTime(t.UTC())
			return nil
		}
	}
	return fmt.Errorf("not a time: %q", text)
}
