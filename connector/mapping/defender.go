package mapping

import (
	"fmt"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/defender"
)

// DefenderTypes are the kinds that Defender's API takes and its names for them.
var DefenderTypes = map[indicator.Kind]string{
	indicator.IPv4: "IpAddress", indicator.IPv6: "IpAddress",
	indicator.Domain: "DomainName", indicator.URL: "Url",
	indicator.MD5: "FileMd5", indicator.SHA1: "FileSha1", indicator.SHA256: "FileSha256",
	indicator.Certificate: "CertificateThumbprint",
}

// DefenderAudit is the action that only alerts.
const DefenderAudit = "Audit"

// DefenderApplication is what our rows carry as their application; fixed at creation.
const DefenderApplication = "Remeld"

// maxDefenderText keeps the description readable in the portal; the service takes far
// more.
const maxDefenderText = 1000

// severityWords maps 0–5 to Defender's words.
var severityWords = [...]string{"Informational", "Informational", "Low", "Medium", "High", "High"}

func severityWord(s indicator.Score) string {
	n, known := s.Get()
	if !known {
		return "Medium"
	}
	return severityWords[min(n, len(severityWords)-1)]
}

// Defender is the mapping of class defender. Its fields of the guide are those of
// version 3.0.0, which still names properties of Microsoft Graph: the Indicators API
// has fewer, and what has no property of its own is told in the description.
var Defender = Table[defender.Indicator]{
	Class: "defender", Object: "indicator of the Defender for Endpoint Indicators API", Guide: "3.0.0",
	Rows: []Row[defender.Indicator]{
		{
			Property: "indicatorValue", From: "value", How: "as it is; IPv6 with all eight groups; a CIDR or range of up to 8 addresses becomes one object each",
			Guide: []Field{{3, "Name/Summary", ""}, {4, "Name/Summary", "fileHashValue"}},
			Set:   func(in *In, out *defender.Indicator) { out.Value = in.Value },
		},
		{
			Property: "indicatorType", From: "kind", How: "IpAddress, DomainName, Url, FileMd5, FileSha1, FileSha256, CertificateThumbprint",
			Guide: []Field{{4, "File Hash Type (MD5, SHA1, or SHA256)", "fileHashType"}},
			Set:   func(in *In, out *defender.Indicator) { out.Type = DefenderTypes[in.Rec.Kind] },
		},
		{
			Property: "action", From: "config: action, rules", How: "audit → Audit, warn → Warn, block → Block; a certificate's block → BlockAndRemediate, a file's too with file_block: block_and_remediate",
			Set: func(in *In, out *defender.Indicator) { out.Action = in.Action },
		},
		{
			Property: "title", From: "config: title, value", How: "the template filled in; the value where that leaves nothing",
			Set: func(in *In, out *defender.Indicator) { out.Title = named(in.Say.Title, in, defender.MaxTitle) },
		},
		{
			Property: "description", From: "description, sources, tlp, threat_type, kill_chain, tags, confidence",
			How: "in one line of up to 1,000 characters with the confidence behind it, or the config's template",
			Guide: []Field{
				{2, "Confidence Rating", "confidence"}, {2, "Indicator type Owner Owner ID", "Description"},
				{2, `Attribute: "Phase of Intrusion"`, "killChain"}, {2, "Tags", "tags"}, {2, "Security Label", "tlpLevel"},
			},
			Set: setDefenderText,
		},
		{
			Property: "severity", From: "severity", How: "0, 1 → Informational; 2 → Low; 3 → Medium; 4, 5 → High; unknown → Medium",
			Guide: []Field{{2, "Threat Rating", "severity"}},
			Set:   func(in *In, out *defender.Indicator) { out.Severity = severityWord(in.Rec.Attrs.Severity) },
		},
		{
			Property: "generateAlert", From: "config: action, generate_alert, rules", How: "true for Audit, which the service demands; for what is stopped with generate_alert",
			Set: func(in *In, out *defender.Indicator) { out.GenerateAlert = in.Action == DefenderAudit || in.Say.Alerts },
		},
		{
			Property: "recommendedActions", From: "config: recommended_actions", How: "as it is",
			Set: func(in *In, out *defender.Indicator) { out.RecommendedActions = in.Say.Recommend },
		},
		{
			Property: "rbacGroupNames", From: "config: device_groups", How: "the names of the device groups; every device where none is given",
			Set: func(in *In, out *defender.Indicator) { out.RBACGroupNames = in.Say.Groups },
		},
		{
			Property: "educateUrl", From: "config: educate_url", How: "as it is, for URLs that are blocked or warned of",
			Set: func(in *In, out *defender.Indicator) {
				if in.Rec.Kind == indicator.URL && in.Action != DefenderAudit {
					out.EducateURL = in.Say.EducateURL
				}
			},
		},
		{
			Property: "mitreTechniques", From: "kill_chain, tags, config: mitre_techniques", How: "the ATT&CK techniques among them; on no page of the API, so only where the config asks for it",
			Set: func(in *In, out *defender.Indicator) {
				if in.Say.Techniques {
					out.MitreTechniques = techniques(&in.Rec.Attrs)
				}
			},
		},
		{
			Property: "category", From: "kill_chain, config: alert_category", How: "the alert category of the first phase that has one; on no page of the API, so only where the config asks for it",
			Set: func(in *In, out *defender.Indicator) {
				if in.Say.Category {
					out.Category = category(&in.Rec.Attrs)
				}
			},
		},
		{
			Property: "application", From: "", How: "always Remeld; the service fixes it at creation",
			Set: func(_ *In, out *defender.Indicator) { out.Application = DefenderApplication },
		},
		{
			Property: "externalId", From: fromMark, How: "remeld/MARK/HASH: only rows with it are ever changed, so an XID cannot stand here",
			Guide: []Field{{2, "xid", "externalId"}},
		},
		{Property: "expirationTime", From: fromExpiry, How: "the earlier of both, in whole seconds"},
		{
			From: "false_positives, last_seen", How: "not sent: the API has no property, and a text that moves would rewrite the row each time; use them in keep:",
			Guide: []Field{{2, "False Positive Count", "knownFalsePositives"}, {2, `Attribute: "Last Seen"`, "lastReportedDateTime"}},
		},
		{
			From: "port, protocol", How: "not sent: the API has no property; an address is stopped at every port",
			Guide: []Field{{3, `Attribute: "Network Protocol Analysis"`, ""}},
		},
	},
}

// setDefenderText writes the description. The confidence stands last, so that it can
// be told apart from what is worth a write (SEMANTICS D10).
func setDefenderText(in *In, out *defender.Indicator) {
	out.Description = describe(in, maxDefenderText)
	if n, known := in.Rec.Attrs.Confidence.Get(); known && in.Say.Description == "" {
		out.Description += fmt.Sprintf("; confidence %d", n)
	}
}
