// Package mde is the sandbox's twin of the indicator API of Microsoft Defender
// for Endpoint: the resource, its identity and validation, a store per tenant
// with capacity and expiry, the calls, their rate windows and errors. Use
// Service to answer calls, and its Seed, Edit and Remove to play the other
// writers of a tenant: other apps and people in the portal.
package mde

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/odata"
	"github.com/remeld/remeld/internal/sandbox/switches"
)

// Stamp is a time with the seven digits of a service timestamp.
type Stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.0000000Z"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Stamp) UnmarshalJSON(b []byte) error { return (*time.Time)(s).UnmarshalJSON(b) }

// Expiry is a time in whole seconds; zero is null, which never expires.
type Expiry time.Time

// MarshalJSON implements json.Marshaler.
func (e Expiry) MarshalJSON() ([]byte, error) {
	if time.Time(e).IsZero() {
		return []byte("null"), nil
	}
	return time.Time(e).UTC().AppendFormat(nil, `"2006-01-02T15:04:05Z"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Expiry) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	return (*time.Time)(e).UnmarshalJSON(b)
}

// Indicator is the resource as the service returns it, with every property seen
// on the wire. A stored indicator is never changed in place.
type Indicator struct {
	ID                   string          `json:"id"`
	Value                string          `json:"indicatorValue"`
	Type                 string          `json:"indicatorType"`
	Action               string          `json:"action"`
	CreatedBy            string          `json:"createdBy"`
	Severity             string          `json:"severity"`
	Category             int             `json:"category"`
	Application          *string         `json:"application"`
	EducateURL           *string         `json:"educateUrl"`
	BypassDurationHours  *int            `json:"bypassDurationHours"`
	Title                string          `json:"title"`
	Description          string          `json:"description"`
	RecommendedActions   *string         `json:"recommendedActions"`
	CreationTime         Stamp           `json:"creationTimeDateTimeUtc"`
	ExpirationTime       Expiry          `json:"expirationTime"`
	LastUpdateTime       Stamp           `json:"lastUpdateTime"`
	LastUpdatedBy        *string         `json:"lastUpdatedBy"`
	RbacGroupNames       []string        `json:"rbacGroupNames"`
	RbacGroupIDs         []string        `json:"rbacGroupIds"`
	NotificationID       *string         `json:"notificationId"`
	NotificationBody     *string         `json:"notificationBody"`
	Version              *string         `json:"version"`
	MitreTechniques      []string        `json:"mitreTechniques"`
	HistoricalDetection  bool            `json:"historicalDetection"`
	LookBackPeriod       *string         `json:"lookBackPeriod"`
	GenerateAlert        bool            `json:"generateAlert"`
	AdditionalInfo       *string         `json:"additionalInfo"`
	CreatedByDisplayName string          `json:"createdByDisplayName"`
	ExternalID           *string         `json:"externalId"`
	CreatedBySource      string          `json:"createdBySource"`
	CertificateInfo      json.RawMessage `json:"certificateInfo"`
}

// Expires returns the expiry; zero is never.
func (i *Indicator) Expires() time.Time { return time.Time(i.ExpirationTime) }

// expired reports whether the clock has passed the expiry.
func (i *Indicator) expired(now time.Time) bool {
	e := i.Expires()
	return !e.IsZero() && !now.Before(e)
}

// key is the identity under a policy: what makes a second submit an update.
func (i *Indicator) key(s *switches.Set) string {
	k := i.Type + "\x00" + strings.ToLower(i.Value)
	if s.DuplicatePolicy == "value+type" {
		return k
	}
	groups := slices.Sorted(slices.Values(i.RbacGroupIDs))
	if len(groups) == 0 {
		groups = slices.Sorted(slices.Values(i.RbacGroupNames))
	}
	return k + "\x00" + i.Action + "\x00" + strings.Join(groups, "\x00")
}

// fill puts empty lists where the wire has [] and the numbers a row needs.
func (i *Indicator) fill() {
	for _, l := range []*[]string{&i.RbacGroupNames, &i.RbacGroupIDs, &i.MitreTechniques} {
		if *l == nil {
			*l = []string{}
		}
	}
	if i.Severity == "" {
		i.Severity = "Informational"
	}
	if i.Category == 0 {
		i.Category = 1
	}
	i.ExpirationTime = Expiry(time.Time(i.ExpirationTime).Truncate(time.Second))
}

// row is a stored indicator with its encoding.
type row struct {
	Indicator
	num  uint64 // id as a number
	json []byte
}

func newRow(i Indicator) (*row, error) {
	i.fill()
	num, err := strconv.ParseUint(i.ID, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("indicator id %q: %w", i.ID, err)
	}
	b, err := json.Marshal(&i)
	if err != nil {
		return nil, fmt.Errorf("encode indicator %s: %w", i.ID, err)
	}
	return &row{Indicator: i, num: num, json: b}, nil
}

// schema lists the filterable properties.
var schema = odata.Schema{
	Entity: "microsoft.windowsDefenderATP.api.Indicator",
	Properties: map[string]odata.Type{
		"application": odata.String, "createdByDisplayName": odata.String, "expirationTime": odata.Time,
		"generateAlert": odata.Bool, "title": odata.String, "rbacGroupNames": odata.Strings, "rbacGroupIds": odata.Strings,
		"indicatorValue": odata.String, "indicatorType": odata.String, "creationTimeDateTimeUtc": odata.Time,
		"createdBy": odata.String, "action": odata.String, "severity": odata.String,
	},
}

// Property implements odata.Row.
func (i *Indicator) Property(name string) odata.Value {
	switch name {
	case "application":
		if i.Application == nil {
			return odata.Value{Null: true}
		}
		return odata.Value{Text: *i.Application}
	case "expirationTime":
		return odata.Value{Null: i.Expires().IsZero(), Time: i.Expires()}
	case "creationTimeDateTimeUtc":
		return odata.Value{Time: time.Time(i.CreationTime)}
	case "generateAlert":
		return odata.Value{Bool: i.GenerateAlert}
	case "rbacGroupNames":
		return odata.Value{List: i.RbacGroupNames}
	case "rbacGroupIds":
		return odata.Value{List: i.RbacGroupIDs}
	}
	return odata.Value{Text: i.text(name)}
}

func (i *Indicator) text(name string) string {
	switch name {
	case "createdByDisplayName":
		return i.CreatedByDisplayName
	case "title":
		return i.Title
	case "indicatorValue":
		return i.Value
	case "indicatorType":
		return i.Type
	case "createdBy":
		return i.CreatedBy
	case "action":
		return i.Action
	}
	return i.Severity
}
