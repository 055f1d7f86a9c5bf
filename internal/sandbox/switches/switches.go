// Package switches holds the choices of the sandbox where Microsoft's pages,
// the wire and real clients disagree, or where a rehearsal wants the other
// answer. Use it to print them, to set one by name, and to read one in a
// service. Every value was seen in a documentation page or a public report.
package switches

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Set is one setting of all switches. The zero value of a field means its
// default; Fill puts the defaults in.
type Set struct {
	// Capacity is how many active indicators a tenant holds.
	Capacity int
	// DuplicatePolicy is what makes a second submit an update: "value+type+action+rbac" or "value+type".
	DuplicatePolicy string
	// PastExpiry: "fail_call" refuses the whole import, "fail_item" the row.
	PastExpiry string
	// RetiredActions (Alert, AlertAndBlock): "accept" rewrites them, "reject" answers 400.
	RetiredActions string
	// RemediateOnNetwork is the verdict on BlockAndRemediate for addresses, domains and URLs: "reject" or "accept".
	RemediateOnNetwork string
	// CertificateActions: "documented" takes Allowed and BlockAndRemediate (and the retired names of the latter), "any" all.
	CertificateActions string
	// MD5: "accept" or "reject" rows of type FileMd5.
	MD5 string
	// InternalIP: "reject" or "accept" private, loopback, link-local and multicast addresses.
	InternalIP string
	// DescriptionOnImport: "optional" or "required".
	DescriptionOnImport string
	// MissingOnImport: a row without a required property fails the call ("fail_call") or itself ("fail_item").
	MissingOnImport string
	// BatchDeleteMissing: "404_all" deletes nothing if one id is unknown, "ignore" skips it.
	BatchDeleteMissing string
	// ContextHost: "echo" mirrors the request's host in @odata.context; anything else is printed as the host.
	ContextHost string
	// ThrottleShape is the 429 body: "2022", "2021" or "documented".
	ThrottleShape string
	// TopOverMax: $top above 10,000 is refused ("reject") or lowered ("cap").
	TopOverMax string
	// GzipRequests: "accept" or "reject" (415) request bodies with Content-Encoding: gzip.
	GzipRequests string
	// GetToken: "accept" or "reject" a token request sent as GET with a form body.
	GetToken string
	// OwnScopeConflict: an app with Ti.ReadWrite submits the identity of another's row: "reject" or "update".
	OwnScopeConflict string
	// ReadLag is how long a write stays invisible to list and get.
	ReadLag time.Duration

	// SentinelErrors is the key of a record's messages in an upload's answer: "errorMessages" or "validationErrorMessages".
	SentinelErrors string
	// SentinelAllInvalid is the status of an upload without one valid object: "200" or "400".
	SentinelAllInvalid string
	// SentinelDefaultSpec is the STIX version of an object that does not say: "2.1" or "2.0".
	SentinelDefaultSpec string
	// SentinelOlderModified: an upload whose modified is not newer: "keep_newest" drops it silently, "fail_item" says so, "replace" takes it.
	SentinelOlderModified string
	// SentinelRevoked: an upload of an id that was revoked: "ignore" drops it silently, "fail_item" says so.
	SentinelRevoked string
	// SentinelRetryAfter: the 429 of the upload API has the seconds in its "body" only, or in a "header" too.
	SentinelRetryAfter string
	// SentinelID: the base64 in a table Id is "padded" or "raw".
	SentinelID string
	// SentinelReadLag is how long a write stays invisible to the management plane's queries.
	SentinelReadLag time.Duration
	// GraphProfile is how Graph reads and checks: as the pages say ("documented") or as it was seen to do ("observed").
	GraphProfile string
	// GraphResultCode is the type of a resultInfo's code: "integer" or "string".
	GraphResultCode string
	// GraphBatchLimit is the most items of a bulk call that Graph digests; more are an UnknownError.
	GraphBatchLimit int
	// GraphPageSize is how many tiIndicators a list answers without $top.
	GraphPageSize int
	// GraphBulkOrder of the items in a bulk answer: "request" or "reversed".
	GraphBulkOrder string
	// GraphPartialStatus is the status of a bulk answer with refused items: "206" or "200".
	GraphPartialStatus string
	// GraphPastExpiry: "accept" takes a tiIndicator that has expired, and hides it, "reject" refuses it.
	GraphPastExpiry string
	// GraphSameExternalID: a second tiIndicator for Sentinel with an externalId makes another row ("create") or replaces the first ("update").
	GraphSameExternalID string
	// GraphEmptyList is the status of a list without rows: "200" or "404".
	GraphEmptyList string
	// GraphTiIndicators: "live", or "removed" from the beta version.
	GraphTiIndicators string
}

// MaxCapacity bounds what one tenant may be told to hold.
const MaxCapacity = 1_000_000

type field struct {
	name    string
	text    *string
	number  *int
	lag     *time.Duration
	values  []string // of text; the first is the default; nil = any
	initial string
	help    string
}

func (s *Set) fields() []field {
	enum := func(name string, p *string, help string, values ...string) field {
		return field{name: name, text: p, values: values, initial: values[0], help: help}
	}
	return []field{
		{name: "capacity", number: &s.Capacity, initial: "15000", help: "active indicators a tenant holds"},
		enum("duplicate_policy", &s.DuplicatePolicy, "what makes a second submit an update", "value+type+action+rbac", "value+type"),
		enum("past_expiry", &s.PastExpiry, "a past expirationTime refuses the whole import or the row", "fail_call", "fail_item"),
		enum("retired_actions", &s.RetiredActions, "Alert and AlertAndBlock are rewritten or refused", "accept", "reject"),
		enum("block_and_remediate_on_network", &s.RemediateOnNetwork, "BlockAndRemediate on addresses, domains, URLs", "reject", "accept"),
		enum("certificate_actions", &s.CertificateActions, "actions a certificate takes", "documented", "any"),
		enum("md5", &s.MD5, "rows of type FileMd5", "accept", "reject"),
		enum("internal_ip", &s.InternalIP, "private, loopback, link-local and multicast addresses", "reject", "accept"),
		enum("description_on_import", &s.DescriptionOnImport, "description of an imported row", "optional", "required"),
		enum("missing_on_import", &s.MissingOnImport, "an imported row without a required property", "fail_call", "fail_item"),
		enum("batch_delete_missing", &s.BatchDeleteMissing, "BatchDelete with an unknown id", "404_all", "ignore"),
		{name: "context_host", text: &s.ContextHost, initial: "echo", help: "host in @odata.context: echo, or a host name"},
		enum("throttle_shape", &s.ThrottleShape, "body of a 429", "2022", "2021", "documented"),
		enum("top_over_max", &s.TopOverMax, "$top above 10,000", "reject", "cap"),
		enum("gzip_requests", &s.GzipRequests, "request bodies with Content-Encoding: gzip", "accept", "reject"),
		enum("get_token", &s.GetToken, "token request as GET with a form body", "accept", "reject"),
		enum("own_scope_conflict", &s.OwnScopeConflict, "Ti.ReadWrite app submits the identity of another's row", "reject", "update"),
		{name: "read_lag", lag: &s.ReadLag, initial: "0s", help: "how long a write is invisible to list and get"},
		enum("sentinel_errors", &s.SentinelErrors, "key of a record's messages in an upload's answer", "errorMessages", "validationErrorMessages"),
		enum("sentinel_all_invalid", &s.SentinelAllInvalid, "status of an upload without one valid object", "200", "400"),
		enum("sentinel_default_spec", &s.SentinelDefaultSpec, "STIX version of an object that does not say", "2.1", "2.0"),
		enum("sentinel_older_modified", &s.SentinelOlderModified, "upload whose modified is not newer", "keep_newest", "fail_item", "replace"),
		enum("sentinel_revoked", &s.SentinelRevoked, "upload of an id that was revoked", "ignore", "fail_item"),
		enum("sentinel_retry_after", &s.SentinelRetryAfter, "where the upload API's 429 says the seconds", "body", "header"),
		enum("sentinel_id", &s.SentinelID, "base64 in a table Id", "padded", "raw"),
		{name: "sentinel_read_lag", lag: &s.SentinelReadLag, initial: "0s", help: "how long a write is invisible to Sentinel's queries"},
		enum("graph_profile", &s.GraphProfile, "Graph reads and checks as the pages say or as it was seen to", "documented", "observed"),
		enum("graph_result_code", &s.GraphResultCode, "type of the code in Graph's bulk deletes", "integer", "string"),
		{name: "graph_batch_limit", number: &s.GraphBatchLimit, initial: "100", help: "items of a Graph bulk call above which it is an UnknownError"},
		{name: "graph_page_size", number: &s.GraphPageSize, initial: "100", help: "tiIndicators of a page without $top"},
		enum("graph_bulk_order", &s.GraphBulkOrder, "order of the items in a Graph bulk answer", "request", "reversed"),
		enum("graph_partial_status", &s.GraphPartialStatus, "status of a Graph bulk answer with refused items", "206", "200"),
		enum("graph_past_expiry", &s.GraphPastExpiry, "a tiIndicator that has expired is taken and hidden or refused", "accept", "reject"),
		enum("graph_same_external_id", &s.GraphSameExternalID, "a second externalId for Sentinel makes another row or replaces", "create", "update"),
		enum("graph_empty_list", &s.GraphEmptyList, "status of a tiIndicator list without rows", "200", "404"),
		enum("graph_ti_indicators", &s.GraphTiIndicators, "tiIndicators exist in beta or are gone from it", "live", "removed"),
	}
}

// Defaults returns the documented defaults.
func Defaults() Set {
	s, err := Set{}.Fill()
	if err != nil {
		panic("sandbox: default switches: " + err.Error())
	}
	return s
}

// Fill returns s with defaults where a field is zero, and checks the rest.
func (s Set) Fill() (Set, error) {
	var errs []error
	for _, f := range s.fields() {
		v := f.get()
		if f.zero() {
			v = f.initial
		}
		errs = append(errs, f.set(v))
	}
	return s, errors.Join(errs...)
}

func (f *field) zero() bool {
	return f.text != nil && *f.text == "" || f.number != nil && *f.number == 0
}

func (f *field) get() string {
	switch {
	case f.text != nil:
		return *f.text
	case f.number != nil:
		return strconv.Itoa(*f.number)
	}
	return f.lag.String()
}

func (f *field) set(v string) error {
	switch {
	case f.number != nil:
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > MaxCapacity {
			return fmt.Errorf("switch %s: %q is not a number from 1 to %d", f.name, v, MaxCapacity)
		}
		*f.number = n
	case f.lag != nil:
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return fmt.Errorf("switch %s: %q is not a duration such as 20s", f.name, v)
		}
		*f.lag = d
	case f.values != nil && !slices.Contains(f.values, v):
		return fmt.Errorf("switch %s: %q is none of %s", f.name, v, strings.Join(f.values, ", "))
	default:
		*f.text = v
	}
	return nil
}

// With returns s with the named switch set, as it is printed by Lines.
func (s Set) With(name, value string) (Set, error) {
	for _, f := range s.fields() {
		if f.name == name {
			err := f.set(value)
			return s, err
		}
	}
	return s, fmt.Errorf("there is no switch %q; one of: %s", name, strings.Join(Names(), ", "))
}

// Names returns the switches' names in their order.
func Names() []string {
	var s Set
	var out []string
	for _, f := range s.fields() {
		out = append(out, f.name)
	}
	return out
}

// Lines returns one line per switch: name, value, what it does and the choices.
func (s Set) Lines() []string {
	var out []string
	for _, f := range s.fields() {
		choice := "default " + f.initial
		if f.values != nil {
			choice = strings.Join(f.values, " | ")
		}
		out = append(out, fmt.Sprintf("%-30s = %-22s # %s (%s)", f.name, f.get(), f.help, choice))
	}
	return out
}

// MarshalJSON writes an object of names and printed values.
func (s Set) MarshalJSON() ([]byte, error) {
	out := map[string]string{}
	for _, f := range s.fields() {
		out[f.name] = f.get()
	}
	return json.Marshal(out)
}
