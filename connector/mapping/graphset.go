package mapping

import (
	"strconv"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/graph"
)

// set and text are what rows of Graph are made of.
type (
	set  = func(in *In, out *graph.Indicator)
	text = func(out *graph.Indicator) *string
)

// ofKind fills a text with the value of one kind.
func ofKind(k indicator.Kind, field text) set {
	return func(in *In, out *graph.Indicator) {
		if in.Rec.Kind == k {
			*field(out) = in.Value
		}
	}
}

// ofAddress fills a text with an address or a CIDR.
func ofAddress(is func(*indicator.Record) bool, field text) set {
	return func(in *In, out *graph.Indicator) {
		if is(in.Rec) {
			*field(out) = in.Value
		}
	}
}

func cidr(rec *indicator.Record) bool {
	p, ok := rec.Prefix()
	return ok && !p.IsSingleIP()
}

func single(k indicator.Kind) func(*indicator.Record) bool {
	return func(rec *indicator.Record) bool {
		p, ok := rec.Prefix()
		return ok && p.IsSingleIP() && rec.Kind == k
	}
}

func forDefender(fill set) set {
	return func(in *In, out *graph.Indicator) {
		if in.Say.Product == graph.Defender {
			fill(in, out)
		}
	}
}

// network: the indicator is one of a network, so that a port means something.
func network(in *In) bool {
	return in.Rec.Kind.In(indicator.IP) || in.Rec.Kind == indicator.Domain || in.Rec.Kind == indicator.URL
}

// extra is a free attribute as text, "" if it is not known.
func extra(in *In, name string) string {
	v, _ := in.Rec.Attrs.Extra[name]
	return plain(v)
}

// orExtra fills a text with the value of one kind, or with a free attribute.
func orExtra(k indicator.Kind, name string, field text) set {
	return func(in *In, out *graph.Indicator) {
		if *field(out) = extra(in, name); in.Rec.Kind == k {
			*field(out) = in.Value
		}
	}
}

// graphExtra are the properties that nothing of ours stands for: they are taken from
// the free attribute of their name, so that a source can fill any of them.
var graphExtra = []Row[graph.Indicator]{
	extraText("emailEncoding", "email_encoding", func(o *graph.Indicator) *string { return &o.EmailEncoding }),
	extraText("emailLanguage", "email_language", func(o *graph.Indicator) *string { return &o.EmailLanguage }),
	extraText("emailRecipient", "email_recipient", func(o *graph.Indicator) *string { return &o.EmailRecipient }),
	extraText("emailSenderName", "email_sender_name", func(o *graph.Indicator) *string { return &o.EmailSenderName }),
	extraText("emailSourceDomain", "email_source_domain", func(o *graph.Indicator) *string { return &o.EmailSourceDomain }),
	extraText("emailSourceIpAddress", "email_source_ip_address", func(o *graph.Indicator) *string { return &o.EmailSourceIPAddress }),
	extraText("emailXMailer", "email_x_mailer", func(o *graph.Indicator) *string { return &o.EmailXMailer }),
	extraText("fileCompileDateTime", "file_compile_date_time", func(o *graph.Indicator) *string { return &o.FileCompileDateTime }),
	extraText("fileCreatedDateTime", "file_created_date_time", func(o *graph.Indicator) *string { return &o.FileCreatedDateTime }),
	extraText("filePacker", "file_packer", func(o *graph.Indicator) *string { return &o.FilePacker }),
	extraText("fileType", "file_type", func(o *graph.Indicator) *string { return &o.FileType }),
	extraInt("fileSize", "file_size", func(o *graph.Indicator) **graph.Int { return &o.FileSize }),
	extraInt("networkDestinationAsn", "network_destination_asn", func(o *graph.Indicator) **graph.Int { return &o.NetworkDestinationAsn }),
	extraInt("networkDestinationPort", "network_destination_port", func(o *graph.Indicator) **graph.Int { return &o.NetworkDestinationPort }),
	extraInt("networkSourceAsn", "network_source_asn", func(o *graph.Indicator) **graph.Int { return &o.NetworkSourceAsn }),
	extraInt("networkSourcePort", "network_source_port", func(o *graph.Indicator) **graph.Int { return &o.NetworkSourcePort }),
	extraText("networkDestinationCidrBlock", "network_destination_cidr_block", func(o *graph.Indicator) *string { return &o.NetworkDestinationCidrBlock }),
	extraText("networkSourceCidrBlock", "network_source_cidr_block", func(o *graph.Indicator) *string { return &o.NetworkSourceCidrBlock }),
	extraText("networkSourceIPv4", "network_source_ipv4", func(o *graph.Indicator) *string { return &o.NetworkSourceIPv4 }),
	extraText("networkSourceIPv6", "network_source_ipv6", func(o *graph.Indicator) *string { return &o.NetworkSourceIPv6 }),
	extraList("activityGroupNames", "activity_group_names", func(o *graph.Indicator) *[]string { return &o.ActivityGroupNames }),
	extraList("malwareFamilyNames", "malware_family_names", func(o *graph.Indicator) *[]string { return &o.MalwareFamilyNames }),
	{
		Property: "diamondModel", From: "extra.diamond_model", How: "adversary, capability, infrastructure or victim; others are left out",
		Set: func(in *In, out *graph.Indicator) {
			switch word := strings.ToLower(extra(in, "diamond_model")); word {
			case "adversary", "capability", "infrastructure", "victim":
				out.DiamondModel = graph.DiamondModel(word)
			}
		},
	},
	{
		Property: "isActive", From: "extra.is_active", How: "as it is; left out where nothing is said, which the service takes as true",
		Set: func(in *In, out *graph.Indicator) {
			if b, ok := in.Rec.Attrs.Extra["is_active"].(bool); ok {
				out.IsActive = &b
			}
		},
	},
}

const asItIs = "as it is"

func extraText(property, name string, field text) Row[graph.Indicator] {
	return Row[graph.Indicator]{Property: property, From: extraPrefix + name, How: asItIs, Set: func(in *In, out *graph.Indicator) {
		*field(out) = extra(in, name)
	}}
}

func extraInt(property, name string, field func(*graph.Indicator) **graph.Int) Row[graph.Indicator] {
	return Row[graph.Indicator]{Property: property, From: extraPrefix + name, How: asItIs, Set: func(in *In, out *graph.Indicator) {
		if n, err := strconv.ParseInt(extra(in, name), 10, 64); err == nil {
			v := graph.Int(n)
			*field(out) = &v
		}
	}}
}

func extraList(property, name string, field func(*graph.Indicator) *[]string) Row[graph.Indicator] {
	return Row[graph.Indicator]{Property: property, From: extraPrefix + name, How: asItIs, Set: func(in *In, out *graph.Indicator) {
		switch v := in.Rec.Attrs.Extra[name].(type) {
		case []string:
			*field(out) = append([]string(nil), v...)
		case string:
			*field(out) = []string{v}
		}
	}}
}
