package mapping

import (
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/graph"
)

// GraphHashes are the hash kinds and Graph's names for them.
var GraphHashes = map[indicator.Kind]graph.FileHashType{
	indicator.MD5: "md5", indicator.SHA1: "sha1", indicator.SHA256: "sha256", indicator.SSDeep: "ctph",
}

// GraphKinds are the kinds that each product can hold. Defender for Endpoint takes
// hashes, destinations, domains and URLs; Sentinel every observable.
var GraphKinds = map[string]map[indicator.Kind]bool{
	graph.Defender: {
		indicator.IPv4: true, indicator.IPv6: true, indicator.Domain: true, indicator.URL: true,
		indicator.MD5: true, indicator.SHA1: true, indicator.SHA256: true,
	},
	graph.Sentinel: {
		indicator.IPv4: true, indicator.IPv6: true, indicator.Domain: true, indicator.URL: true,
		indicator.Email: true, indicator.EmailSubject: true, indicator.UserAgent: true,
		indicator.MD5: true, indicator.SHA1: true, indicator.SHA256: true, indicator.SSDeep: true,
		indicator.FileName: true, indicator.FilePath: true, indicator.Mutex: true,
	},
}

// Graph is the mapping of class graph_tiindicators, the one of version 2.0.x of
// ThreatConnect's guide with what that leaves open.
var Graph = Table[graph.Indicator]{
	Class: "graph_tiindicators", Object: "tiIndicator of Microsoft Graph", Guide: "2.0.x",
	Rows: slices.Concat(graphTold, graphObservables, graphExtra),
}

// graphTold are the properties of all observables.
var graphTold = []Row[graph.Indicator]{
	{
		Property: "targetProduct", From: "config: target_product", How: "as it is; one indicator is for one product",
		Set: func(in *In, out *graph.Indicator) { out.TargetProduct = in.Say.Product },
	},
	{
		Property: "action", From: "config: action, rules", How: "as it is: alert, block or allow",
		Set: func(in *In, out *graph.Indicator) { out.Action = graph.Action(in.Action) },
	},
	{
		Property: "confidence", From: "confidence", How: "0–100; unknown is left out",
		Guide: []Field{{2, "Confidence", "confidence"}},
		Set:   func(in *In, out *graph.Indicator) { out.Confidence = number(in.Rec.Attrs.Confidence) },
	},
	{
		Property: "description", From: "description, sources, tlp, threat_type, kill_chain, tags, owner",
		How:   `in one line of up to 100 characters, or the config's template: the guide's is "ThreatConnect | Owner: {owner}"; at Defender, which keeps no external id, the owner mark stands behind it`,
		Guide: []Field{{2, `"ThreatConnect | Owner: {Owner}"`, "description"}},
		Set:   func(in *In, out *graph.Indicator) { out.Description = describe(in, graph.MaxDescription) },
	},
	{
		Property: "externalId", From: fromMark, How: "remeld/MARK/VALUE/REST, one of its own for every object: it is how our rows are known and deleted, so an XID cannot stand here",
		Guide: []Field{{2, "XID", "externalId"}},
	},
	{Property: "expirationDateTime", From: fromExpiry, How: "the earlier of both, in whole seconds"},
	{
		Property: "killChain", From: "kill_chain", How: "Reconnaissance, Weaponization, Delivery, Exploitation, Installation, C2, Actions, in this order; other phases have no word there",
		Guide: []Field{{2, `Attribute: "Phase of Intrusion"`, "killChain"}},
		Set:   func(in *In, out *graph.Indicator) { out.KillChain = killChain(in.Rec.Attrs.KillChain) },
	},
	{
		Property: "knownFalsePositives", From: "false_positives", How: "the count as text; 0 is left out; rides along with the next write",
		Guide: []Field{{2, "False Positive Count", "knownFalsePositives"}},
		Set: func(in *In, out *graph.Indicator) {
			if n := in.Rec.Attrs.FalsePositives; n > 0 {
				out.KnownFalsePositives = strconv.FormatUint(uint64(n), 10)
			}
		},
	},
	{
		Property: "lastReportedDateTime", From: "last_seen", How: "UTC; rides along with the next write",
		Guide: []Field{{2, `Attribute: "Last Seen"`, "lastReportedDateTime"}},
		Set: func(in *In, out *graph.Indicator) {
			if t := in.Rec.Attrs.LastSeen; !t.IsZero() {
				out.LastReportedDateTime = graph.Time(t)
			}
		},
	},
	{
		Property: "severity", From: "severity", How: "0–5; unknown is left out, the service then says 3",
		Guide: []Field{{2, "Threat Rating", "severity"}},
		Set:   func(in *In, out *graph.Indicator) { out.Severity = number(in.Rec.Attrs.Severity) },
	},
	{
		Property: "tags", From: "tags", How: "as they are",
		Guide: []Field{{2, "Tags", "tags"}},
		Set:   func(in *In, out *graph.Indicator) { out.Tags = slices.Clone(in.Rec.Attrs.Tags) },
	},
	{
		Property: "tlpLevel", From: "tlp, config: default_tlp", How: "clear → white, amber+strict → amber; the strictest of several labels; default_tlp where there is none",
		Guide: []Field{{2, "Security Label", "tlpLevel"}},
		Set:   func(in *In, out *graph.Indicator) { out.TLPLevel = graphTLP[label(in)] },
	},
	{
		Property: "passiveOnly", From: "tlp", How: "true for red, as Graph asks; else left out",
		Set: func(in *In, out *graph.Indicator) {
			if label(in) == indicator.Red {
				out.PassiveOnly = new(bool)
				*out.PassiveOnly = true
			}
		},
	},
	{
		Property: "threatType", From: "threat_type, rules, config: threat_type", How: "Graph's word for it; the config's (WatchList) where there is none of them",
		Guide: []Field{{2, `"Watchlist"`, "threatType"}},
		Set: func(in *In, out *graph.Indicator) {
			out.ThreatType = GraphThreat(in.Rec.Attrs.ThreatType, in.Say.ThreatType)
		},
	},
	{
		Property: "additionalInformation", From: "extra.web_link, references", How: "the link to the indicator, else the first reference",
		Guide: []Field{{2, "Weblink", "additionalInformation"}},
		Set: func(in *In, out *graph.Indicator) {
			if out.AdditionalInformation = extra(in, "web_link"); out.AdditionalInformation == "" && len(in.Rec.Attrs.References) > 0 {
				out.AdditionalInformation = in.Rec.Attrs.References[0]
			}
		},
	},
}

// graphObservables are what an indicator is about; each kind has one of them, but for
// addresses at Defender, which looks at the destination and was seen to refuse an
// indicator without the plain address beside it.
var graphObservables = []Row[graph.Indicator]{
	{
		Property: "emailSenderAddress", From: "value of email", How: "as it is; Sentinel only",
		Guide: []Field{{3, "Indicator: Email Address", "emailSenderAddress"}},
		Set:   ofKind(indicator.Email, func(o *graph.Indicator) *string { return &o.EmailSenderAddress }),
	},
	{
		Property: "emailSubject", From: "value of email_subject", How: "as it is; Sentinel only",
		Guide: []Field{{3, "Indicator: Email Subject", "emailSubject"}},
		Set:   ofKind(indicator.EmailSubject, func(o *graph.Indicator) *string { return &o.EmailSubject }),
	},
	{
		Property: "domainName", From: "value of domain", How: "as it is",
		Guide: []Field{{4, "Indicator: Host", "domainName"}},
		Set:   ofKind(indicator.Domain, func(o *graph.Indicator) *string { return &o.DomainName }),
	},
	{
		Property: "networkCidrBlock", From: "value of ipv4, ipv6", How: "a CIDR; Sentinel only; a range becomes its CIDRs, an object each",
		Guide: []Field{{4, "Indicator: CIDR", "networkCidrBlock"}},
		Set:   ofAddress(cidr, func(o *graph.Indicator) *string { return &o.NetworkCidrBlock }),
	},
	{
		Property: "networkIPv4", From: "value of ipv4", How: "one address",
		Guide: []Field{{4, "Indicator: Address", "networkIPv4"}},
		Set:   ofAddress(single(indicator.IPv4), func(o *graph.Indicator) *string { return &o.NetworkIPv4 }),
	},
	{
		Property: "networkIPv6", From: "value of ipv6", How: "one address",
		Set: ofAddress(single(indicator.IPv6), func(o *graph.Indicator) *string { return &o.NetworkIPv6 }),
	},
	{
		Property: "networkDestinationIPv4", From: "value of ipv4", How: "as networkIPv4; Defender only, which needs both",
		Set: forDefender(ofAddress(single(indicator.IPv4), func(o *graph.Indicator) *string { return &o.NetworkDestinationIPv4 })),
	},
	{
		Property: "networkDestinationIPv6", From: "value of ipv6", How: "as networkIPv6; Defender only, which needs both",
		Set: forDefender(ofAddress(single(indicator.IPv6), func(o *graph.Indicator) *string { return &o.NetworkDestinationIPv6 })),
	},
	{
		Property: "networkPort", From: "port", How: "as it is, for addresses, CIDRs, domains and URLs",
		Guide: []Field{{4, `Attribute: "Network Protocol Analysis"`, "networkPort"}},
		Set: func(in *In, out *graph.Indicator) {
			if p := in.Rec.Attrs.Port; p != 0 && network(in) {
				n := graph.Int(p)
				out.NetworkPort = &n
			}
		},
	},
	{
		Property: "networkProtocol", From: "protocol", How: "the number of the IPv4 header: tcp 6, udp 17, icmp 1 …; others are left out",
		Guide: []Field{{4, `Attribute: "Network Protocol Analysis"`, "networkProtocol"}},
		Set: func(in *In, out *graph.Indicator) {
			if n, ok := protocolNumber(in.Rec.Attrs.Protocol); ok && network(in) {
				out.NetworkProtocol = &n
			}
		},
	},
	{
		Property: "url", From: "value of url", How: "as it is",
		Guide: []Field{{4, "Indicator: URL", "url"}},
		Set:   ofKind(indicator.URL, func(o *graph.Indicator) *string { return &o.URL }),
	},
	{
		Property: "userAgent", From: "value of user_agent", How: "as it is; Sentinel only",
		Guide: []Field{{4, "Indicator: User Agent", "userAgent"}},
		Set:   ofKind(indicator.UserAgent, func(o *graph.Indicator) *string { return &o.UserAgent }),
	},
	{
		Property: "fileHashType", From: "kind", How: "md5, sha1, sha256; ssdeep → ctph, Sentinel only",
		Guide: []Field{{5, "File Hash Type", "fileHashType"}},
		Set:   func(in *In, out *graph.Indicator) { out.FileHashType = GraphHashes[in.Rec.Kind] },
	},
	{
		Property: "fileHashValue", From: "value of md5, sha1, sha256, ssdeep", How: "in lower case",
		Guide: []Field{{5, "Indicator: File", "fileHashValue"}},
		Set: func(in *In, out *graph.Indicator) {
			if GraphHashes[in.Rec.Kind] != "" {
				out.FileHashValue = in.Value
			}
		},
	},
	{
		Property: "fileName", From: "value of file_name, extra.file_name", How: "as it is",
		Set: orExtra(indicator.FileName, "file_name", func(o *graph.Indicator) *string { return &o.FileName }),
	},
	{
		Property: "filePath", From: "value of file_path, extra.file_path", How: "as it is",
		Set: orExtra(indicator.FilePath, "file_path", func(o *graph.Indicator) *string { return &o.FilePath }),
	},
	{
		Property: "fileMutexName", From: "value of mutex, extra.file_mutex_name", How: "as it is",
		Set: orExtra(indicator.Mutex, "file_mutex_name", func(o *graph.Indicator) *string { return &o.FileMutexName }),
	},
}

var graphTLP = map[indicator.TLP]graph.TLPLevel{
	indicator.Clear: "white", indicator.Green: "green", indicator.Amber: "amber", indicator.AmberStrict: "amber", indicator.Red: "red",
}

func label(in *In) indicator.TLP {
	if t := in.Rec.Attrs.TLP; t != indicator.Unlabelled {
		return t
	}
	return in.Say.TLP
}

func number(s indicator.Score) *graph.Int {
	n, known := s.Get()
	if !known {
		return nil
	}
	v := graph.Int(n)
	return &v
}

// GraphThreat returns Graph's spelling of a threat type, otherwise where it has no
// word for it.
func GraphThreat(word, otherwise string) string {
	for _, t := range graph.ThreatTypes() {
		if strings.EqualFold(t, word) {
			return t
		}
	}
	return otherwise
}

// phaseWords are Graph's phases in the order of the chain, with the names others
// have for them, letters only.
var phaseWords = []struct {
	graph string
	names []string
}{
	{"Reconnaissance", []string{"reconnaissance"}}, {"Weaponization", []string{"weaponization", "weaponisation"}},
	{"Delivery", []string{"delivery"}}, {"Exploitation", []string{"exploitation"}}, {"Installation", []string{"installation"}},
	{"C2", []string{"c", "cc", "commandandcontrol", "commandcontrol"}},
	{"Actions", []string{"actions", "actionsonobjectives", "actionsonobjective", "actiononobjectives", "actiononobjective"}},
}

func killChain(phases []string) []string {
	var out []string
	for _, w := range phaseWords {
		if slices.ContainsFunc(phases, func(p string) bool {
			_, phase, said := strings.Cut(p, ":")
			if !said {
				phase = p
			}
			return slices.Contains(w.names, letters(phase))
		}) {
			out = append(out, w.graph)
		}
	}
	return out
}

// letters drops all but letters, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// protocols are numbers of the IPv4 header (IANA, Assigned Internet Protocol Numbers)
// of what indicators speak of.
var protocols = map[string]graph.Int{
	"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ospf": 89, "sctp": 132,
}

func protocolNumber(name string) (graph.Int, bool) {
	n, ok := protocols[strings.ToLower(strings.TrimSpace(name))]
	if v, err := strconv.ParseUint(name, 10, 8); err == nil {
		return graph.Int(v), true
	}
	return n, ok
}
