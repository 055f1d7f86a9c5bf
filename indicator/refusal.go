package indicator

import "strings"

// Reason is the code of why a value was refused. The codes are stable: they are
// counted, shown and filtered on.
type Reason string

// The reasons any kind may give.
const (
	ReasonEmpty       Reason = "empty"        // nothing but white space
	ReasonTooLong     Reason = "too_long"     // longer than the kind allows
	ReasonControl     Reason = "control"      // a control character inside
	ReasonSpace       Reason = "space"        // white space where none belongs
	ReasonUTF8        Reason = "bad_utf8"     // not valid UTF-8
	ReasonDefanged    Reason = "defanged"     // written hxxp or [.]; refang it first
	ReasonUnknownKind Reason = "unknown_kind" // no kind is recognised, or none is asked for
	ReasonWrongKind   Reason = "wrong_kind"   // an indicator, but not of the wanted kind
)

// The reasons of addresses, CIDRs and ranges.
const (
	ReasonNotAddress    Reason = "not_an_address"
	ReasonLeadingZero   Reason = "leading_zero"   // 08.1.1.1
	ReasonOctal         Reason = "octal"          // 010.1.1.1: 8.1.1.1 to some readers
	ReasonHex           Reason = "hex"            // 0x7f.0.0.1
	ReasonShortForm     Reason = "short_form"     // 10.1: 10.0.0.1 to some readers
	ReasonOctetRange    Reason = "octet_range"    // 256.1.1.1
	ReasonPrefix        Reason = "bad_prefix"     // 10.0.0.0/33
	ReasonZone          Reason = "zone"           // fe80::1%eth0
	ReasonReversedRange Reason = "reversed_range" // 10.0.0.9-10.0.0.1
	ReasonMixedRange    Reason = "mixed_range"    // IPv4 to IPv6
	ReasonPort          Reason = "has_port"       // 10.0.0.1:80, example.com:80
)

// The reasons of host names.
const (
	ReasonSingleLabel Reason = "single_label"   // localhost
	ReasonEmptyLabel  Reason = "empty_label"    // a..example, .example.com
	ReasonLabel       Reason = "bad_label"      // a character or hyphen that no label has
	ReasonLabelLong   Reason = "label_too_long" // over 63 bytes
	ReasonTLD         Reason = "bad_tld"        // one letter, or an underscore inside
	ReasonNumericTLD  Reason = "numeric_tld"    // example.123
	ReasonIDN         Reason = "bad_idn"        // not a valid internationalised name
	ReasonWildcard    Reason = "wildcard"       // *.example.com
	ReasonHasPath     Reason = "has_path"       // example.com/x where a bare host is wanted
)

// The reasons of URLs, e-mail addresses and everything else.
const (
	ReasonNotURL     Reason = "not_a_url"
	ReasonScheme     Reason = "bad_scheme"
	ReasonHost       Reason = "bad_host"
	ReasonBadPort    Reason = "bad_port"
	ReasonNotEmail   Reason = "not_an_email"
	ReasonLocalPart  Reason = "bad_local_part"
	ReasonHashLength Reason = "hash_length"
	ReasonNotHex     Reason = "not_hex"
	ReasonSSDeep     Reason = "bad_ssdeep"
	ReasonASN        Reason = "bad_asn"
	ReasonKey        Reason = "bad_key" // FromKey of bytes that AppendKey never made
)

// Refusal is the error of a value that is no indicator of the wanted kind. Text
// is what was given, cut to a length fit for a log.
type Refusal struct {
	Text   string
	Kind   Kind
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string {
	return "refused " + r.Kind.String() + " value (" + string(r.Reason) + "): " + r.Detail
}

// maxRefusedText bounds what a Refusal carries of a value, in bytes.
const maxRefusedText = 200

// refuse makes a Refusal whose Text and Kind the entry point fills in.
func refuse(why Reason, detail string) *Refusal {
	return &Refusal{Reason: why, Detail: detail}
}

// of completes a Refusal with what was asked for.
func (r *Refusal) of(kind Kind, text string) *Refusal {
	if len(text) > maxRefusedText {
		text = text[:maxRefusedText]
	}
	r.Text = strings.ToValidUTF8(strings.Clone(text), "\uFFFD")
	if r.Kind == Unknown {
		r.Kind = kind
	}
	return r
}
